pub mod rng;
pub mod stats;
pub mod steady;
