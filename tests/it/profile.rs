//! `profile` and `export perfetto`: what is asked of a profiler, what goes wrong with one, and what its reports say.

pub mod driven;
mod perfetto;
mod real_nsys;
mod real_reports;
