//! `profile` and `export perfetto`: what is asked of a profiler, what goes wrong with one, and what its reports say.

mod real_reports;
