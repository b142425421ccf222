//! Chapters for users, as they stand in `src/guide/*.md`.

/// Who is trusted, and what happens to each attempt to silence the gate.
pub mod trust {
    #![doc = include_str!("guide/trust.md")]
}
