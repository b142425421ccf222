//! Runs the command that a project wants to be run in a source tree before its models are there.

use crate::config::{Prepare, Project};
use crate::error::{Failure, FailureKind, Result};
use crate::prepare::PrepareJob;
use crate::session::{Event, Events};
use crate::units::plain_time;
use crate::worker;
use crate::worker::protocol::Job;

/// Runs the configured `prepare` command, if there is one, in the tree of `arm`; its output goes to standard error.
pub(in crate::session) fn prepare(project: &Project, arm: &str, events: Events) -> Result<()> {
    let Some(Prepare { command, limit }) = project.prepare()? else { return Ok(()) };
    let shown = command.join(" ");
    events(Event::Note { text: &format!("preparing {arm}: {shown}") });
    let job = PrepareJob { command, folder: project.root.clone(), arm: arm.to_owned() };
    let ran = worker::run(&Job::Prepare(job), limit.duration(), &mut |_| {});
    ran.map(drop).map_err(|f| {
        let said = |what: &str| {
            Failure::new(f.kind, format!("the prepare command of {arm} ({shown}) {what}"))
                .next(format!("run it by hand in {}", project.root.display()))
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

/// How the commands of the arms differ, in words; `None` where they do not, or one cannot be read.
pub(super) fn difference(base: &Project, head: &Project) -> Option<String> {
    let command = |project: &Project| Some(project.prepare().ok()?.map(|p| p.command));
    let (base, head) = (command(base)?, command(head)?);
    let shown = |command: Option<Vec<String>>| command.map_or("none".into(), |c| c.join(" "));
    (base != head)
        .then(|| format!("the prepare command differs: base: {}, head: {}", shown(base), shown(head)))
}
