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
//! - **stream**: requests to a loaded engine that complete in order. **pass**: requests of their own, looked at in one
//!   way: by the host's clock, by the GPU's.
//! - **samples** → **summary** (one process) → **record** (all processes of a session) → **baseline** (a record in
//!   `baselines/`).
//! - **device key**: what makes numbers comparable at all.
//!
//! # Flow
//! ```text
//! config -> cases -> engines -> samples -> summaries -> record -> comparison -> report
//!  parent    parent   worker     worker     parent       parent    parent        parent
//! ```
//! The build worker and the measure worker are different processes, always.
//!
//! # Map, in the order in which files may use each other
//! | file | makes | from |
//! |---|---|---|
//! | [`error`] | failures with a next step | – |
//! | [`units`] | durations, rates, percent | – |
//! | [`rng`] | seeded numbers | a seed |
//! | [`stats`] | estimates, tests, decisions | numbers |
//! | [`steady`] | warm-up truncation, trend | samples |
//! | [`capacity`] | the highest rate within a budget | probes that a caller runs |
//! | [`tensor`] | tensors and `.npy` | bytes |
//! | [`config`] | models and settings | Cargo manifests |
//! | [`case`] | cases | configuration |
//! | [`inputs`] | the tensors a case feeds | seed, `.npy` |
//! | [`engine`] | the engine file | bytes |
//! | [`onnx`] | a checked model | an ONNX file; in the build worker |
//! | [`trtexec`] | what `trtexec` exports and prints, the arguments it takes | text |
//! | [`device`] | device key, facts, warnings | this machine |
//! | [`progress`] | what a worker tells while it works | – |
//! | [`backend`] | engines, and streams that answer requests | models, engines; in workers |
//! | [`build`] | an engine | a model; in the build worker |
//! | [`measure`] | samples, pass by pass | an engine; in the measure worker |
//! | [`worker`] | a fresh process and its messages | a job |
//! | [`child`] | the worker's side of a job | a job; builds or measures |
//! | [`summarize`] | a summary | samples |
//! | [`discover`] | operating points to try, and which wins | models, summaries |
//! | [`record`] | records and their files' text | summaries |
//! | [`import`] | a record of other programs' measurements | their files |
//! | [`compare`] | THE verdict | two records, or two arms of samples |
//! | [`calibration`] | how much numbers vary when nothing changed | A/A sessions |
//! | [`history`] | one case over time | records, commit order |
//! | [`acceptance`] | whether a regression is accepted | an acceptance, a comparison |
//! | [`git`] | revisions, trees | the repository |
//! | [`baseline`] | record and calibration files; the record that a text means | `baselines/`, git |
//! | [`base`] | the commit to compare with | git, the CI event |
//! | [`outcome`] | what a session came to, with every figure that is shown | records, comparisons |
//! | [`message`] | the lines of `--message-format json` | outcomes |
//! | [`session`] | the order of the stages | all of the above |
//! | [`report`] | text for people and machines | outcomes |
//! | [`cli`] | verbs, the only place that prints | all of the above |

pub mod acceptance;
pub mod backend;
pub mod base;
pub mod baseline;
pub mod build;
pub mod calibration;
pub mod capacity;
pub mod case;
pub mod child;
pub mod cli;
pub mod compare;
pub mod config;
pub mod device;
pub mod discover;
pub mod engine;
pub mod error;
pub mod git;
pub mod history;
pub mod import;
pub mod inputs;
pub mod measure;
pub mod message;
pub mod onnx;
pub mod outcome;
pub mod progress;
pub mod record;
pub mod report;
pub mod rng;
pub mod session;
pub mod stats;
pub mod steady;
pub mod summarize;
pub mod tensor;
pub mod trtexec;
pub mod units;
pub mod worker;
