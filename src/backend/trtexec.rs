//! The `trtexec` backend: NVIDIA's program builds engines and measures them, in its own process each time. It works
//! with every TensorRT from 8.5 on, on every board.
//!
//! The latency of a request is the one that the program reports: copy in, compute and copy out, between events on the
//! GPU. It leaves out the host's part and the wait behind an earlier request, so these numbers are not compared with
//! those of another backend.
//!
//! The engine's payload is the plan, the shapes to run it with and further options. Settings are passed in the words of the version that
//! runs, and what the program says it did is checked: a run with other settings than we asked for is a failure.

mod command;
mod find;
mod inputs;

use super::{
    Backend, BuildRequest, LoadSetup, Loaded, Payload, Program, ProgramMeasured, ProgramRun, cuda,
    refuse_options_of_others,
};
use crate::case::{BackendKind, Target};
use crate::config::{BuildOptions, MARGIN_FRAC, Wait};
use crate::device::{Gpu, gpu_key};
use crate::engine::{EngineHeader, InputSpec};
use crate::error::{Failure, FailureKind, Result};
use crate::measured::GpuTimes;
use crate::onnx::{ModelDim, ModelInput};
use crate::tensor::Tensor;
use crate::trtexec::{self, RunSettings, TrtexecOutput, TrtexecPhase, TrtexecVersion};
use command::Ran;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub use find::found;

/// The name of the payload's second part: the option that gives dynamic inputs their shapes.
const SHAPES: &str = "shapes";
/// The name of its third part, where there is one: options that somebody wrote for running it, with a zero byte
/// between them, which no argument holds.
const RUN_OPTIONS: &str = "run-options";
/// No model: naming it makes every version say what it is and which GPU it uses, and stop.
const NO_MODEL: &str = "trt-perf-asks-which-gpu-this-is.onnx";

/// Builds and measures with the trtexec program.
pub struct Trtexec {
    /// The folder of TensorRT, if it was said.
    folder: Option<PathBuf>,
    gpu: u32,
    /// What it says of itself, once asked.
    said: OnceCell<TrtexecOutput>,
}

impl Trtexec {
    /// The backend of a target; starts nothing yet.
    pub fn new(target: &Target) -> Self {
        Self { folder: target.tensorrt.clone(), gpu: target.gpu, said: OnceCell::new() }
    }

    /// Version and GPU, as the program says them.
    fn said(&self) -> Result<&TrtexecOutput> {
        if let Some(said) = self.said.get() {
            return Ok(said);
        }
        let program = find::program(self.folder.as_deref())?;
        let args = [format!("--onnx={NO_MODEL}"), format!("--device={}", self.gpu)];
        // It must fail: there is no such model. What counts is what it said before.
        let ran = command::run(&program, &args, &std::env::temp_dir())?;
        let said = understood(&program, &ran)?;
        Ok(self.said.get_or_init(|| said))
    }

    fn version(&self) -> Result<TrtexecVersion> {
        // `understood` lets nothing without a version pass.
        self.said()?.version.ok_or_else(|| Failure::new(FailureKind::Measure, "trtexec says no version"))
    }
}

/// What the program says of itself; a failure where it does not say which TensorRT it is, or that is an unknown one.
fn understood(program: &Path, ran: &Ran) -> Result<TrtexecOutput> {
    let said = trtexec::read_output(&ran.text).map_err(|why| {
        Failure::new(FailureKind::Format, format!("what {} printed {why}", program.display()))
    })?;
    let Some(version) = said.version else {
        return Err(Failure::new(
            FailureKind::Build,
            format!("{} does not say which TensorRT it is; it said: {}", program.display(), ran.complaint()),
        )
        .next("run it by hand with --help: its first line must name the version, as in [TensorRT v101300]"));
    };
    version.check().map_err(|r| {
        Failure::new(FailureKind::Build, format!("{}: {}", program.display(), r.what)).next(r.next)
    })?;
    Ok(said)
}

impl Backend for Trtexec {
    fn library(&self) -> Result<String> {
        Ok(library(self.version()?))
    }

    /// The program's word counts, because it may run elsewhere (in a container, say); the driver knows more of the
    /// same GPU.
    fn gpus(&self) -> Result<Vec<Gpu>> {
        let said = self.said()?;
        let Some(name) = &said.gpu else {
            return Err(Failure::usage(format!("trtexec finds no GPU {}", self.gpu))
                .next("see what `nvidia-smi -L` lists, and number them from 0 with --device"));
        };
        let memory = said.gpu_memory_mib.and_then(|mib| mib.checked_mul(1 << 20));
        let own = Gpu {
            key: gpu_key(name, memory, None),
            memory_bytes: memory,
            ..Gpu::without_nvml(
                self.gpu,
                name,
                memory.unwrap_or(0),
                said.gpu_facts.get("Compute Capability").cloned().unwrap_or_default(),
            )
        };
        let known = cuda::gpus().unwrap_or_default();
        let same = known.into_iter().nth(self.gpu as usize).filter(|gpu| gpu.name == *name);
        // Nobody asks for those before it.
        Ok(vec![same.unwrap_or(own); self.gpu as usize + 1])
    }

