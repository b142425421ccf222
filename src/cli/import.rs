//! The `import` verb: makes records from what other programs measured.

pub(super) mod files;

use super::args::MessageFormat;
use super::exit::Exit;
use super::{keep, note, out, out_message, project, shown, width};
use crate::baseline::Store;
use crate::config::{AD_HOC_PACKAGE, Project, Scenario};
use crate::error::{Failure, Result};
use crate::import::{self, Runs};
use crate::layers::{Breakdown, LayerRun};
use crate::message::{Message, SessionFinished};
use crate::record::Source;
use crate::report::{json, layers, terminal};
use crate::session::source_of_revision;
use clap::{Args, Subcommand};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Slowest layers that are shown.
const SHOWN_LAYERS: usize = 10;

#[derive(Subcommand)]
pub enum ImportVerb {
    /// Runs of NVIDIA's trtexec
    ///
    /// Makes a record of what `trtexec --exportTimes=times.json` exported and what it printed, for `compare`,
    /// `history` and baselines. The GPU and the settings are those that the files name; this machine needs neither a
    /// GPU nor TensorRT.
    ///
    /// Each export is a process, and several are those of one session. A request's latency is trtexec's: copy in,
    /// compute and copy out on the GPU, without waiting for an earlier request.
    Trtexec(Box<TrtexecArgs>),
}

/// Which files, and what they are of.
#[derive(Args)]
pub struct TrtexecArgs {
    /// Exports of --exportTimes, or folders with everything of one session: times, what was printed (.log, .txt), layer
    /// profile and layer information
    #[arg(required = true, value_name = "FOLDER|TIMES.json")]
    paths: Vec<PathBuf>,
    /// What it is a measurement of: package/model/variant/scenario, or a name alone
    #[arg(long, value_name = "ID")]
    case: String,
    /// What trtexec printed, or the JSON summary that TensorRT's Engine Explorer makes of it (may be repeated)
    #[arg(long, value_name = "FILE")]
    log: Vec<PathBuf>,
    /// The layer profile (--exportProfile): its slowest layers are shown
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// The layer information (--exportLayerInfo): tells engines apart
    #[arg(long, value_name = "FILE")]
    layers: Option<PathBuf>,
    /// The plan that was measured (--saveEngine): tells engines apart
    #[arg(long, value_name = "FILE")]
    engine: Option<PathBuf>,
    /// The GPU's name as nvidia-smi gives it, where the files do not say
    #[arg(long, value_name = "NAME")]
    gpu: Option<String>,
    /// The GPU's memory in MiB, as nvidia-smi gives it, where the files do not say
    #[arg(long, value_name = "MIB", requires = "gpu")]
    gpu_memory: Option<u64>,
    /// Inferences per request
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Cut each run into this many blocks that stand for processes, although less differs between them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=100))]
    blocks: u8,
    /// The commit that was measured (default: none; HEAD with --save-baseline)
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// Also store the record in baselines/, to be committed
    #[arg(long)]
    save_baseline: bool,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
}

/// Runs the verb.
pub fn run(verb: &ImportVerb, manifest: Option<&Path>) -> Result<Exit> {
    match verb {
        ImportVerb::Trtexec(args) => trtexec(args, manifest),
    }
}

fn trtexec(args: &TrtexecArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let (case, scenario) = case_of(&args.case)?;
    let source = source(args, &project)?;
    let found = files::find(args)?;
    let run = found.profile.map(|times| LayerRun { times, gpu_ns: None });
    let layers = run.map(|run| Breakdown::of(found.engine.as_ref(), &[run])).transpose();
    let layers = layers.map_err(|why| files::other("the layer profile", &why))?;
    let runs = Runs {
        case,
        scenario,
        batch: args.batch,
        blocks: args.blocks.into(),
        times: found.times,
        output: named_gpu(args, found.output)?,
        plan: found.plan,
        layers: found.layers_sha256,
        tactics: found.engine.as_ref().and_then(|e| e.fingerprint.clone()),
        source,
        now_s: jiff::Timestamp::now().as_second(),
    };
    let (mut record, notes) = import::record(&runs)?;
    let path = Store::results(project.folders.results()).save(&mut record)?;
    let baseline =
        if args.save_baseline { Some(Store::new(project.baselines()).save(&mut record)?) } else { None };
    if args.message_format == MessageFormat::Json {
        notes.iter().for_each(|n| out_message(&Message::note(n)));
        out_message(&Message::SessionFinished(SessionFinished {
            record: Some(json::path(&path)),
            id: record.id.clone(),
            measured: 1,
            failed: 0,
            regressed: 0,
            inconclusive: 0,
            interrupted: false,
            exit_code: Exit::Ok.code(),
        }));
        return Ok(Exit::Ok);
    }
    for (id, case) in &record.cases {
        out(&terminal::case_block(id, case, None, true));
    }
    out(&layers.as_ref().map_or(String::new(), |found| layers::lines(found, SHOWN_LAYERS, false, width())));
    out(&format!("\n{}", terminal::table(&record, &BTreeMap::new(), width())));
    notes.iter().for_each(|n| note(&format!("note: {n}")));
    note(&format!("device: {} ({})", record.device.name, record.device.key));
    note(&format!("record: {}", shown(&path)));
    if let Some(path) = baseline {
        note(&keep::stored_note(&path, &project));
        keep::size_note(&path, &record).iter().for_each(|n| note(n));
    }
    Ok(Exit::Ok)
}

/// The id and its scenario; a name alone is a model without a package, measured for latency.
fn case_of(text: &str) -> Result<(String, Scenario)> {
    let parts: Vec<&str> = text.split('/').collect();
    let plain = |p: &&str| !p.is_empty() && !p.contains(char::is_whitespace) && !p.contains(char::is_control);
    match &parts[..] {
        [name] if plain(name) => {
            Ok((format!("{AD_HOC_PACKAGE}/{name}/default/{}", Scenario::Latency.word()), Scenario::Latency))
        }
        all @ [_, _, _, scenario] if all.iter().all(plain) => {
            let scenario = scenario.parse().map_err(|why| Failure::usage(format!("--case {text}: {why}")))?;
            if scenario == Scenario::Capacity {
                return Err(Failure::usage(format!("--case {text}: trtexec measures no capacity"))
                    .next("write …/latency or …/throughput"));
            }
            Ok((text.to_owned(), scenario))
        }
        _ => Err(Failure::usage(format!("--case {text} is no id of a case"))
            .next("write package/model/variant/latency (or …/throughput), or the model's name alone")),
    }
}

/// Which commit the numbers belong to.
fn source(args: &TrtexecArgs, project: &Project) -> Result<Option<Source>> {
    let rev = args.commit.as_deref().or(args.save_baseline.then_some("HEAD"));
    rev.map(|rev| source_of_revision(project, rev)).transpose()
}

/// The GPU that the options name must be the one that the files name.
fn named_gpu(
    args: &TrtexecArgs,
    mut output: crate::trtexec::TrtexecOutput,
) -> Result<crate::trtexec::TrtexecOutput> {
    let Some(name) = &args.gpu else { return Ok(output) };
    if let Some(other) = output.gpu.as_ref().filter(|other| *other != name) {
        return Err(Failure::usage(format!("--gpu says {name:?}, and what trtexec printed says {other:?}"))
            .next("leave --gpu out: the printed name is right"));
    }
    output.gpu = Some(name.clone());
    output.gpu_memory_mib = output.gpu_memory_mib.or(args.gpu_memory);
    Ok(output)
}
