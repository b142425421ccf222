//! The `rejudge` verb: judges what a check measured by other margins.

use super::exit::Exit;
use super::verdict::{ShownVerdict, VerdictArgs, publish};
use super::{project, shown};
use crate::config::parse_override;
use crate::error::{Failure, Result};
use crate::evidence::{NewMargins, rejudge};
use crate::session::kept::{load, newest};
use crate::units::parse_percent;
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Judge again, by other margins, what a check measured
///
/// Nothing is measured and nothing is kept. How many pairs there are was decided by the margins of the check, and so was
/// what was measured a second time: a change that only the new margins see has no second set of pairs, and is called
/// inconclusive and not a regression. The exit code is that of a check.
#[derive(Args)]
pub struct RejudgeArgs {
    /// What `check --result` or `merge --result` wrote (default: the newest result of a check in this target folder)
    file: Option<PathBuf>,
    /// The smallest change of mean, median and throughput that counts, such as 2%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    margin: Option<f64>,
    /// The same of tails
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    tail_margin: Option<f64>,
    /// The same as in `check`, of margin and tail-margin; the value is TOML
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    #[command(flatten)]
    verdict: VerdictArgs,
}

fn percent(text: &str) -> Result<f64, String> {
    let frac = parse_percent(text)?;
    let ok = frac > 0.0 && frac < 1.0;
    if ok { Ok(frac) } else { Err("a margin is more than 0% and less than 100%".into()) }
}

/// Runs the verb.
pub fn run(args: &RejudgeArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let margins = margins(args)?;
    let (path, evidence) = match &args.file {
        Some(path) => (path.clone(), load(path)?),
        None => newest(&project.folders)?,
    };
    let (again, changed) = rejudge(&evidence, margins);
    let what = match changed.as_slice() {
        [] => "nothing is different".to_owned(),
        all => all.join("; "),
    };
    let remark = format!("judged again, without measuring, what is in {}: {what}", shown(&path));
    let checked = again.checked(again.records(), Vec::new());
    let judged = ShownVerdict {
        evidence: &again,
        checked: &checked,
        path: None,
        lost: &[],
        copy: None,
        remark: Some(&remark),
    };
    Ok(publish(&args.verdict, &project.folders, &judged))
}

/// The options win over `--config`, as everywhere.
fn margins(args: &RejudgeArgs) -> Result<NewMargins> {
    let mut found = NewMargins::default();
    for text in &args.config {
        let setting = parse_override(text).map_err(|e| Failure::usage(e).context("--config"))?;
        for (key, value) in &setting {
            let frac = || {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                percent(&text).map_err(|e| Failure::usage(e).context(format!("--config {key}")))
            };
            match key.as_str() {
                "margin" => found.value_frac = Some(frac()?),
                "tail-margin" => found.tail_frac = Some(frac()?),
                _ => return Err(not_judging(key, value)),
            }
        }
    }
    found.value_frac = args.margin.or(found.value_frac);
    found.tail_frac = args.tail_margin.or(found.tail_frac);
    Ok(found)
}

fn not_judging(key: &str, value: &Value) -> Failure {
    Failure::usage(format!("{key} = {value} says what is measured, not how it is judged"))
        .next("only margin and tail-margin judge; for anything else run `cargo trt-perf check` again")
}