    fn hardware(&self, _: &BuildOptions) -> Result<Option<String>> {
        let said = self.said()?;
        let facts = [said.gpu.clone(), said.gpu_facts.get("Compute Capability").cloned()];
        Ok(Some(facts.into_iter().flatten().collect::<Vec<_>>().join(", ")))
    }

    fn build(&self, mut request: BuildRequest) -> Result<Payload> {
        // The program reads the model itself: a second copy of it would be there for the whole build.
        request.model.external.clear();
        request.model.bytes = Vec::new();
        refuse_options_of_others(BackendKind::Trtexec, request.options)?;
        let version = self.version()?;
        let user = &request.options.trtexec_args;
        version.check_options(user).map_err(|r| Failure::usage(r.what).next(r.next))?;
        let folder = command::scratch(request.scratch)?;
        let plan = folder.path().join("engine.plan");
        let mut args = vec![
            format!("--onnx={}", request.path.display()),
            format!("--saveEngine={}", plan.display()),
            version.build_only().to_owned(),
            format!("--device={}", self.gpu),
        ];
        args.extend(profile(&request.model.inputs, request.inputs));
        args.extend(trtexec::options_for(TrtexecPhase::Build, user).into_iter().map(str::to_owned));
        let program = find::program(self.folder.as_deref())?;
        let ran = command::run(&program, &args, folder.path())?;
        ran.check(FailureKind::Build, "build an engine")?;
        let bytes = fs::read(&plan).unwrap_or_default();
        if bytes.is_empty() {
            return Err(Failure::new(
                FailureKind::Build,
                format!("{} said that it built an engine and wrote none", program.display()),
            )
            .next("run the same by hand: trtexec --onnx=… --saveEngine=engine.plan"));
        }
        let shapes = inputs::shapes(&request.model.inputs, request.inputs, |s| &s.opt, |v| &v.opt);
        let mut parts = vec![("engine.plan".into(), bytes), (SHAPES.into(), shapes.into_bytes())];
        let when_run = trtexec::options_for(TrtexecPhase::Run, user);
        if !when_run.is_empty() {
            parts.push((RUN_OPTIONS.into(), when_run.join("\0").into_bytes()));
        }
        Ok(Payload { parts, facts: BTreeMap::new() })
    }

    /// Nothing is loaded yet: each run of the program does that itself.
    fn load(
        &self,
        engine: &EngineHeader,
        parts: Vec<Vec<u8>>,
        setup: &LoadSetup,
        inputs: &[(String, Tensor)],
    ) -> Result<Loaded> {
        Ok(Loaded::Program(Box::new(LoadedEngine {
            folder: self.folder.clone(),
            gpu: self.gpu,
            library: engine.made_from.library.clone(),
            parts,
            setup: setup.clone(),
            inputs: inputs.to_vec(),
        })))
    }
}

/// An engine for the program to measure.
struct LoadedEngine {
    folder: Option<PathBuf>,
    gpu: u32,
    /// What the engine was built with.
    library: String,
    parts: Vec<Vec<u8>>,
    setup: LoadSetup,
    inputs: Vec<(String, Tensor)>,
}

fn library(version: TrtexecVersion) -> String {
    format!("TensorRT {version}")
}

/// The shapes to build for. Static models must not be given any: trtexec refuses them.
fn profile(declared: &[ModelInput], specs: &[InputSpec]) -> Vec<String> {
    let all = [
        ("--minShapes", inputs::shapes(declared, specs, |s| &s.min, |v| &v.min)),
        ("--optShapes", inputs::shapes(declared, specs, |s| &s.opt, |v| &v.opt)),
        ("--maxShapes", inputs::shapes(declared, specs, |s| &s.max, |v| &v.max)),
    ];
    all.into_iter().filter(|(_, v)| !v.is_empty()).map(|(option, v)| format!("{option}={v}")).collect()
}

/// Whether the shape of an input is given when it runs.
fn is_dynamic(input: &ModelInput) -> bool {
    input.dims.as_ref().is_none_or(|dims| dims.iter().any(|d| matches!(d, ModelDim::Dynamic(_))))
}

