//! `cargo trt-perf` builds inference engines in one phase, measures only the load-and-infer phase in fresh
//! processes, keeps the summaries per git commit, and says with statistics whether latency or throughput changed.
//!
//! # Words
//! - **model**: an ONNX file. **engine**: what the build phase makes from it.
//! - **case**: model × shapes × scenario; its id is `package/model/variant/scenario`. Its *definition hash* covers
//!   what is asked, its *engine inputs hash* what answers. Two measurements compare when the definition is the same.
//! - **scenario**: `latency` (one request in flight), `throughput` (closed loop at an operating point), `capacity` (open
//!   loop: the highest rate of arrivals that keeps the **budget**, found by **probes** at fixed rates).
//! - **operating point**: batch, streams, requests in flight per stream, CUDA graph on or off. **grid**: the points
//!   that `discover` tries, **cell**: one of them; a **pin** is the winner's point, kept with its measurement.
//! - **worker**: a fresh child process in which native code runs. **parent**: everything else; it never opens a
//!   native inference library.
//! - **builds**: a case may ask for several of its engine, as builders choose kernels anew; then builds are what is
//!   compared, and not the processes that load them.
//! - **stream**: requests to a loaded engine that complete in order. **pass**: requests of their own, looked at in one
//!   way: by the host's clock, by the GPU's, layer by layer.
//! - **memory run**: a worker that loads an engine, answers some requests and destroys everything, with its allocations
//!   **traced** and nothing timed.
//! - **breakdown**: an engine's layers with their times, and the **residual** that they leave of a whole request on the
//!   GPU. **tactics**: what the builder chose for the layers; a fingerprint of them says whether two builds chose the same.
//! - **samples** → **summary** (one process) → **record** (all processes of a session) → **baseline** (a record in
//!   `baselines/`).
//! - **gap**: a case of the base that is gone, asks something else or cannot be compared: what a check misses before it
//!   can say that nothing regressed.
//! - **lane**: one of several devices of one kind that measure cases side by side (`--devices`).
//! - **profile**: a worker that NVIDIA's profilers watched; never part of a record.
//! - **vote**: a pair of a commit with one **end** of a bisection; it says to which of the two ends the commit belongs.
//! - **evidence**: all that the verdicts of a check hang on, as data. A **part** of the cases is what one of several
//!   machines measures; evidence of all parts joins into that of the whole.
//! - **device key**: what makes numbers comparable at all.
//!
//! # Flow
//! ```text
//! config -> cases -> engines -> samples -> summaries -> record -> comparison -> report
//!  parent    parent   worker     worker     parent       parent    parent        parent
//! ```
//! The build worker and the measure worker are different processes, always.
//!
//! # Map
//! In the order in which files may use each other, and in which to read them. Rooms that are *pure* open no file, no
//! socket and no clock, start nothing and print nothing: the same arguments always give the same answer. Rooms of the
//! feature `cli` are not in the bare library. `tests/it/tidy.rs` reads this table and holds the sources to it.
//!
//! | module | makes | from | pure | feature |
//! |---|---|---|---|---|
//! | [`printable`] | text that may be shown | text from outside | pure | |
//! | [`error`] | failures with a next step | – | pure | |
//! | [`file`](mod@file) | the bytes of a file | a path; regular and bounded | | |
//! | [`units`] | durations, rates, percent | – | pure | |
//! | [`rng`] | seeded numbers | a seed | pure | |
//! | [`stats`] | estimates, tests, decisions | numbers | pure | |
//! | [`steady`] | end of the warm-up, cold start, trend | samples | pure | |
//! | [`capacity`] | the highest rate within a budget | probes that a caller runs | pure | |
//! | [`memory`] | what processes have of memory, and what differs | events of an allocator | pure | |
//! | [`tensor`] | tensors and `.npy` | bytes | | |
//! | [`trtexec`] | what `trtexec` exports and prints, the arguments it takes | text | pure | |
//! | [`config`] | models and settings | Cargo manifests | | |
//! | [`case`] | cases | configuration | | |
//! | [`inputs`] | the tensors a case feeds | seed, `.npy` | | |
//! | [`layers`] | an engine's layers, and which of them explain a change | what engines tell, profiles | pure | |
//! | [`engine`] | the engine file | bytes | | |
//! | `cache` | engines of earlier checks | files outside of the repository | | `cli` |
//! | [`device`] | device key, facts, warnings | this machine | | |
//! | [`progress`] | what a worker tells while it works | – | pure | |
//! | [`measured`] | what a measuring process found | – | pure | |
//! | [`timeline`] | timelines that other programs show | spans, numbers over time | pure | |
//! | [`profile`] | a profiler's command line, the kernels of each layer, a timeline | its help, its reports | pure | |
//! | `prepare` | models | a command of the project; in a worker | | `cli` |
//! | `tool` | what another program does, such as a profiler | its command line; in a worker | | `cli` |
//! | `onnx` | a checked model | an ONNX file; in the build worker | | `cli` |
//! | `backend` | engines, and streams that answer requests | models, engines; in workers | | `cli` |
//! | `build` | an engine | a model; in the build worker | | `cli` |
//! | `measure` | samples, pass by pass | an engine; in the measure worker | | `cli` |
//! | `worker` | a fresh process and its messages | a job | | `cli` |
//! | `child` | the worker's side of a job | a job; builds or measures | | `cli` |
//! | [`summarize`] | a summary | samples | pure | |
//! | [`discover`] | operating points to try, and which wins | models, summaries | pure | |
//! | [`record`] | records and their files' text | summaries | pure | |
//! | [`import`] | a record of other programs' measurements | their files' text | pure | |
//! | [`compare`] | THE verdict | two records, or two arms of samples | pure | |
//! | [`pairing`] | what both arms of a check are asked, what is gone or redefined | cases of two arms | pure | |
//! | [`calibration`] | how much numbers vary when nothing changed | A/A sessions | pure | |
//! | [`bisect`] | the commit of a change | pairs that a caller measures | pure | |
//! | [`history`] | one case over time, which records may go | records, commit order | pure | |
//! | [`acceptance`] | whether a regression or a gap is accepted | an acceptance, a comparison | pure | |
//! | `git` | revisions, trees | the repository | | `cli` |
//! | `ours` | a failure, where folders are not our own | git, the target folder | | `cli` |
//! | `baseline` | record and calibration files; the record that a text means | `baselines/`, git | | `cli` |
//! | `base` | the commit to compare with | git, the CI event | | `cli` |
//! | [`outcome`] | what a session came to, with every figure that is shown | records, comparisons | pure | |
//! | [`evidence`](mod@evidence) | the verdicts of a check | what it measured, here or on several machines | pure | |
//! | [`export`] | a record in the formats of other programs | records | pure | |
//! | [`message`] | the lines of `--message-format json` | outcomes | pure | |
//! | `session` | the order of the stages | all of the above | | `cli` |
//! | `report` | text for people and machines | outcomes | pure | `cli` |
//! | `cli` | verbs, the only place that prints | all of the above | | `cli` |
//! | [`guide`] | chapters for users | – | pure | |
//!
//! # Features
//! - none: the rooms without a feature above read, compare and judge measurements. No git, no native code, no command
//!   line: `cargo-trt-perf = { version = "0.1", default-features = false }`.
//! - `cli`: the program, its sessions and workers, git, reports. Without a backend it compares what others measured.
//! - `cpu`: the program with the embedded backend.
//! - `tensorrt`: the program with the backends for NVIDIA GPUs: `tensorrt`, `trtexec`, `cuda`.
//!
//! All three are on unless they are switched off. The last two bring `cli` with them.
//!
//! # A model's path through `run`
//! 1. `cli::run` finds the [`config::Project`]; `Project::models` reads the manifests, [`case::cases`] makes the cases.
//! 2. `session::machines_of` asks a worker for the GPUs, where the backend has any: the device that numbers belong to.
//! 3. `session::run` opens a session: the lock, the sources, the baselines. A stored pin sets a case's operating point.
//! 4. `build_all` sends each case to a build worker: `worker::run` starts it, `child::run` there calls `build::run`.
//! 5. `build::run` checks the model (`onnx::read`), and writes an engine file, or finds it in the cache.
//! 6. `in_lanes` gives cases to lanes. `measure_case` starts a fresh measure worker per process. `measure::run` there loads the engine and warms it up.
//! 7. Its passes offer requests; latencies go to a `.npy` file, everything else comes back as [`measured::Measured`].
//! 8. [`summarize::summarize`] makes a [`summarize::Summary`] of each process; `case_record` puts a case's together.
//! 9. `History::compare` takes the newest baseline that fits and asks [`compare`] for the verdict; [`compare::many`]
//!    corrects those of all cases, and says which are only advice.
//! 10. `Store::save` writes the [`record::Record`]; `report::terminal` renders the outcome, `cli` prints it and exits.
//!
//! # A pull request's path through `check`
//! 1. `cli::check` finds the project, and plans looks at so many pairs (`session::looks::Looks`).
//! 2. `find_arms` asks `base::find` for the base: the commit named, or the one the CI event, the branches or records mean.
//! 3. The base's tree is extracted from git into a private folder; `prepare` runs in both trees; both have cases.
//! 4. `session::check::check` begins a session. [`pairing::pair`] asks both arms what the base asks; `Check::settle` makes
//!    rows of cases that are gone, redefined or not comparable.
//! 5. `Check::measure` builds both arms. The same engine in both arms is `Unchanged`, and nothing is measured.
//! 6. Otherwise `compare_pairs` measures pairs in ABBA order, and at each look asks [`compare`] whether they suffice.
//! 7. Where the base has no engine, stored numbers of it are compared with; where there are none, head may be measured.
//! 8. `Check::confirm` measures what changed once more, with other pairs; [`compare::confirm`] says which claims hold.
//!    Where `max-memory` is set, `Check::hold_memory` loads both engines in memory runs.
//!    `Check::explain` looks into both arms of what regressed, and [`layers::attribute()`] says which layers explain it.
//! 9. All that was found is an [`evidence::Evidence`]; `Check::finish` adds what head brings into the baselines, and
//!    `session::kept::keep` writes it. The verdicts are computed from that alone ([`evidence::Evidence::checked`]):
//!    confirmed, accepted ([`acceptance`]), drift. `merge` and `rejudge` begin here.
//! 10. [`outcome::Tally`] counts; `report` renders for terminal, markdown and GitHub; `ExitPolicy::exit` is the exit code.

