//! `check` in real repositories: which base is chosen, and what the gate says.

mod base;
mod gate;
