//! What differs between two engines of a case, in words: what made a change possible, and not what made it.

use crate::config::{BackendKind, BuildOptions};
use crate::record::EngineRecord;

/// What differs between two engines of a case, in words.
pub fn engine_changes(base: &EngineRecord, head: &EngineRecord) -> Vec<String> {
    let mut changes = Vec::new();
    // Each build of a program has a mark of its own, as nobody knows what it is made from.
    let program = |e: &EngineRecord| BackendKind::of_word(&e.backend).is_some_and(BackendKind::is_command);
    let known = !(program(base) && program(head));
    if known && base.model_sha256 != head.model_sha256 {
        changes.push("the model".to_owned());
    }
    if base.library != head.library {
        changes.push(format!("library {} → {}", base.library, head.library));
    }
    let options = |e: &EngineRecord| BuildOptions { debug_extra_work_frac: None, ..e.build.clone() };
    if options(base) != options(head) {
        changes.push("build options".to_owned());
    }
    if base.build.debug_extra_work_frac != head.build.debug_extra_work_frac {
        changes.push("debug-extra-work (not a real result)".to_owned());
    }
    if base.threads != head.threads {
        changes.push(format!("threads {} → {}", base.threads, head.threads));
    }
    if known && changes.is_empty() && base.inputs_hash != head.inputs_hash {
        changes.push("the engine's inputs".to_owned());
    }
    changes.extend(tactics_change(base, head));
    changes
}

/// Builds of one model differ in their bytes even where they chose the same: what counts is what runs. `None` where one
/// of the engines does not tell, or there is nothing to say.
fn tactics_change(base: &EngineRecord, head: &EngineRecord) -> Option<String> {
    let (b, h) = (base.tactics_sha256.as_ref()?, head.tactics_sha256.as_ref()?);
    let known = !base.payload_sha256.is_empty() && !head.payload_sha256.is_empty();
    match (b == h, base.payload_sha256 == head.payload_sha256) {
        (_, true) if known => None,
        (false, _) => Some("the engine's tactics".to_owned()),
        (true, false) if known => Some("the engine's bytes, and none of its tactics".to_owned()),
        (true, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample::case;

    #[test]
    fn engines_whose_bytes_differ_may_run_the_same_tactics() {
        let engine = |payload: &str, tactics: Option<&str>| EngineRecord {
            payload_sha256: payload.into(),
            tactics_sha256: tactics.map(str::to_owned),
            ..case().engine
        };
        let (same, other) = ("the engine's bytes, and none of its tactics", "the engine's tactics");
        for (base, head, expected) in [
            (engine("a", Some("t")), engine("b", Some("t")), Some(same)),
            (engine("a", Some("t")), engine("b", Some("u")), Some(other)),
            (engine("", Some("t")), engine("", Some("u")), Some(other)),
            (engine("", Some("t")), engine("", Some("t")), None),
            (engine("a", Some("t")), engine("a", Some("t")), None),
            (engine("a", Some("t")), engine("b", None), None),
        ] {
            assert_eq!(engine_changes(&base, &head), Vec::from_iter(expected.map(str::to_owned)));
        }
    }

    #[test]
    fn of_programs_only_what_is_known_of_them_is_told() {
        let engine = |backend: &str, model: &str| EngineRecord {
            backend: backend.into(),
            model_sha256: model.into(),
            inputs_hash: model.into(),
            ..case().engine
        };
        assert_eq!(engine_changes(&engine("cpu", "a"), &engine("cpu", "b")), ["the model"]);
        assert_eq!(engine_changes(&engine("command", "a"), &engine("command", "b")), [""; 0]);
        assert_eq!(engine_changes(&engine("gpu-command", "a"), &engine("gpu-command", "b")), [""; 0]);
        let wider = EngineRecord { threads: 9, ..engine("command", "b") };
        assert_eq!(engine_changes(&engine("command", "a"), &wider).len(), 1);
    }
}
