//! Runs the command that a project wants to be run in a source tree before its models are there.

use crate::config::{Prepare, Project};
use crate::error::{Failure, FailureKind, Result};
use crate::prepare::PrepareJob;
use crate::session::{Event, Events};
use crate::units::plain_time;
use crate::worker;
use crate::worker::protocol::Job;

/// What is checked out; other arms are written into a folder that is gone when the session is.
const WORK_TREE: &str = "head";

/// Runs the configured `prepare` command, if there is one, in the tree of `arm`; its output goes to standard error.
pub(in crate::session) fn prepare(project: &Project, arm: &str, events: Events) -> Result<()> {
    let Some(Prepare { command, folder, limit }) = project.prepare()? else { return Ok(()) };
    let shown = command.join(" ");
    events(Event::Note { text: &format!("preparing {arm}: {shown}") });
    let job = PrepareJob { command, folder: folder.clone(), arm: arm.to_owned() };
    let ran = worker::run(&Job::Prepare(job), limit.duration(), &mut |_| {});
    ran.map(drop).map_err(|f| {
        let (tree, next) = match arm {
            WORK_TREE => ("", format!("run it by hand in {}", folder.display())),
            _ => (
                ", in a tree of only what git holds",
                format!("run it by hand in a fresh clone: {ONLY_COMMITTED}"),
            ),
        };
        let said = |what: &str| {
            Failure::new(f.kind, format!("the prepare command of {arm} ({shown}) {what}{tree}")).next(&next)
        };
        match f.kind {
            FailureKind::Interrupted => f,
            FailureKind::TimedOut => {
                let time = plain_time(limit.duration().as_nanos() as f64);
                said(&format!("did not finish within {time}"))
                    .next("give it more with prepare-time-limit = \"30min\", or run it by hand")
            }
            _ => said(&f.message),
        }
    })
}

/// Why a command that works in the checkout may fail in a commit's own tree.
const ONLY_COMMITTED: &str = "what git does not hold (a .venv, ignored files) is not there, so name programs absolutely or by the PATH";

/// How the commands of the arms differ, in words; `None` where they do not, or one cannot be read.
pub(super) fn difference(base: &Project, head: &Project) -> Option<String> {
    let command = |project: &Project| Some(project.prepare().ok()?.map(|p| p.command));
    let (base, head) = (command(base)?, command(head)?);
    let shown = |command: Option<Vec<String>>| command.map_or("none".into(), |c| c.join(" "));
    (base != head)
        .then(|| format!("the prepare command differs: base: {}, head: {}", shown(base), shown(head)))
}
