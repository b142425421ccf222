//! What every session needs, made once: the lock, the sources, what was measured before, and who is told about events.

use super::history::History;
use super::lanes::{Lane, Lanes, say_lanes_differ};
use super::lock::{Lock, lock};
use super::machine::{say_confidential, say_short_of_memory};
use super::source::source_or_none;
use super::{Event, pin};
use crate::calibration::lanes::LaneCalibration;
use crate::case::Case;
use crate::compare::{CalibratedPrior, Metric};
use crate::config::{Folders, Project};
use crate::device::Device;
use crate::error::{Failure, Result};
use crate::record::{CaseRecord, Source};
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Who is told what happens.
pub type Events<'a> = &'a (dyn Fn(Event) + Sync);

/// Where and when a session runs, and who is told what happens.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// The package or workspace, with its configuration.
    pub project: &'a Project,
    /// Where it runs.
    pub device: &'a Device,
    /// The devices of that kind that measure side by side; none: each case is measured where it says.
    pub lanes: &'a [Lane],
    /// Seconds since 1970.
    pub now_s: i64,
    /// Is told what happens.
    pub events: Events<'a>,
}

/// A session that runs. No other one has its target folder or its GPUs until it is dropped.
pub(super) struct Session<'a> {
    pub(super) project: &'a Project,
    pub(super) device: &'a Device,
    pub(super) folders: &'a Folders,
    /// Where its engines are.
    pub(super) engines: PathBuf,
    /// Where earlier checks' engines are, if they may be used.
    pub(super) cache: Option<PathBuf>,
    /// What is measured; `None` without a commit.
    pub(super) source: Option<Source>,
    pub(super) history: History,
    pub(super) now_s: i64,
    pub(super) lanes: Lanes<'a>,
    /// How long the processes of a case measure, where that was chosen; by id. All that follow measure as long.
    times: Mutex<BTreeMap<String, Nanos>>,
    /// How many engines were built afresh, each in a folder of its own.
    afresh: AtomicU64,
    events: Events<'a>,
    _lock: Lock,
}

impl<'a> Session<'a> {
    /// Waits until no other session is in the way, then says what is to be done. Such a session looks for no sources
    /// and no baselines: what only builds needs neither. `processes` as in [`Event::Started`].
    pub(super) fn begin(setup: &Setup<'a>, cases: &[Case], processes: Option<u64>) -> Result<Self> {
        let Setup { project, device, lanes, now_s, events } = *setup;
        let lock = lock(&project.folders, device, lanes, events)?;
        let (backend, why) = backends_of(cases);
        let devices: Vec<u32> = lanes.iter().map(|lane| lane.number).collect();
        events(Event::Started { cases, device, devices: &devices, backend: &backend, why: &why, processes });
        say_confidential(device, events);
        say_short_of_memory(device, cases, events);
        say_lanes_differ(device, lanes, events);
        Ok(Self {
            project,
            device,
            folders: &project.folders,
            engines: project.folders.engines(),
            cache: None,
            source: None,
            history: History::default(),
            now_s,
            lanes: Lanes::new(lanes),
            times: Mutex::default(),
            afresh: AtomicU64::default(),
            events,
            _lock: lock,
        })
    }

    /// Begins a session that measures the work tree, and knows the work tree's baselines.
    pub(super) fn open(setup: &Setup<'a>, cases: &[Case], processes: Option<u64>) -> Result<Self> {
        let session = Self::begin(setup, cases, processes)?;
        let source = source_or_none(session.project, session.events);
        let baselines = session.project.baselines();
        Ok(session.knowing(source, &baselines))
    }

    /// The same session with what is measured, and with the baselines below `stored`.
    pub(super) fn knowing(self, source: Option<Source>, stored: &Path) -> Self {
        let history = History::open(self.project, stored, source.as_ref(), self.device, self.events);
        Self { source, history, ..self }
    }

    /// The same session with engines of its own instead of the work tree's.
    pub(super) fn with_engines(self, engines: PathBuf, cache: Option<PathBuf>) -> Self {
        Self { engines, cache, ..self }
    }

    /// Says where devices that measure side by side are known to disturb each other, or not known not to.
    pub(super) fn say_disturbed(&self) {
        let devices: Vec<u32> = self.lanes.all.iter().map(|lane| lane.number).collect();
        if devices.len() > 1 {
            let known = self.history.calibration.as_ref().and_then(|c| c.lanes.as_ref());
            LaneCalibration::doubt(known, &devices).iter().for_each(|text| self.note(text));
        }
    }

