//! Chapters for users, as they stand in `src/guide/*.md`.

/// From an empty repository to a check that fails; a test runs every command of it.
pub mod tutorial {
    #![doc = include_str!("guide/tutorial.md")]
}

/// Who is trusted, and what happens to each attempt to silence the gate.
pub mod trust {
    #![doc = include_str!("guide/trust.md")]
}

/// Any program in a model's place, and the protocol that it follows.
pub mod command {
    #![doc = include_str!("guide/command.md")]
}

/// What each layer of an engine takes, which of them explain a change, and how much the GPU allows.
pub mod layers {
    #![doc = include_str!("guide/layers.md")]
}

/// What processes have of memory, phase by phase.
pub mod memory {
    #![doc = include_str!("guide/memory.md")]
}

/// NVIDIA's profilers around a case, and timelines.
pub mod profiles {
    #![doc = include_str!("guide/profiles.md")]
}

/// What is timed, when, and how long; operating points.
pub mod measuring {
    #![doc = include_str!("guide/measuring.md")]
}

/// Sentences, statistics and exit codes.
pub mod verdicts {
    #![doc = include_str!("guide/verdicts.md")]
}

/// One HTML file with tables and pictures.
pub mod report {
    #![doc = include_str!("guide/report.md")]
}

/// Throughput at a fixed maximum latency.
pub mod capacity {
    #![doc = include_str!("guide/capacity.md")]
}

/// Backends, and TensorRT.
pub mod tensorrt {
    #![doc = include_str!("guide/tensorrt.md")]
}

/// In CI.
pub mod ci {
    #![doc = include_str!("guide/ci.md")]
}

/// Where records lie, how a revision finds its own, formats, JUnit XML, size and retention.
pub mod records {
    #![doc = include_str!("guide/records.md")]
}

/// Cases shared among machines, one verdict; several GPUs of one host; verdicts by other margins.
pub mod machines {
    #![doc = include_str!("guide/machines.md")]
}

/// Commits of the past: a record of each, and the one that made a change.
pub mod past {
    #![doc = include_str!("guide/past.md")]
}

/// Where it was run, and what was measured of the program itself.
pub mod validation {
    #![doc = include_str!("guide/validation.md")]
}

/// Beside other tools.
pub mod others {
    #![doc = include_str!("guide/others.md")]
}
