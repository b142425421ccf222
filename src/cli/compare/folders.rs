//! Compares two folders of measurements by any other program, with one `.npy` file per process.

use super::CompareArgs;
use crate::case::Margins;
use crate::cli::exit::{Exit, ExitPolicy};
use crate::cli::files::Ending;
use crate::cli::{note, out, out_message, width};
use crate::compare::many::correct;
use crate::compare::samples::compare_samples;
use crate::compare::{ASSUMED_SESSION_SD, Design, Sessions};
use crate::error::{Failure, FailureKind, Result};
use crate::message::Message;
use crate::outcome::Tally;
use crate::printable::line;
use crate::report::{json, junit, markdown, terminal};
use crate::stats::decide::{MIN_TAIL_UNITS, MIN_UNITS};
use crate::stats::judge::MIN_UNPAIRED_UNITS;
use crate::stats::{Description, SessionSpread};
use crate::summarize::{Steady, describe_steady};
use crate::tensor::read_samples;
use crate::units::plural;
use crate::units::{count, share};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// Error rate of the only look at these data.
const ALPHA: f64 = 0.05;

/// One side: its processes in the order of their file names.
struct SampleFolder {
    name: String,
    files: Vec<String>,
    processes: Vec<Steady>,
}

/// The two folders, if both arguments are one.
pub fn folders(args: &CompareArgs) -> Result<Option<(PathBuf, PathBuf)>> {
    let (base, head) = (Path::new(&args.base), Path::new(&args.head));
    match (base.is_dir(), head.is_dir()) {
        (true, true) => return Ok(Some((base.to_owned(), head.to_owned()))),
        (false, false) => {}
        // A folder may have the name of a revision; with samples in it, it is meant.
        (base_is, _) => {
            let (folder, other) = if base_is { (base, head) } else { (head, base) };
            if !sample_files(folder)?.is_empty() {
                return Err(Failure::usage(format!(
                    "{} is a folder of samples, and {} is no folder",
                    folder.display(),
                    other.display()
                ))
                .next("compare two folders, or two records"));
            }
        }
    }
    if args.paired || args.same_session {
        return Err(Failure::usage(format!(
            "--paired and --same-session say how two folders of .npy files were measured; {} and {} are not both folders",
            args.base, args.head
        ))
        .next("leave the option out: records know how they were measured"));
    }
    Ok(None)
}

/// Compares the two folders.
pub fn run(args: &CompareArgs, base: &Path, head: &Path) -> Result<Exit> {
    let (base, head) = (SampleFolder::read(base)?, SampleFolder::read(head)?);
    if args.paired && base.files.len() != head.files.len() {
        return Err(Failure::usage(format!(
            "--paired needs as many files on both sides: {} holds {}, {} holds {}",
            base.name,
            base.files.len(),
            head.name,
            head.files.len()
        ))
        .next("take out the files without a partner, or leave --paired out"));
    }
    let same = |_| Sessions::Known(SessionSpread::NONE);
    let given = args.assume_session_sd.map(Sessions::given);
    let other = |_| given.unwrap_or(Sessions::Assumed);
    let (design, said) = if args.paired {
        (
            Design::Pairs { alpha: ALPHA, first: &[], prior: &|_| None },
            "pairs: file i of both sides ran back to back".to_owned(),
        )
    } else if args.same_session {
        (Design::Stored(&same), "one session, not paired".to_owned())
    } else {
        let sd = share(args.assume_session_sd.unwrap_or(ASSUMED_SESSION_SD));
        let said = format!(
            "two sessions, assumed to differ by {sd} (sd) where nothing changed; --same-session or --paired if they ran in one"
        );
        (Design::Stored(&other), said)
    };
    let id = format!("{} → {}", base.name, head.name);
    let mut c = compare_samples(&id, &base.descriptions(), &head.descriptions(), Margins::default(), &design);
    correct(&mut [&mut c]).map_err(|e| Failure::new(FailureKind::Format, e.to_string()))?;
    let notes = notes(&base, &head, args.paired);
    if args.message_format == super::MessageFormat::Human {
        out(&format!("base: {}\nhead: {}\njudged as {said}\n\n", line(&base.label()), line(&head.label())));
        out(&format!("{}\n{}", terminal::comparison_block(&c), terminal::comparison_table([&c], width())));
        notes.iter().for_each(|n| note(n));
    } else {
        for text in std::iter::once(&format!("judged as {said}")).chain(&notes) {
            out_message(&Message::note(text));
        }
        out_message(&Message::Comparison(json::compared_case(&c, None)));
    }
    let gate = ExitPolicy { fail_on_regression: args.fail_on_regression, strict: args.strict };
    let mut ending = Ending::of(gate.exit(Tally::of_comparisons([&c])));
    let (base, head) = (base.label(), head.label());
    ending.write(args.markdown.as_deref(), || Ok(markdown::comparisons(&base, &head, [&c])));
    ending.write(args.junit.as_deref(), || Ok(junit::comparisons([&base, &head, ""], [&c], args.strict)));
    Ok(ending.exit())
}

