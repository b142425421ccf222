//! Tests files that other versions of the tool wrote, and files of another kind.

use super::*;
use crate::acceptance::measured;
use crate::calibration::{self, tests::example};
use crate::record::{Record, RecordDevice, sample, wire};
use serde_json::json;
use std::collections::BTreeMap;

fn record() -> Record {
    let case = |ns: f64| crate::record::CaseRecord { processes: vec![sample::summary(ns)], ..sample::case() };
    Record {
        id: String::new(),
        created_s: 1_795_305_600,
        tool: "0.1.0".into(),
        source: None,
        device: RecordDevice { key: "cpu-x".into(), name: "x".into(), soft: BTreeMap::new() },
        supersedes: Vec::new(),
        acceptance: None,
        cases: BTreeMap::from([("p/a/v/latency".into(), case(1e6)), ("p/b/v/latency".into(), case(2e6))]),
        failed: BTreeMap::new(),
        part: None,
        experiment: false,
        unknown: Vec::new(),
        crlf: false,
    }
}

/// The record's text after `change`, with the id that belongs to it: as another version might have written it.
fn written(change: impl Fn(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(&wire::write(&mut record())).expect("JSON");
    change(&mut value);
    write(&RECORD, &value).0
}

#[test]
fn a_builder_option_that_is_not_known_is_named_and_the_record_is_read() {
    let text = written(|r| {
        for id in ["p/a/v/latency", "p/b/v/latency"] {
            let engine = &mut r["cases"][id]["engine"];
            engine["tensorrt"] = json!({ "refit": true, "quantum-tactics": 3 });
            engine["defragment"] = json!(true);
        }
    });
    let read = wire::read(&text).expect("a record with more than is known");
    assert_eq!(read.unknown, ["cases.engine.defragment", "cases.engine.tensorrt.quantum-tactics"]);
    assert_eq!(read.cases["p/a/v/latency"].engine.build.tensorrt.refit, Some(true));
    assert_eq!(read.cases["p/a/v/latency"].processes, record().cases["p/a/v/latency"].processes);
    let note = read.file_note().expect("something to say");
    assert!(note.contains("tensorrt.quantum-tactics (cargo-trt-perf 0.1.0 wrote it; update"), "{note}");
}

#[test]
fn fields_elsewhere_are_named_too_and_the_id_covers_them() {
    let text = written(|r| {
        r["weather"] = json!({ "rain": true });
        r["device"]["rack"] = json!("b7");
        r["cases"]["p/a/v/latency"]["processes"][0]["jitter_ns"] = json!(7);
    });
    let read = wire::read(&text).expect("a record with more than is known");
    assert_eq!(read.unknown, ["cases.processes.jitter_ns", "device.rack", "weather"]);
    let plain = wire::read(&wire::write(&mut record())).expect("readable");
    assert_eq!((plain.file_note(), plain.unknown.len()), (None, 0));
    assert_eq!(Record { id: plain.id.clone(), unknown: Vec::new(), ..read }, plain);
    let edited = wire::read(&text.replace("b7", "b8")).expect_err("edited");
    assert!(edited.message.contains("does not match its id"), "{edited}");
}

#[test]
fn what_an_intact_file_means_may_be_unknown_but_it_is_not_damaged() {
    let text = written(|r| r["cases"]["p/a/v/latency"]["scenario"] = json!("overnight"));
    let error = wire::read(&text).expect_err("no such scenario");
    assert!(error.message.starts_with("holds what this version of the tool cannot read (unknown variant"));
    assert_eq!(error.next, UPDATE);
    let error = wire::read(&text.replace("\"p/b", "\"p/c")).expect_err("edited as well");
    assert!(error.message.starts_with("is a damaged record"), "{error}");
}

#[test]
fn a_file_of_another_kind_is_called_by_its_name() {
    let calibration = calibration::wire::write(&mut example());
    let (record, check) = (wire::write(&mut record()), measured::write(&BTreeMap::new()));
    let said = |error: Failure| error.message;
    for (said, is) in [
        (
            said(wire::read(&calibration).unwrap_err()),
            "is not a record of cargo trt-perf: it is a calibration",
        ),
        (
            said(wire::read(&check).unwrap_err()),
            "is not a record of cargo trt-perf: it is a result of a check",
        ),
        (
            said(calibration::wire::read(&record).unwrap_err()),
            "is not a calibration of cargo trt-perf: it is a record",
        ),
        (
            said(measured::read(&record).unwrap_err()),
            "is not a result of a check of cargo trt-perf: it is a record",
        ),
        (
            said(wire::read("{\"schema\": \"trt-perf/message@1\"}").unwrap_err()),
            "is not a record of cargo trt-perf (it has no trt-perf/record schema)",
        ),
    ] {
        assert_eq!(said, is);
    }
}

#[test]
fn versions_are_read_from_the_first_to_our_own() {
    let text = wire::write(&mut record());
    let of = |version: &str| wire::read(&text.replace("record@1", version)).unwrap_err();
    assert!(of("record@2").message.starts_with("was written by a newer version of this tool (record@2;"));
    assert_eq!(of("record@2").next, UPDATE);
    for none in ["record@0", "record@", "record@x", "record"] {
        assert!(of(none).message.starts_with("is not a record"), "{none}");
    }
}

#[test]
fn a_result_of_a_check_from_before_there_were_ids_is_read() {
    let text = "{\"schema\": \"trt-perf/check@1\", \"cases\": {}}";
    assert_eq!(measured::read(text), Ok(BTreeMap::new()));
}

#[test]
fn what_is_too_large_is_not_stored() {
    assert_eq!(RECORD.ensure_storable(&"x".repeat(MAX_BYTES)), Ok(()));
    let error = RECORD.ensure_storable(&"x".repeat(MAX_BYTES + 1)).expect_err("too large");
    assert_eq!(error.message, "this record has 262145 bytes; the largest that may be stored has 262144");
}
