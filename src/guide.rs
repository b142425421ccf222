//! Chapters for users, as they stand in `src/guide/*.md`.

/// Who is trusted, and what happens to each attempt to silence the gate.
pub mod trust {
    #![doc = include_str!("guide/trust.md")]
}

/// Any program in a model's place, and the protocol that it follows.
pub mod command {
    #![doc = include_str!("guide/command.md")]
}
