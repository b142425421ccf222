//! Tests layers and overrides, and what each mistake is called.

use super::super::table::{Place, Problems};
use super::*;
use serde_json::json;

fn read(value: Value) -> (SettingsLayer, Result<(), crate::error::Failure>) {
    let mut problems = Problems::default();
    let Value::Object(map) = value else { panic!("tests pass tables") };
    let mut table = Table::new(map, Place::command_line(), &mut problems);
    let layer = SettingsLayer::read(&mut table);
    table.finish();
    (layer, problems.check())
}

#[test]
fn later_layers_win_key_by_key() {
    let (below, _) = read(json!({"processes": 3, "build": {"optimize": false}}));
    let (above, _) = read(json!({"processes": 7, "max-latency": "5ms"}));
    let s = above.over(&below).resolve();
    assert_eq!((s.processes, s.build.optimize, s.build.prepack_weights), (7, false, true));
    assert_eq!(s.max_latency, Some(Nanos(5_000_000)));
}

#[test]
fn each_mistake_is_named() {
    for (value, says) in [
        (json!({"max-latncy": "5ms"}), "did you mean `max-latency`"),
        (json!({"max-latency": "0ms"}), "must be above zero"),
        (json!({"max-latency": 5}), "`5` has no unit"),
        (json!({"max-memory": "0MiB"}), "a size above zero"),
        (json!({"max-memory": "2 pounds"}), "is not a size"),
        (json!({"max-latency": "-1ms"}), "out of range"),
        (json!({"percentile": 101}), "from 50 to below 100"),
        (json!({"processes": 0}), "at least 1"),
        (json!({"processes": 10_001}), "10000 is the most"),
        (json!({"streams": 5000}), "4096 is the most"),
        (json!({"builds": 2}), "use 1, or 3 and more"),
        (json!({"scenarios": ["latncy"]}), "did you mean `latency`"),
        (json!({"scenarios": []}), "empty list"),
        (json!({"arrivals": "poison"}), "did you mean `poisson`"),
        (json!({"budgets": ["0s"]}), "above zero"),
        (json!({"batch-delay": "-1ms"}), "out of range"),
        (json!({"backend": "tpu"}), "auto, cpu, tensorrt, cuda, trtexec, command or gpu-command"),
        (json!({"build": {"optimise": true}}), "did you mean `optimize`"),
        (json!({"build": 1}), "a table is meant"),
    ] {
        let text = read(value.clone()).1.unwrap_err().to_string();
        assert!(text.contains(says), "{value}: {text}");
    }
}

#[test]
fn overrides_are_toml_or_bare_words() {
    assert_eq!(parse_override("processes=10"), Ok(json!({"processes": 10}).as_object().cloned().unwrap()));
    assert_eq!(parse_override("measure=2s"), Ok(json!({"measure": "2s"}).as_object().cloned().unwrap()));
    assert_eq!(parse_override("batches=[1,8]"), Ok(json!({"batches": [1, 8]}).as_object().cloned().unwrap()));
    assert_eq!(
        parse_override("build.optimize=false"),
        Ok(json!({"build": {"optimize": false}}).as_object().cloned().unwrap())
    );
    assert!(parse_override("processes").is_err());
    assert!(parse_override("=3").is_err());
    assert!(parse_override("#processes=3").is_err());
}

#[test]
fn what_init_shows_is_read_and_is_the_default_or_an_example() {
    let text: String = SETTINGS.iter().map(|s| format!("{} = {}\n", s.key, s.shown)).collect();
    let shown: toml::Table = text.parse().unwrap();
    let (layer, problems) = read(serde_json::to_value(shown).unwrap());
    problems.unwrap();
    let (shown, built_in) = (layer.resolve(), SettingsLayer::default().resolve());
    let examples = Settings {
        tensorrt: shown.tensorrt.clone(),
        batches: shown.batches.clone(),
        streams: shown.streams,
        in_flight: shown.in_flight,
        max_latency: shown.max_latency,
        max_memory: shown.max_memory,
        budgets: shown.budgets.clone(),
        batch_delay: shown.batch_delay,
        measure: shown.measure,
        outputs: shown.outputs,
        point_asked: true,
        meaningless: Vec::new(),
        ..built_in
    };
    assert_eq!(shown, examples);
}

#[test]
fn keys_and_options_are_there_once() {
    let all = |of: &dyn Fn(&super::super::Setting) -> Option<&'static str>| {
        let mut all: Vec<_> = SETTINGS.iter().filter_map(of).collect();
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), n, "{all:?}");
    };
    all(&|s| Some(s.key));
    all(&|s| s.flag.as_ref().map(|f| f.name));
}
