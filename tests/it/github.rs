//! GitHub, with real clones, its event files and a stand-in for its API: the steps of the actions as they stand in
//! `.github/actions`, run by a small stand-in for the runner.

mod api;
mod comment;
mod events;
mod hostile;
mod install;
mod runner;
mod workflows;
