//! Chapters for users, as they stand in `src/guide/*.md`.

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

/// Cases shared among machines, one verdict; verdicts by other margins.
pub mod machines {
    #![doc = include_str!("guide/machines.md")]
}

/// Where it was run, and what was measured of the program itself.
pub mod validation {
    #![doc = include_str!("guide/validation.md")]
}

/// Beside other tools.
pub mod others {
    #![doc = include_str!("guide/others.md")]
}
