//! `trtexec` as a source of numbers: exports of it that are imported, and a stand-in for it that is driven.

mod driven;
mod fixtures;
mod import;
mod upgrade;
