//! `trtexec` as a source of numbers: exports of it that are imported, and a stand-in for it that is driven.

mod driven;
mod fixtures;
mod import;
// Shared with the tests of the command line, which use more of it.
#[allow(dead_code)]
#[path = "../cli/support.rs"]
mod support;
