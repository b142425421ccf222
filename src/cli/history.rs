//! The `history` verb: shows one case over all stored records.

use super::args::MessageFormat;
use super::exit::Exit;
use super::{note, out, out_message, project, width};
use crate::baseline::{self, stores};
use crate::compare::{Metric, case_metrics};
use crate::device::Device;
use crate::error::{Failure, FailureKind, Result, did_you_mean};
use crate::history::{self, Series};
use crate::message::Message;
use crate::record::Record;
use crate::report;
use crate::report::plot::{Glyphs, Size};
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;
use std::path::Path;

/// Where standard output is no terminal.
const WIDTH: usize = 100;
/// A plot as wide as a large screen is harder to read, not easier.
const MAX_WIDTH: usize = 160;
const HEIGHT: usize = 12;

/// How a case changed over the stored records, and where
///
/// Shows the records in baselines/ and target/trt-perf/results in commit order, and where a case changed for good.
/// Tells where to look; the verdict on two of the records is `compare`'s, and `bisect` finds the commit. Records of older
/// commits come from `backfill`.
#[derive(Args)]
pub struct HistoryArgs {
    /// The id of a case, or a part of it that no other id contains
    case: String,
    /// What to follow (default: mean for latency cases, throughput for throughput cases)
    #[arg(long, value_enum, value_name = "METRIC")]
    metric: Option<MetricArg>,
    /// Whose records (default: this machine's, or the only device there is)
    #[arg(long, value_name = "KEY")]
    device: Option<String>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MetricArg {
    Mean,
    P50,
    P99,
    /// Median compute time on the GPU
    Gpu,
    Throughput,
    /// Highest rate that keeps the budget
    Capacity,
}

impl MetricArg {
    fn metric(self) -> Metric {
        match self {
            Self::Mean => Metric::Mean,
            Self::P50 => Metric::Median,
            Self::P99 => Metric::Tail,
            Self::Gpu => Metric::Compute,
            Self::Throughput => Metric::Throughput,
            Self::Capacity => Metric::Capacity,
        }
    }
}

/// Runs the verb.
pub fn run(args: &HistoryArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let mut notes = Vec::new();
    let records = baseline::all(&stores(&project), &mut notes)?;
    // The embedded backend measures on the CPU, and asking for a GPU can take a second.
    let here = Device::with_gpus(Vec::new()).key;
    let (device, id) = choose(&records, args, &here)?;
    if args.device.is_none() && device != here {
        notes.push(format!("this machine ({here}) has no record of it; these are of {device}"));
    }
    let places = baseline::places(&project, &records, &mut notes);
    let metric = args.metric.map(MetricArg::metric);
    let mut series =
        history::series(&records, &device, &id, metric, &places).ok_or_else(|| no_case(&records, &id))?;
    series.found = baseline::found_changes(&project.folders.bisects(), &device, &id, &mut notes);
    show(&series, &notes, args.message_format);
    if series.points.is_empty() {
        return Err(no_point(&records, &id, series.metric));
    }
    Ok(Exit::Ok)
}

/// Why no record tells this number of the case.
fn no_point(records: &[Record], id: &str, metric: Metric) -> Failure {
    let has = |record: &Record| record.cases.get(id).is_some_and(|c| case_metrics(c).contains(&metric));
    let name = metric.name(None);
    let nothing = |why: String| Failure::new(FailureKind::Nothing, format!("no record of {id} {why}"));
    if records.iter().any(has) {
        nothing(format!("has enough requests for {name}"))
            .next("choose another --metric, or measure longer: cargo trt-perf run --measure 5s")
    } else {
        nothing(format!("has {name}, which is no number of this case's scenario and backend"))
            .next("choose another --metric")
    }
}

fn show(series: &Series, notes: &[String], format: MessageFormat) {
    match format {
        MessageFormat::Human => {
            notes.iter().for_each(|n| note(n));
            if !series.points.is_empty() {
                out(&report::history::text(series, size(), locale_glyphs(), width()));
            }
        }
        MessageFormat::Json => {
            notes.iter().for_each(|n| out_message(&Message::note(n)));
            out_message(&Message::History(report::history::message(series)));
        }
    }
}

/// The device and the case that are meant.
fn choose(records: &[Record], args: &HistoryArgs, here: &str) -> Result<(String, String)> {
    if records.is_empty() {
        return Err(Failure::new(FailureKind::Nothing, "there is no record yet")
            .next("measure with `cargo trt-perf run`; each run adds one"));
    }
    let keys: BTreeSet<&str> = records.iter().map(|r| r.device.key.as_str()).collect();
    if let Some(key) = &args.device {
        if !keys.contains(key.as_str()) {
            let near = did_you_mean(key, keys.iter().copied()).map(|k| format!("did you mean {k}? "));
            return Err(Failure::new(FailureKind::Nothing, format!("there is no record of a device {key}"))
                .next(format!("{}there are {}", near.unwrap_or_default(), listed(&keys))));
        }
        return Ok((key.clone(), one_case(&of_device(records, key), &args.case)?));
    }
    let own = of_device(records, here);
    if !history::matching_ids(&own, &args.case).is_empty() {
        return Ok((here.to_owned(), one_case(&own, &args.case)?));
    }
    let id = one_case(records, &args.case)?;
    let holding: BTreeSet<&str> =
        records.iter().filter(|r| r.cases.contains_key(&id)).map(|r| r.device.key.as_str()).collect();
    match holding.first() {
        Some(only) if holding.len() == 1 => Ok(((*only).to_owned(), id)),
        _ => Err(Failure::usage(format!(
            "{} devices have records of {id}, and this machine ({here}) is none of them",
            holding.len()
        ))
        .next(format!("say which with --device: {}", listed(&holding)))),
    }
}

fn of_device(records: &[Record], key: &str) -> Vec<Record> {
    records.iter().filter(|r| r.device.key == key).cloned().collect()
}

fn listed(keys: &BTreeSet<&str>) -> String {
    keys.iter().copied().collect::<Vec<_>>().join(", ")
}

fn one_case(records: &[Record], wanted: &str) -> Result<String> {
    let found = history::matching_ids(records, wanted);
    match found.first() {
        Some(id) if found.len() == 1 => Ok(id.clone()),
        Some(_) => {
            let ids: Vec<String> = found.into_iter().collect();
            Err(Failure::usage(format!("{} cases match `{wanted}`: {}", ids.len(), ids.join(", ")))
                .next("name one of them, or a part that only its id has"))
        }
        None => Err(no_case(records, wanted)),
    }
}

fn no_case(records: &[Record], wanted: &str) -> Failure {
    let ids: BTreeSet<&str> = records.iter().flat_map(|r| r.cases.keys()).map(String::as_str).collect();
    let words = ids.iter().copied().chain(ids.iter().flat_map(|id| id.split('/')));
    let near = did_you_mean(wanted, words).map(|n| format!("did you mean `{n}`? "));
    let failure = Failure::new(
        FailureKind::Nothing,
        format!(
            "no case of {} in {} matches `{wanted}`",
            ids.len(),
            crate::units::plural(records.len(), "record")
        ),
    );
    failure.next(format!(
        "{}see what a record holds with `cargo trt-perf baseline show`",
        near.unwrap_or_default()
    ))
}

/// How large a plot may be.
pub fn size() -> Size {
    let width = match width() {
        usize::MAX => WIDTH,
        known => known.min(MAX_WIDTH),
    };
    Size { width, height: HEIGHT }
}

/// What the locale can show: the first of LC_ALL, LC_CTYPE and LANG that is set decides, as in the C library.
pub fn locale_glyphs() -> Glyphs {
    glyphs(|name| std::env::var(name).ok())
}

fn glyphs(variable: impl Fn(&str) -> Option<String>) -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|n| variable(n)).find(|v| !v.is_empty());
    let utf8 = locale.is_some_and(|l| l.to_ascii_lowercase().replace('-', "").contains("utf8"));
    if utf8 { Glyphs::Braille } else { Glyphs::Ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_as_in_c() {
        let with = |vars: &[(&str, &str)]| {
            glyphs(|n| vars.iter().find(|(name, _)| *name == n).map(|(_, v)| (*v).to_owned()))
        };
        for (vars, expected) in [
            (&[("LANG", "en_US.UTF-8")][..], Glyphs::Braille),
            (&[("LANG", "C.utf8")], Glyphs::Braille),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], Glyphs::Ascii),
            (&[("LANG", "C"), ("LC_CTYPE", "de_DE.UTF-8"), ("LC_ALL", "")], Glyphs::Braille),
            (&[("LANG", "de_DE.ISO-8859-1")], Glyphs::Ascii),
            (&[], Glyphs::Ascii),
        ] {
            assert_eq!(with(vars), expected, "{vars:?}");
        }
    }
}
