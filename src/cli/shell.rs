//! The verbs `completions` and `man`: what shells and `man` want to know of the command line, made from it.

use super::exit::Exit;
use super::{called, out_bytes};
use crate::error::{Failure, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Print completions for a shell
///
/// They are for the name that the program is called by here. For bash: `cargo trt-perf completions bash >
/// ~/.local/share/bash-completion/completions/NAME`, where NAME is that of the file, such as cargo-trt-perf.
#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or write one for every command into a folder
///
/// `cargo trt-perf man ~/.local/share/man/man1`, then `man cargo-trt-perf-check`, or `man trt-perf-check` where the
/// program is called so.
#[derive(Args)]
pub struct ManArgs {
    /// The folder, such as ~/.local/share/man/man1
    folder: Option<PathBuf>,
}

/// Prints completions.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, called::file(), &mut text);
    out_bytes(&text);
    Ok(Exit::Ok)
}

/// Prints the manual page, or writes those of all commands.
pub fn man(args: &ManArgs, command: Command) -> Result<Exit> {
    let command = command.name(called::file()).bin_name(called::file());
    let Some(folder) = &args.folder else {
        let mut text = Vec::new();
        let page = clap_mangen::Man::new(command);
        page.render(&mut text).map_err(|e| Failure::io("write", Path::new("a manual page"), &e))?;
        out_bytes(&text);
        return Ok(Exit::Ok);
    };
    let write = || std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    write().map_err(|e| Failure::io("write manual pages in", folder, &e))?;
    Ok(Exit::Ok)
}
