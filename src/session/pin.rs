//! Applies pinned points: a case that sets no operating point is measured where a stored grid found it best.

use super::history::History;
use super::{Event, Events};
use crate::case::Case;
use crate::config::Scenario;
use crate::discover::{Cell, Discovery};
use crate::record::CaseRecord;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How many stored records are opened in search of a pin. A record measured at a pinned point keeps its discovery, so
/// that where there is a pin it is near.
const MAX_OPENED: usize = 200;

/// A point that a stored record pins.
#[derive(Clone, Debug)]
pub struct Pin {
    /// The cell that won.
    pub cell: Cell,
    /// How it was found.
    pub discovery: Discovery,
    /// The record that it is from.
    pub path: PathBuf,
    /// It was found under the budget that the case has now.
    pub same_budget: bool,
}

impl Pin {
    /// `baselines/<device>/<file>`, wherever the base of a check was extracted.
    pub fn place(&self) -> String {
        let mut last: Vec<_> = self.path.iter().rev().take(3).collect();
        last.reverse();
        last.iter().collect::<PathBuf>().display().to_string()
    }
}

impl History {
    /// The newest stored point of the case that a grid chose; whatever the case's settings say. A grid is measured in
    /// closed loops: the capacity of a model is looked for at the point of its throughput.
    pub(super) fn pin(&self, case: &Case) -> Option<Pin> {
        let (of_model, _) = case.id.rsplit_once('/')?;
        let id = format!("{of_model}/{}", Scenario::Throughput.word());
        let of_case = |record: &CaseRecord, path: &Path| {
            let same_backend = record.engine.backend == case.target.kind.word();
            let discovery = record.discovery.clone().filter(|_| same_backend)?;
            let same_budget = record.budget == case.budget;
            Some(Pin { cell: record.cell(), discovery, path: path.to_owned(), same_budget })
        };
        let mut stored = self.candidates.iter().take(MAX_OPENED);
        stored.find_map(|c| of_case(c.record.cases.get(&id)?, c.path))
    }
}

/// By case id: how the point was chosen that the case is measured at.
pub(super) type Pins = BTreeMap<String, Discovery>;

/// `cases` at their pinned points. Says where each point comes from.
pub(super) fn pinned(cases: &[Case], history: &History, events: Events) -> (Vec<Case>, Pins) {
    let mut pins = Pins::new();
    let mut cases = cases.to_vec();
    for case in cases.iter_mut().filter(|c| may_be_pinned(c)) {
        let Some(pin) = history.pin(case) else { continue };
        (case.point, case.threads) = (pin.cell.point, pin.cell.threads);
        let older = if pin.same_budget { "" } else { " under another budget; discover again" };
        let text = format!("point of {}: {} (pinned by {}{older})", case.id, pin.cell.words(), pin.place());
        events(Event::Note { text: &text });
        pins.insert(case.id.clone(), pin.discovery);
    }
    (cases, pins)
}

/// An engine file was built for its threads, and what is configured wins.
fn may_be_pinned(case: &Case) -> bool {
    case.scenario != Scenario::Latency && !case.point_asked && case.engine.is_none()
}