impl SampleFolder {
    fn read(folder: &Path) -> Result<Self> {
        let paths = sample_files(folder)?;
        if paths.is_empty() {
            return Err(Failure::usage(format!("the folder {} holds no .npy file", folder.display())).next(
                "put one file per process there: one-dimensional u64 nanoseconds in time order, as numpy.save() writes them; \
                 if a revision of that name is meant, write refs/heads/NAME",
            ));
        }
        let process = |path: &PathBuf| {
            let samples = read_samples(path)?;
            // Another program's warm-up is not known.
            describe_steady(&samples, false).map_err(|f| {
                Failure::new(FailureKind::Format, format!("{}: {}", path.display(), f.message))
                    .next("a file holds the latencies of one process, two at least")
            })
        };
        Ok(Self {
            name: folder.display().to_string(),
            processes: paths.iter().map(process).collect::<Result<_>>()?,
            files: paths.iter().map(|p| file_name(p)).collect(),
        })
    }

    fn descriptions(&self) -> Vec<Description> {
        self.processes.iter().map(|p| p.description.clone()).collect()
    }

    fn label(&self) -> String {
        let kept: u64 = self.processes.iter().map(|p| p.description.n).sum();
        let dropped: u64 = self.processes.iter().map(|p| p.dropped).sum();
        format!(
            "{} ({}, {} latencies, {} dropped as warm-up)",
            self.name,
            plural(self.files.len(), "process"),
            count(kept),
            count(dropped)
        )
    }
}

/// What a reader should know beside the verdict.
fn notes(base: &SampleFolder, head: &SampleFolder, paired: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let least = base.files.len().min(head.files.len());
    let needed = if paired { MIN_UNITS } else { MIN_UNPAIRED_UNITS };
    if least < needed {
        notes.push(format!(
            "{} a side tell how far apart these are, and not whether it would happen again: a verdict needs {needed} (p99: {MIN_TAIL_UNITS})",
            plural(least, "process")
        ));
    }
    let other = base.files.iter().zip(&head.files).find(|(b, h)| b != h);
    if let Some((b, h)) = other.filter(|_| paired) {
        notes.push(format!("pairs are made in the order of file names, which differ: {b} with {h}"));
    }
    for arm in [base, head] {
        let drifting = arm.processes.iter().filter(|p| p.non_stationary).count();
        if drifting > 0 {
            notes.push(format!(
                "warning: in {drifting} of {} processes of {} latency drifted while measuring",
                arm.files.len(),
                arm.name
            ));
        }
    }
    notes
}

/// The `.npy` files of a folder in natural order; hidden ones are not meant.
fn sample_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| Failure::io("read the folder", folder, &e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_npy = path.extension().is_some_and(|e| e == "npy");
        if is_npy && !file_name(&path).starts_with('.') && path.is_file() {
            files.push(path);
        }
    }
    files.sort_by(|a, b| natural(&file_name(a), &file_name(b)));
    Ok(files)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// As people count: `run2` before `run10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a, b);
    while let (Some(p), Some(q)) = (x.chars().next(), y.chars().next()) {
        let order = if p.is_ascii_digit() && q.is_ascii_digit() {
            let (m, n) = (number(&mut x), number(&mut y));
            m.len().cmp(&n.len()).then_with(|| m.cmp(n))
        } else {
            (x, y) = (&x[p.len_utf8()..], &y[q.len_utf8()..]);
            p.cmp(&q)
        };
        if order.is_ne() {
            return order;
        }
    }
    x.len().cmp(&y.len()).then_with(|| a.cmp(b))
}

/// Takes the digits off the front of `text`; without leading zeros, so that a longer number is a larger one.
fn number<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_as_people_count() {
        let mut names =
            ["run10.npy", "run9.npy", "b", "run1.npy", "run010.npy", "a2b10", "a2b9", "", "ü1", "run"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["", "a2b9", "a2b10", "b", "run", "run1.npy", "run9.npy", "run010.npy", "run10.npy", "ü1"]
        );
        let long = "9".repeat(50);
        assert_eq!(natural(&long, &format!("1{long}")), Ordering::Less);
        assert_eq!(natural("1", "1"), Ordering::Equal);
    }
}
