//! All tests that look at the program and the library from outside: real models, real Cargo projects, real git
//! repositories, each in a temporary folder of its own.
//!
//! Invariant: one process runs all tests as threads, so none changes the environment or the working folder of this
//! process: both are set on the program that a test starts.

mod accept;
mod builds;
mod calibrate;
mod capacity;
mod check;
mod cli;
mod coverage;
mod decisions;
mod discover;
mod export;
mod folders;
mod git;
mod github;
mod gpu;
mod history;
mod hostile;
mod lanes;
mod layers;
mod machines;
mod memory;
mod past;
mod profile;
mod real_data;
mod retention;
mod shown;
mod statistics;
mod support;
mod tensorrt;
mod testlib;
mod tidy;
mod trtexec;
mod verdicts;
