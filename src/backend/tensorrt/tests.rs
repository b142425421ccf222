//! The constants against the tables they were made from, words of the configuration against the constants, and calls
//! through tables as C++ would make them.

mod calls;
mod search;

use super::options::by_word;
use super::sys::abi::{EnumValue, Family, LibraryVersion, Release, Slot};
use super::sys::tables::{self, v_builder_config};
use crate::config::tensorrt as words;
use serde_json::Value;
use std::path::PathBuf;

/// The table of one family; `None`, with the reason printed, where the files are not there.
fn table(family: Family) -> Option<Value> {
    let shared = std::env::var_os("TRT_PERF_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let name = match family {
        Family::Trt10 => "trt10",
        Family::Trt11 => "trt11",
        Family::Rtx1 => "rtx1",
    };
    let path = shared.join("abi").join(format!("{name}.json"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!(
            "skipped: {} is not there; set TRT_PERF_SHARED to the folder that holds abi/",
            path.display()
        );
        return None;
    };
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn last(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

fn release(family: Family, major: u32, minor: u32) -> Release {
    Release { family, version: LibraryVersion { major, minor, patch: 0, build: 1 }, lean: false }
}

#[test]
fn every_slot_is_where_the_headers_have_it() {
    for (column, family) in Family::ALL.into_iter().enumerate() {
        let Some(table) = table(family) else { return };
        let interfaces = table["interfaces"].as_object().unwrap();
        let mut compared = 0;
        for row in tables::METHODS.iter().copied().flatten() {
            let slots =
                interfaces.iter().find(|(name, _)| last(name) == row.interface).map(|(_, i)| &i["slots"]);
            let slots = slots.and_then(Value::as_array).cloned().unwrap_or_default();
            assert_eq!(slots.len(), row.counts[column], "{family:?} {}", row.interface);
            let named: Vec<&Value> = slots.iter().filter(|s| s["name"] == row.name).collect();
            let Some(Slot { index, since }) = row.slots[column] else {
                // A function that another family has with another signature is there under another constant.
                let other = tables::METHODS.iter().copied().flatten();
                let other = other.filter(|o| (o.interface, o.name) == (row.interface, row.name));
                assert_eq!(
                    named.len(),
                    other.filter(|o| o.slots[column].is_some()).count(),
                    "{family:?} {}",
                    row.name
                );
                continue;
            };
            let slot = &slots[index];
            assert_eq!((&slot["name"], &slot["slot"]), (&row.name.into(), &index.into()), "{family:?}");
            let written =
                if since == (0, 0) { Value::Null } else { format!("{}.{}", since.0, since.1).into() };
            let read = slot
                .get("since")
                .and_then(Value::as_str)
                .map(|s| s.splitn(3, '.').take(2).collect::<Vec<_>>().join("."));
            // The header of the parser was read from 10.14 on; what is used of it is as old as 10.0.
            if !(family == Family::Trt10 && row.interface.starts_with("IParser")) {
                assert_eq!(read.map_or(Value::Null, Value::from), written, "{family:?} {}", row.name);
            }
            compared += 1;
        }
        assert!(compared > 100, "{compared}");
    }
}

#[test]
fn every_value_is_that_of_the_headers() {
    for family in Family::ALL {
        let Some(table) = table(family) else { return };
        for value in tables::ENUMS.iter().copied().flatten() {
            let parser = tables::parser_error_code::ALL.contains(value);
            let kinds = table["enums"].as_object().unwrap().iter();
            let kind = kinds
                .filter(|(name, _)| last(name) == value.kind && name.starts_with("nvonnxparser::E") == parser)
                .map(|(_, values)| values)
                .next();
            let read = kind.and_then(|k| k.get(value.name)).and_then(Value::as_i64);
            assert_eq!(read, value.of(family).map(i64::from), "{family:?} {}::{}", value.kind, value.name);
        }
    }
}

#[test]
fn severities_that_the_logger_keeps_are_the_same_everywhere() {
    use tables::severity::{ERROR, INTERNAL_ERROR, WARNING};
    for family in Family::ALL {
        assert_eq!([INTERNAL_ERROR, ERROR, WARNING].map(|s| s.of(family)), [Some(0), Some(1), Some(2)]);
    }
}

#[test]
fn every_word_of_the_configuration_is_a_value_of_some_family() {
    let all: [(&[&str], &[EnumValue]); 6] = [
        (words::VERBOSITIES, tables::profiling_verbosity::ALL),
        (words::HARDWARE_LEVELS, tables::hardware_compatibility_level::ALL),
        (words::PRECISIONS, tables::builder_flag::ALL),
        (words::TACTIC_SOURCES, tables::tactic_source::ALL),
        (words::PREVIEW_FEATURES, tables::preview_feature::ALL),
        (words::FLAGS, tables::builder_flag::ALL),
    ];
    for (words, values) in all {
        for word in words {
            assert!(by_word(values, word).is_some(), "{word}");
        }
    }
    let sm = |word| by_word(tables::compute_capability::ALL, word).and_then(|v| v.of(Family::Rtx1));
    assert_eq!((sm("sm86"), sm("current"), sm("sm90")), (Some(86), Some(1), None));
}

#[test]
fn a_function_newer_than_the_library_is_refused_and_the_version_named() {
    let refused = |release: Release| {
        let f = v_builder_config::SET_MAX_NB_TACTICS.slot(&release).unwrap_err();
        f.to_string()
    };
    let text = refused(release(Family::Trt10, 10, 3));
    assert!(text.contains("TensorRT 10.3.0.1 has no BuilderConfig::setMaxNbTactics"), "{text}");
    assert!(text.contains("it needs TensorRT 10.4 or later"), "{text}");
    assert_eq!(v_builder_config::SET_MAX_NB_TACTICS.slot(&release(Family::Trt10, 10, 4)), Ok(60));
    assert_eq!(v_builder_config::SET_MAX_NB_TACTICS.slot(&release(Family::Rtx1, 1, 5)), Ok(49));
    let elsewhere =
        v_builder_config::SET_COMPUTE_CAPABILITY.slot(&release(Family::Trt11, 11, 4)).unwrap_err();
    assert!(elsewhere.message.contains("it needs TensorRT-RTX 1.5"), "{elsewhere}");
}
