//! What other programs read: timelines for Perfetto. Pure: data in, text out.

pub mod memory;
pub mod perfetto;
pub mod process;
