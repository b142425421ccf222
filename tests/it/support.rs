//! What several tests need: the program and what it did, sandboxes with projects and repositories, the test library,
//! simulated measurements and queues. Benches use single files of this folder.

pub mod cases;
pub mod claims;
pub mod installed;
pub mod noise;
mod processes;
pub mod program;
pub mod queues;
mod repository;
mod sandbox;
pub mod schema;
pub mod simulate;
pub mod xml;

pub use processes::{Running, end, is_gone, kill, state, wait_for};
pub use program::{Ran, program};
pub use repository::listing;
pub use sandbox::{QUICK, QUICK_ARGS, Sandbox, files_below, measuring, message, model, sample, shared, with};
