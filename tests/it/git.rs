//! Drives `trt_perf::git` against real repositories that the `git` command makes in temporary folders.

mod discover;
mod history;
mod shallow;
mod status;
mod trees;