pub mod acceptance;
#[cfg(feature = "cli")]
pub mod backend;
#[cfg(feature = "cli")]
pub mod base;
#[cfg(feature = "cli")]
pub mod baseline;
pub mod bisect;
#[cfg(feature = "cli")]
pub mod build;
#[cfg(feature = "cli")]
pub mod cache;
pub mod calibration;
pub mod capacity;
pub mod case;
#[cfg(feature = "cli")]
pub mod child;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compare;
pub mod config;
pub mod device;
pub mod discover;
pub mod engine;
pub mod error;
pub mod evidence;
pub mod export;
pub mod file;
#[cfg(feature = "cli")]
pub mod git;
pub mod guide;
pub mod history;
pub mod import;
pub mod inputs;
pub mod layers;
#[cfg(feature = "cli")]
pub mod measure;
pub mod measured;
pub mod memory;
pub mod message;
#[cfg(feature = "cli")]
pub mod onnx;
#[cfg(feature = "cli")]
pub mod ours;
pub mod outcome;
pub mod pairing;
#[cfg(feature = "cli")]
pub mod prepare;
pub mod printable;
pub mod profile;
pub mod progress;
pub mod record;
#[cfg(feature = "cli")]
pub mod report;
pub mod rng;
#[cfg(feature = "cli")]
pub mod session;
pub mod stats;
pub mod steady;
pub mod summarize;
pub mod tensor;
pub mod timeline;
#[cfg(feature = "cli")]
pub mod tool;
pub mod trtexec;
pub mod units;
#[cfg(feature = "cli")]
pub mod worker;