    /// The cases at the points that stored records pin, which is said.
    pub(super) fn pinned(&self, cases: &[Case]) -> (Vec<Case>, pin::Pins) {
        pin::pinned(cases, &self.history, self.events)
    }

    /// Where this session's raw samples go.
    pub(super) fn samples(&self) -> PathBuf {
        self.folders.samples_since(self.now_s)
    }

    /// Names stored records that were asked for and could not be read, or not as a whole.
    pub(super) fn say_unreadable(&self) {
        self.history.candidates.notes().for_each(|text| self.note(&text));
    }

    /// How long processes of a case measure, where that was chosen before.
    pub(super) fn chosen_time(&self, id: &str) -> Option<Nanos> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    /// What the calibration knows of the spread between a case's pairs.
    pub(super) fn expectation<'s>(
        &'s self,
        case: &'s Case,
    ) -> impl Fn(&CaseRecord, Metric) -> Option<CalibratedPrior> + 's {
        let calibration = self.history.calibration.as_ref();
        move |record, metric| {
            let measure = self.chosen_time(&case.id).unwrap_or(case.effort.measure);
            calibration?.prior(&case.id, record, measure, metric)
        }
    }

    /// All further processes of a case measure so long.
    pub(super) fn choose_time(&self, id: &str, measure: Nanos) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), measure);
    }

    /// The folder of an engine that is built although it may be there. Those of an earlier session are gone.
    pub(super) fn afresh(&self) -> PathBuf {
        let builds = self.engines.join("builds");
        let number = self.afresh.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            let _ = std::fs::remove_dir_all(&builds);
        }
        builds.join((number + 1).to_string())
    }

    pub(super) fn tell(&self, event: Event) {
        (self.events)(event);
    }

    pub(super) fn note(&self, text: &str) {
        self.tell(Event::Note { text });
    }

    pub(super) fn failed(&self, id: &str, failure: &Failure) {
        self.tell(Event::Failed { id, failure });
    }
}

/// The backends of a session's cases, and why those.
fn backends_of(cases: &[Case]) -> (String, String) {
    let mut all: Vec<(&str, &str)> = Vec::new();
    for case in cases {
        let word = case.target.kind.word();
        if all.iter().all(|(known, _)| *known != word) {
            all.push((word, case.target_why));
        }
    }
    if all.is_empty() {
        all.push(("no backend", "no case"));
    }
    let (words, reasons): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    (words.join(", "), reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Host, cases};
    use crate::config::Overrides;
    use crate::device::Gpu;
    use std::sync::Mutex;

    #[test]
    fn every_session_first_names_the_backend_and_warns_of_what_a_gpu_may_lack() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("Cargo.toml");
        std::fs::write(&manifest, "[package]\nname = \"shop\"\n[lib]\npath = \"lib.rs\"\n").unwrap();
        let model = dir.path().join("model.onnx");
        std::fs::write(&model, "").unwrap();
        let mut project = Project::find(Some(&manifest)).unwrap();
        project.folders = Folders::below(dir.path().join("target"));
        let model = project.ad_hoc(&model, &Overrides::default()).unwrap();
        let mut cases = cases(&[model], Host { cpus: 2, gpu: false, tensorrt: false });
        cases[0].build.tensorrt.workspace = Some(1 << 60);
        let memory = u64::from(std::process::id()) << 30;
        let mut gpu = Gpu::without_nvml(0, "context test", memory, "9.0".into());
        gpu.confidential = Some(true);
        gpu.integrated = Some(true);
        let device = Device::with_gpus(vec![]).on_gpu(gpu);
        let told = Mutex::new(Vec::new());
        let events = |event: Event| {
            told.lock().unwrap().push(match event {
                Event::Started { backend, why, .. } => format!("{backend} ({why})"),
                Event::Note { text } => text.to_owned(),
                _ => "something else".to_owned(),
            });
        };
        let setup = Setup { project: &project, device: &device, lanes: &[], now_s: 0, events: &events };
        drop(Session::begin(&setup, &cases, None).unwrap());
        let told = told.into_inner().unwrap();
        assert_eq!(told[0], "cpu (auto: no NVIDIA GPU is here)");
        assert!(told[1].contains("computes confidentially"), "{told:?}");
        assert!(told[2].contains("less than the 1073741824.00 GiB that may be needed"), "{told:?}");
        assert!(told[2].contains("mkswap"), "{told:?}");
        assert_eq!(told.len(), 3);
    }
}
