//! Appends a table to a package's Cargo.toml, whole or not at all, and leaves every other byte as it was.

use crate::error::{Failure, FailureKind, Result};
use std::fs;
use std::path::Path;

/// That the manifest is one of a package, and that there is no configuration in it yet.
pub(super) fn check(manifest: &Path, text: &str) -> Result<()> {
    let table = parse(text).map_err(|e| {
        let line = e.span().map_or(0, |at| text.bytes().take(at.start).filter(|b| *b == b'\n').count()) + 1;
        let what = format!("{}, line {line}: not a valid manifest: {}", manifest.display(), e.message());
        Failure::new(FailureKind::Format, what)
            .next("correct it until `cargo metadata` accepts it, then run again")
    })?;
    if configuration(&table).is_some() {
        return Err(Failure::usage(format!(
            "{} has a [package.metadata.trt-perf] already; nothing was changed",
            manifest.display()
        ))
        .next("edit that table, or remove it and run again to have it written anew"));
    }
    if table.contains_key("package") {
        return Ok(());
    }
    let failure = Failure::usage(format!("{} has no [package] to configure", manifest.display()));
    let members = member_manifests(manifest.parent().unwrap_or(Path::new("")), &table);
    Err(if members.is_empty() {
        failure.next("run it with the Cargo.toml of the package that has the models")
    } else {
        failure.next(format!("run it for the package that has the models, one of: {}", members.join(", ")))
    })
}

pub(super) fn parse(text: &str) -> Result<toml::Table, toml::de::Error> {
    text.parse()
}

pub(super) fn configuration(table: &toml::Table) -> Option<&toml::Value> {
    table.get("package")?.get("metadata")?.get("trt-perf")
}

/// The manifests of a workspace's members; of patterns, those that end in `/*`, which are nearly all there are.
fn member_manifests(folder: &Path, table: &toml::Table) -> Vec<String> {
    let members = table.get("workspace").and_then(|w| w.get("members")).and_then(|m| m.as_array());
    let mut found = Vec::new();
    for member in members.into_iter().flatten().filter_map(|member| member.as_str()) {
        match member.strip_suffix("/*").or((member == "*").then_some(".")) {
            None => found.push(Path::new(member).join("Cargo.toml")),
            Some(parent) => {
                let entries = fs::read_dir(folder.join(parent)).into_iter().flatten().flatten();
                let manifests =
                    entries.map(|entry| Path::new(parent).join(entry.file_name()).join("Cargo.toml"));
                found.extend(manifests.filter(|path| folder.join(path).is_file()));
            }
        }
    }
    found.sort();
    found.iter().map(|path| path.strip_prefix(".").unwrap_or(path).display().to_string()).collect()
}

/// The manifest with the section at its end, in the manifest's own line ends.
pub(super) fn append(text: &str, section: &str) -> String {
    let newline = line_end(text.as_bytes());
    let gap = match text {
        "" => "",
        _ if text.ends_with('\n') => newline,
        _ => &newline.repeat(2),
    };
    format!("{text}{gap}{}", section.replace('\n', newline))
}

/// The line end in use: the last one, because that is the neighbour of what is appended.
pub(super) fn line_end(text: &[u8]) -> &'static str {
    let last = text.iter().rposition(|b| *b == b'\n');
    if last.is_some_and(|at| at > 0 && text[at - 1] == b'\r') { "\r\n" } else { "\n" }
}

pub(super) fn check_appended(manifest: &Path, longer: &str) -> Result<()> {
    let why = match parse(longer) {
        Ok(table) if configuration(&table).is_some() => return Ok(()),
        Ok(_) => "it would not be read as part of the package".to_owned(),
        Err(e) => e.message().to_owned(),
    };
    let what = format!("cannot append [package.metadata.trt-perf] to {}: {why}", manifest.display());
    Err(Failure::new(FailureKind::Format, what).next(
        "write `metadata = { … }` of the package as a table of its own, [package.metadata], then run again",
    ))
}
