//! What a case that is gone is probably called now. Pure.

use super::FileHash;
use crate::case::Case;

/// The case of `new` that `gone` most likely became: the same scenario, and the same model or most of the name.
pub(super) fn successor<'a>(gone: &Case, new: &[&'a Case], contents: FileHash) -> Option<&'a Case> {
    let bytes = contents(&gone.model);
    let likeness = |case: &Case| {
        let segments = gone.id.split('/').zip(case.id.split('/')).take(3);
        let names = segments.filter(|(a, b)| a == b).count();
        let file = usize::from(gone.model.file_name() == case.model.file_name());
        let same_model = bytes.is_some() && bytes == contents(&case.model);
        names + file + usize::from(same_model)
    };
    let same_scenario = new.iter().copied().filter(|c| c.scenario == gone.scenario);
    let ranked = same_scenario.map(|case| (likeness(case), case)).filter(|(likeness, _)| *likeness >= 2);
    // Of equals the first, as it was configured.
    ranked.rev().max_by_key(|(likeness, _)| *likeness).map(|(_, case)| case)
}
