//! Pairs the cases of two arms, so that the base's definitions judge both. Pure.
//!
//! What is asked (scenario, shapes, operating point, budget, inputs, seed) and how it is judged (margins, effort, expected
//! outputs) is the base's for both arms. What answers (model, backend, build options, threads) stays each arm's own.
//! Where head says otherwise is said, case by case.

mod changed;
mod likely;

pub use changed::Changed;

use crate::case::Case;
use crate::compare::NotComparable;
use changed::{definition_changes, setting_changes};
use std::path::Path;

/// A hash of what a file holds; `None` where it cannot be read.
pub type FileHash<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// What becomes of one case.
#[derive(Clone, Debug)]
pub enum Pairing {
    /// Both arms have it.
    Both(Box<Both>),
    /// Only the base has it. `likely`: the case of head that it may have become.
    Removed {
        /// The base's case.
        base: Box<Case>,
        /// An id of head.
        likely: Option<String>,
    },
    /// Only head has it.
    New(Box<Case>),
}

impl Pairing {
    /// The id of the case.
    pub fn id(&self) -> &str {
        match self {
            Self::Both(both) => &both.head.id,
            Self::Removed { base, .. } => &base.id,
            Self::New(case) => &case.id,
        }
    }
}

/// A case that both arms have.
#[derive(Clone, Debug)]
pub struct Both {
    /// The base's case, as it is.
    pub base: Case,
    /// Head's model, asked what the base asks.
    pub head: Case,
    /// What head asks otherwise: it is another case under the same name.
    pub redefined: Vec<Changed>,
    /// How head would be judged otherwise.
    pub settings: Vec<Changed>,
    /// Why the two cannot be compared, as far as the configuration tells.
    pub apart: Option<NotComparable>,
}

/// Every case of either arm, in the order of head; those that only the base has are last.
pub fn pair(base: &[Case], head: &[Case], contents: FileHash) -> Vec<Pairing> {
    let of_base = |id: &str| base.iter().find(|c| c.id == id);
    let new: Vec<&Case> = head.iter().filter(|c| of_base(&c.id).is_none()).collect();
    let paired = head.iter().map(|head| match of_base(&head.id) {
        Some(base) => Pairing::Both(Box::new(both(base, head, contents))),
        None => Pairing::New(Box::new(head.clone())),
    });
    let gone = base.iter().filter(|c| head.iter().all(|h| h.id != c.id));
    let removed = gone.map(|base| Pairing::Removed {
        base: Box::new(base.clone()),
        likely: likely::successor(base, &new, contents).map(|c| c.id.clone()),
    });
    paired.chain(removed).collect()
}

fn both(base: &Case, head: &Case, contents: FileHash) -> Both {
    Both {
        base: base.clone(),
        head: as_asked_by(base, head),
        redefined: definition_changes(base, head, contents),
        settings: setting_changes(base, head, contents),
        apart: apart(base, head),
    }
}

/// What answers is head's, all else is the base's.
fn as_asked_by(base: &Case, head: &Case) -> Case {
    let same_shapes = changed::same_shapes(base, head);
    Case {
        model: head.model.clone(),
        target: head.target.clone(),
        target_why: head.target_why,
        build: head.build.clone(),
        threads: head.threads,
        engine: head.engine.clone(),
        place: head.place.clone(),
        // The range that an engine serves beside the measured shape is how it is built.
        shapes: if same_shapes { head.shapes.clone() } else { base.shapes.clone() },
        ..base.clone()
    }
}

fn apart(base: &Case, head: &Case) -> Option<NotComparable> {
    let (of_base, of_head) = (&base.target, &head.target);
    if of_base.kind != of_head.kind {
        let (base, head) = (of_base.kind.word().to_owned(), of_head.kind.word().to_owned());
        return Some(NotComparable::Backend { base, head });
    }
    (of_base.kind.on_gpu() && of_base.gpu != of_head.gpu).then(|| NotComparable::Device {
        base: format!("GPU {}", of_base.gpu),
        head: format!("GPU {}", of_head.gpu),
    })
}

#[cfg(test)]
mod tests;
