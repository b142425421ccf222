//! Lanes: devices of one kind that measure side by side, each of them one case at a time. Cases wait in one queue, and a lane
//! that is free takes the next. All that is measured of a case is measured on the lane that took it.

use super::context::Session;
use super::stages::record_device;
use super::{Event, Events};
use crate::case::{Case, Target};
use crate::device::{Device, Gpu};
use crate::error::{FailureKind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ScopedJoinHandle;

/// A device that measures beside others of its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    /// Its number, as CUDA counts.
    pub number: u32,
    /// What it is; `None` where only the program that is measured knows.
    pub gpu: Option<Gpu>,
}

impl Lane {
    /// A case, to be measured on this one.
    pub(super) fn given(&self, case: &Case) -> Case {
        Case { target: Target { gpu: self.number, ..case.target.clone() }, ..case.clone() }
    }
}

/// Does `work` on all of these lanes at the same time; it is told each lane's place, too. Returns what came of each, or the
/// failure of the first that failed.
pub(super) fn at_once<R: Send>(
    lanes: &[Lane],
    work: impl Fn(usize, &Lane) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    std::thread::scope(|scope| {
        let work = &work;
        let start = |(place, lane)| scope.spawn(move || work(place, lane));
        let running: Vec<_> = lanes.iter().enumerate().map(start).collect();
        let ended = running.into_iter().map(ScopedJoinHandle::join);
        ended.map(|found| found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// The lanes of a session, and which of them took which case.
pub(super) struct Lanes<'a> {
    pub(super) all: &'a [Lane],
    taken: Mutex<BTreeMap<String, usize>>,
}

impl<'a> Lanes<'a> {
    pub(super) fn new(all: &'a [Lane]) -> Self {
        Self { all, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lanes that a case can be measured on: that which took it, or any.
    pub(super) fn that_may_measure(&self, id: &str) -> &'a [Lane] {
        let taken = self.taken().get(id).and_then(|place| self.all.get(*place..=*place));
        taken.unwrap_or(self.all)
    }

    /// Where a case is measured: on the lane that took it, or where it says, if that is one.
    fn target(&self, case: &Case) -> Target {
        let asked = || self.all.iter().position(|lane| lane.number == case.target.gpu);
        let place = self.taken().get(&case.id).copied().or_else(asked).unwrap_or(0);
        match self.all.get(place) {
            Some(lane) => Target { gpu: lane.number, lane: true, ..case.target.clone() },
            None => case.target.clone(),
        }
    }
}

impl Session<'_> {
    /// The backend of a case, and the device that it is measured on.
    pub(super) fn target(&self, case: &Case) -> Target {
        self.lanes.target(case)
    }

    /// The GPU that has this number; `None` where the session measures on none.
    pub(super) fn gpu(&self, number: u32) -> Option<&Gpu> {
        let lane = self.lanes.all.iter().find(|lane| lane.number == number);
        lane.and_then(|lane| lane.gpu.as_ref()).or(self.device.measured_gpu.as_ref())
    }

    /// Does `work` for every item, one at a time on each lane, until the user asks to stop. An item whose case was measured
    /// before waits for the lane that did. Where there are no lanes, one after the other. A failure is told at once, and is
    /// the item's alone. Returns what came of each that was begun, in the order in which they ended.
    pub(super) fn in_lanes<'t, T: Sync, R: Send>(
        &self,
        items: &'t [T],
        id: impl Fn(&T) -> &str + Sync,
        work: impl Fn(&T) -> Result<R> + Sync,
    ) -> Vec<(&'t T, Result<R>)> {
        let done = Mutex::new(Vec::new());
        let queue = Mutex::new(items.iter().collect::<Vec<&'t T>>());
        let queue = || queue.lock().unwrap_or_else(PoisonError::into_inner);
        let next = |lane: usize| {
            let mut waiting = queue();
            let mut taken = self.lanes.taken();
            let mine = |item: &&'t T| taken.get(id(item)).is_none_or(|by| *by == lane);
            let item = waiting.iter().position(mine).map(|at| waiting.remove(at))?;
            taken.insert(id(item).to_owned(), lane);
            Some(item)
        };
        let on = |lane: usize| {
            while let Some(item) = next(lane) {
                if let Some(Lane { number, .. }) = self.lanes.all.get(lane) {
                    self.tell(Event::Lane { id: id(item), device: *number });
                }
                let found = work(item);
                match &found {
                    Err(f) if f.kind == FailureKind::Interrupted => queue().clear(),
                    Err(f) => self.failed(id(item), f),
                    Ok(_) => {}
                }
                done.lock().unwrap_or_else(PoisonError::into_inner).push((item, found));
            }
        };
        std::thread::scope(|scope| {
            let on = &on;
            // This thread is the first lane.
            (1..self.lanes.all.len()).for_each(|lane| drop(scope.spawn(move || on(lane))));
            on(0);
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// GPUs with one key may differ in what is only said: which of them measured what, a record does not tell.
pub(super) fn say_lanes_differ(device: &Device, lanes: &[Lane], events: Events) {
    let soft = |lane: &Lane| {
        let gpu = lane.gpu.clone().or_else(|| device.measured_gpu.clone());
        record_device(&Device { measured_gpu: gpu, ..device.clone() }).soft
    };
    let all: Vec<_> = lanes.iter().map(|lane| (lane.number, soft(lane))).collect();
    let names: BTreeSet<&String> = all.iter().flat_map(|(_, soft)| soft.keys()).collect();
    for name in names {
        let of = |(number, soft): &(u32, BTreeMap<String, String>)| {
            format!("{} on device {number}", soft.get(name).map_or("unknown", String::as_str))
        };
        if all.windows(2).any(|two| two[0].1.get(name) != two[1].1.get(name)) {
            let each: Vec<String> = all.iter().map(of).collect();
            events(Event::Note { text: &format!("the devices differ: {name} is {}", each.join(", ")) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_stays_where_it_was_measured_first() {
        let all = [0, 3].map(|number| Lane { number, gpu: None });
        let lanes = Lanes::new(&all);
        assert_eq!(lanes.that_may_measure("a"), all);
        lanes.taken().insert("a".into(), 1);
        assert_eq!(lanes.that_may_measure("a"), &all[1..]);
        assert_eq!(lanes.that_may_measure("b"), all);
    }

    #[test]
    fn lanes_that_differ_in_what_no_key_holds_are_told_apart() {
        let lane = |number, watts| {
            let gpu = Gpu::without_nvml(number, "lane test", 80 << 30, "9.0".into());
            Lane { number, gpu: Some(Gpu { power_limit_w: Some(watts), ..gpu }) }
        };
        let said = |lanes: &[Lane]| {
            let said = Mutex::new(Vec::new());
            let device = Device::with_gpus(vec![]);
            say_lanes_differ(&device, lanes, &|event: Event| {
                if let Event::Note { text } = event {
                    said.lock().unwrap().push(text.to_owned());
                }
            });
            said.into_inner().unwrap()
        };
        assert_eq!(said(&[lane(0, 700.0), lane(1, 700.0)]), [""; 0]);
        assert_eq!(
            said(&[lane(0, 700.0), lane(3, 350.0)]),
            ["the devices differ: power limit is 700 W on device 0, 350 W on device 3"]
        );
        assert_eq!(said(&[]), [""; 0]);
    }
}
