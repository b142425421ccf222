//! Shows the verdict of a check, measured, joined or judged again: text or JSON, markdown, a page, and what GitHub shows.

use super::args::MessageFormat;
use super::exit::{Exit, ExitPolicy};
use super::{copy_file, note, out, out_message, shown, stopped, width, write_file};
use crate::config::Folders;
use crate::error::Result;
use crate::evidence::Evidence;
use crate::message::Message;
use crate::outcome::{Checked, Tally};
use crate::report::{CheckReport, github, html, json, junit, markdown, terminal};
use crate::session::details;
use clap::Args;
use std::path::{Path, PathBuf};

/// How a verdict is shown, and what fails.
#[derive(Args)]
pub struct VerdictArgs {
    /// Also exit with 102 when a case is inconclusive
    #[arg(long)]
    pub strict: bool,
    /// Write the report as markdown, too
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write the cases as JUnit XML, too: what fails the check is a failure or an error there
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report as one HTML page with pictures, too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the result as JSON lines, too: what --message-format json says of it, without the progress
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub message_format: MessageFormat,
    /// Only the table at the end, and errors
    #[arg(short, long)]
    pub quiet: bool,
}

impl VerdictArgs {
    /// Whether remarks are for people.
    pub fn talks(&self) -> bool {
        self.message_format == MessageFormat::Human && !self.quiet
    }
}

/// What is shown.
pub struct ShownVerdict<'a> {
    /// What was found.
    pub evidence: &'a Evidence,
    /// What follows from it.
    pub checked: &'a Checked,
    /// The file of the evidence; `None` where none was written.
    pub path: Option<&'a Path>,
    /// Where a copy of that file goes.
    pub copy: Option<&'a Path>,
    /// What is to be said first of all.
    pub remark: Option<&'a str>,
}

/// Shows it everywhere, and says how the command ends.
pub fn publish(args: &VerdictArgs, folders: &Folders, judged: &ShownVerdict) -> Result<Exit> {
    let ShownVerdict { evidence, checked, path, copy, remark } = *judged;
    let tally = Tally::of_check(checked);
    // A gate must not pass on numbers that cannot be trusted.
    let gate = ExitPolicy { fail_on_regression: true, strict: args.strict || tally.invalid > 0 };
    let report = CheckReport {
        base: &evidence.base.name,
        head: &evidence.head.name,
        device: &evidence.device.key,
        seeds: &evidence.order_seeds,
        checked,
        remark,
    };
    let exit = gate.exit(tally);
    let mut messages: Vec<Message> = remark.iter().map(|text| Message::note(*text)).collect();
    messages.extend(json::checked(checked));
    messages.push(Message::CheckFinished(json::check_finished(&report, path, tally, exit.code())));
    let human = args.message_format == MessageFormat::Human;
    if human {
        out(&terminal::check(&report, args.quiet, width()));
        if !args.quiet {
            checked.written.iter().for_each(|p| note(&format!("record: {}", shown(p))));
            path.iter().for_each(|p| note(&format!("result: {}", shown(p))));
        }
    }
    let text = markdown::check(&report);
    if let Some((from, to)) = path.zip(copy) {
        copy_file(from, to)?;
    }
    write_files(args, folders, &report, (&text, &messages))?;
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        // Nobody asked for it: the verdict counts without it, too.
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from)
            && let Err(e) = append(&path, github::summary(&text))
        {
            note(&format!("note: the summary is not in {}: {e}", shown(&path)));
        }
        // Workflow commands are read from standard output; JSON readers get theirs undisturbed.
        if human {
            stopped::commands(&github::annotations(&report, &evidence.manifests));
        }
    }
    // Last: who reads that the check finished has all its files.
    if !human {
        messages.iter().for_each(out_message);
    }
    Ok(exit)
}

/// The files that are asked for. `text`: the report as markdown.
fn write_files(
    args: &VerdictArgs,
    folders: &Folders,
    report: &CheckReport,
    (text, messages): (&str, &[Message]),
) -> Result<()> {
    if let Some(path) = &args.json {
        let failed = json::failed(report.checked);
        let lines: String = failed.iter().chain(messages).map(|m| m.line() + "\n").collect();
        write_file(path, lines)?;
    }
    if let Some(path) = &args.markdown {
        write_file(path, text)?;
    }
    if let Some(path) = &args.junit {
        write_file(path, junit::check(report, args.strict))?;
    }
    if let Some(path) = &args.html {
        let details = details::of_check(folders, report.checked);
        write_file(path, html::check(report, &details)?)?;
    }
    Ok(())
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::File::options().create(true).append(true).open(path)?.write_all(text.as_bytes())
}