impl Program for LoadedEngine {
    fn measure(&self, run: &ProgramRun) -> Result<ProgramMeasured> {
        let version = built_with(&self.library)?;
        let asked = settings(&self.setup, run.warm_up_ns)?;
        let folder = command::scratch(run.scratch)?;
        let (plan, times) = (folder.path().join("engine.plan"), folder.path().join("times.json"));
        let bytes = self.parts.first().map_or(&[][..], Vec::as_slice);
        fs::write(&plan, bytes).map_err(|e| Failure::io("write the plan", &plan, &e))?;
        let mut args = vec![format!("--loadEngine={}", plan.display()), format!("--device={}", self.gpu)];
        args.extend(version.run_args(&asked, run.measure_ns));
        args.push(format!("--exportTimes={}", times.display()));
        let part = |at: usize| {
            self.parts.get(at).and_then(|b| std::str::from_utf8(b).ok()).filter(|text| !text.is_empty())
        };
        args.extend(part(1).map(|shapes| format!("--shapes={shapes}")));
        args.extend(part(2).into_iter().flat_map(|all| all.split('\0')).map(str::to_owned));
        args.extend(inputs::files(&self.inputs, version, folder.path())?);
        let program = find::program(self.folder.as_deref())?;
        let ran = command::run(&program, &args, folder.path())?;
        ran.check(FailureKind::Measure, "run the engine")?;
        let said = understood(&program, &ran)?;
        as_asked(&said, version, &asked, &ran.text)?;
        let text = fs::read_to_string(&times).map_err(|e| {
            Failure::new(
                FailureKind::Measure,
                format!("{} ended well and exported no times ({e})", program.display()),
            )
            .next("run it by hand with --exportTimes=times.json and see what it says")
        })?;
        measured(&text, &said, &asked)
    }
}

/// The version that built the engine must be the one that runs it.
fn built_with(library: &str) -> Result<TrtexecVersion> {
    TrtexecVersion::find(&format!("TensorRT version: {}", library.trim_start_matches("TensorRT ")))
        .ok_or_else(|| {
            Failure::new(
                FailureKind::Format,
                format!("the engine was built with {library}, which is no version of trtexec"),
            )
            .next("build it again with --backend trtexec")
        })
}

/// What is asked, as trtexec knows it.
fn settings(setup: &LoadSetup, warm_up_ns: u64) -> Result<RunSettings> {
    let (point, mode) = (setup.point, setup.mode);
    if point.in_flight > 2 {
        return Err(Failure::usage(format!(
            "in-flight is {}, and trtexec keeps one or two requests in flight",
            point.in_flight
        ))
        .next("set in-flight to 1 or 2, or use more streams"));
    }
    Ok(RunSettings {
        streams: point.streams,
        overlap: point.in_flight == 2,
        transfers: mode.transfers,
        spin: mode.wait == Wait::Spin,
        cuda_graph: point.cuda_graph,
        // Whole milliseconds are what every version takes.
        warm_up_ms: (warm_up_ns / 1_000_000) as f64,
        ..RunSettings::default()
    })
}

/// What it says it did must be what it was asked for.
fn as_asked(said: &TrtexecOutput, version: TrtexecVersion, asked: &RunSettings, text: &str) -> Result<()> {
    let fail = |what: String, next: &str| Err(Failure::new(FailureKind::Measure, what).next(next));
    if said.version != Some(version) {
        let now = said.version.map_or("an unknown version".into(), |v| v.to_string());
        return fail(
            format!("the engine was built by trtexec {version}, and {now} is found now"),
            "run again, so that it is built by the one that measures",
        );
    }
    if asked.cuda_graph && trtexec::graph_failed(text) {
        return fail(
            "the CUDA graph could not be captured, and trtexec ran without one".into(),
            "set cuda-graph = false for this model",
        );
    }
    let Some(did) = &said.run else {
        return fail(
            "trtexec does not say with which settings it ran".into(),
            "run it by hand: it must print a section `=== Inference Options ===`",
        );
    };
    let settings = [
        ("streams", asked.streams == did.streams),
        ("requests in flight (exposeDMA)", asked.overlap == did.overlap),
        ("transfers", asked.transfers == did.transfers),
        ("spin-wait", asked.spin == did.spin),
        ("CUDA graph", asked.cuda_graph == did.cuda_graph),
        ("warm-up", asked.warm_up_ms == did.warm_up_ms),
    ];
    match settings.iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((what, _)) => fail(
            format!("trtexec {version} ran with another setting than asked for: {what}"),
            "please report this version of trtexec; its options are not what this tool knows",
        ),
    }
}

fn measured(text: &str, said: &TrtexecOutput, asked: &RunSettings) -> Result<ProgramMeasured> {
    let bad = |why: String| {
        Failure::new(FailureKind::Measure, format!("trtexec's export of times {why}"))
            .next("run it by hand with --exportTimes=times.json and look into the file")
    };
    let run = trtexec::times(text, asked.warm_up_ms).map_err(bad)?;
    if let Some(why) = run.too_coarse(&run.requests, MARGIN_FRAC) {
        return Err(Failure::new(FailureKind::Measure, why.to_string()).next("set a shorter --measure"));
    }
    let parts = trtexec::parts(&run.requests);
    Ok(ProgramMeasured {
        latencies: trtexec::latencies_ns(&run.requests),
        compute: trtexec::compute_ns(&run.requests),
        times: Some(GpuTimes {
            enqueue_ns: parts.enqueue_ns,
            h2d_ns: parts.h2d_ns,
            compute_ns: parts.compute_ns,
            d2h_ns: parts.d2h_ns,
            isolated: false,
        }),
        gpu: Some(Default::default()),
        requests_per_s: trtexec::requests_per_s(&run.requests),
        load_ns: said.load_ns.unwrap_or(0),
        warm_up: trtexec::latencies_ns(&run.warm_up),
    })
}
