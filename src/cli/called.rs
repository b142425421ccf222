//! How the program was called: what it tells people to type must work the way they type it, with or without cargo.

use clap::Command;
use clap::builder::{Resettable, StyledStr};
use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;
use std::sync::OnceLock;

/// As it is written in every text of the sources.
const WRITTEN: &str = "cargo trt-perf";

static CALLED: OnceLock<String> = OnceLock::new();

/// Remembers how the program was called, and takes out the word that cargo puts in: `cargo trt-perf run` starts
/// `cargo-trt-perf trt-perf run`.
pub fn remember(args: &mut Vec<OsString>) {
    if args.get(1).is_some_and(|a| a == "trt-perf") {
        args.remove(1);
        return;
    }
    let file = args.first().and_then(|path| Path::new(path).file_name());
    if let Some(file) = file {
        // Only `main` calls this, once.
        let _ = CALLED.set(file.to_string_lossy().into_owned());
    }
}

/// What people type: `cargo trt-perf`, or the name of the file.
fn name() -> &'static str {
    CALLED.get().map_or(WRITTEN, String::as_str)
}

/// The name of the file; cargo finds it by that, too.
pub fn file() -> &'static str {
    if name() == WRITTEN { "cargo-trt-perf" } else { name() }
}

/// `text` with the name that works here.
pub fn in_text(text: &str) -> Cow<'_, str> {
    match name() {
        WRITTEN => text.into(),
        name => text.replace(WRITTEN, name).into(),
    }
}

/// The command line with the name that works here, in usage lines and in every text.
pub fn in_help(command: Command) -> Command {
    if name() == WRITTEN { command } else { renamed(command).bin_name(name()) }
}

fn renamed(command: Command) -> Command {
    let text = |said: Option<&StyledStr>| {
        Resettable::from(said.map(|text| StyledStr::from(in_text(&text.to_string()).into_owned())))
    };
    let (about, long) = (text(command.get_about()), text(command.get_long_about()));
    let command = command.about(about).long_about(long);
    let command = command.mut_args(|arg| {
        let (help, long) = (text(arg.get_help()), text(arg.get_long_help()));
        arg.help(help).long_help(long)
    });
    command.mut_subcommands(renamed)
}
