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
