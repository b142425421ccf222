//! Shows a check in GitHub Actions: the job summary, and at most ten annotations. Pure.

use super::{CheckReport, how, reason, verdict};
use crate::compare::Verdict;
use crate::printable;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// GitHub drops a step's summary above 1 MiB.
const MAX_SUMMARY: usize = 1 << 20;
/// GitHub shows ten annotations per step and level.
const MAX_ANNOTATIONS: usize = 10;

/// The summary, cut at a line if it is too large.
pub fn summary(markdown: &str) -> &str {
    if markdown.len() < MAX_SUMMARY {
        return markdown;
    }
    let mut end = MAX_SUMMARY - 1;
    while !markdown.is_char_boundary(end) {
        end -= 1;
    }
    let cut = &markdown[..end];
    cut.rfind('\n').map_or(cut, |at| &cut[..=at])
}

/// Workflow commands, worst first, on the manifest that defines the case.
pub fn annotations(report: &CheckReport, manifests: &BTreeMap<String, PathBuf>) -> String {
    let mut found: Vec<(&str, &str, String)> = Vec::new();
    for row in report.checked.worst_first() {
        let c = &row.comparison;
        let level = match &c.verdict {
            Verdict::Regressed | Verdict::Invalid(_) if row.gates() => "error",
            _ if report.checked.fails_for_gap(row) => "error",
            Verdict::Regressed | Verdict::Inconclusive(_) | Verdict::NotComparable(_) => "warning",
            _ if row.gap().is_some() || !row.settings.is_empty() => "warning",
            _ => continue,
        };
        let reason = reason(row).unwrap_or_else(|| how(&row.origin));
        let settings: Vec<String> = row.settings.iter().map(ToString::to_string).collect();
        let settings = match settings.as_slice() {
            [] => String::new(),
            all => format!("; settings changed: {}", all.join(", ")),
        };
        found.push((level, &c.id, format!("{}: {reason}{settings}", verdict(row))));
    }
    found.extend(
        report
            .checked
            .failed
            .iter()
            .map(|(id, f)| ("error", id.as_str(), format!("{}: {}", f.kind.word(), f.message))),
    );
    found.sort_by_key(|(level, ..)| *level);
    found
        .iter()
        .take(MAX_ANNOTATIONS)
        .map(|(level, id, text)| annotation(level, id, text, manifests.get(*id)))
        .collect()
}

fn annotation(level: &str, id: &str, text: &str, manifest: Option<&PathBuf>) -> String {
    let file = manifest.map_or_else(String::new, |p| format!("file={},", property(&p.display().to_string())));
    format!("::{level} {file}title={}::{}\n", property(id), data(text))
}

/// Text that can be shown, with the escapes of workflow commands: nothing from outside may end the command or begin
/// another.
fn data(text: &str) -> String {
    printable::message(text).replace("##[", "##\\u{5b}").replace('%', "%25")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_cannot_be_injected() {
        let line = annotation("error", "a,b:c", "x\n::error::y", None);
        assert_eq!(line, "::error title=a%2Cb%3Ac::x\\n::error::y\n");
    }

    #[test]
    fn a_summary_is_cut_at_a_line() {
        let long = "zeile ä\n".repeat(MAX_SUMMARY / 8);
        let cut = summary(&long);
        assert!(cut.len() < MAX_SUMMARY && cut.ends_with('\n'));
        assert_eq!(summary("short"), "short");
    }
}
