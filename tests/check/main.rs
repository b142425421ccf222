//! `check` in real repositories: which base is chosen, and what the gate says.

mod base;
mod gate;
// Shared with the tests of git itself, which use more of it.
#[allow(dead_code)]
#[path = "../git/sandbox.rs"]
mod sandbox;
