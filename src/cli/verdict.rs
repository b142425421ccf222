//! Shows the verdict of a check, measured, joined or judged again: text or JSON, markdown, a page, and what GitHub shows.

use super::args::MessageFormat;
use super::exit::{Exit, ExitPolicy};
use super::files::Ending;
use super::{note, out, out_message, shown, stopped, width};
use crate::config::Folders;
use crate::error::Failure;
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
    /// What could not be kept.
    pub lost: &'a [Failure],
    /// Where a copy of that file goes, and what it holds.
    pub copy: Option<(&'a Path, &'a str)>,
    /// What is to be said first of all.
    pub remark: Option<&'a str>,
}

/// Shows it everywhere, and says how the command ends.
pub fn publish(args: &VerdictArgs, folders: &Folders, judged: &ShownVerdict) -> Exit {
    let ShownVerdict { evidence, checked, path, lost, copy, remark } = *judged;
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
    let human = args.message_format == MessageFormat::Human;
    if human {
        out(&terminal::check(&report, args.quiet, width()));
        if !args.quiet {
            checked.written.iter().for_each(|p| note(&format!("record: {}", shown(p))));
            path.iter().for_each(|p| note(&format!("result: {}", shown(p))));
        }
    }
    let mut ending = Ending::of(gate.exit(tally));
    lost.iter().for_each(|failure| ending.lose(failure));
    ending.write(copy.map(|(to, _)| to), || Ok(copy.map_or("", |(_, text)| text)));
    let text = markdown::check(&report);
    ending.write(args.markdown.as_deref(), || Ok(&text));
    ending.write(args.junit.as_deref(), || Ok(junit::check(&report, args.strict)));
    ending.write(args.html.as_deref(), || html::check(&report, &details::of_check(folders, checked)));
    let said: Vec<Message> = remark.map(Message::note).into_iter().chain(json::checked(checked)).collect();
    let finished =
        |exit: Exit| Message::CheckFinished(json::check_finished(&report, path, tally, exit.code()));
    let last = finished(ending.exit());
    let lines =
        || json::failed(checked).iter().chain(&said).chain([&last]).map(|m| m.line() + "\n").collect();
    ending.write(args.json.as_deref(), || Ok::<String, _>(lines()));
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        on_github(args, &report, evidence, &text);
    }
    // Last: who reads that the check finished has all its files, or was told.
    if !human {
        said.iter().chain([&finished(ending.exit())]).for_each(out_message);
    }
    ending.exit()
}

/// The job's summary, and the annotations. `text`: the report as markdown.
fn on_github(args: &VerdictArgs, report: &CheckReport, evidence: &Evidence, text: &str) {
    // Nobody asked for it: the verdict counts without it, too.
    let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
    if let Some(path) = summary.map(PathBuf::from)
        && let Err(e) = append(&path, github::summary(text))
    {
        note(&format!("note: the summary is not in {}: {e}", shown(&path)));
    }
    // Workflow commands are read from standard output; JSON readers get theirs undisturbed.
    if args.message_format == MessageFormat::Human {
        stopped::commands(&github::annotations(report, &evidence.manifests));
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::File::options().create(true).append(true).open(path)?.write_all(text.as_bytes())
}
