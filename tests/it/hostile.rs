//! Each attempt to silence the gate, or to steer whoever reads it, as one small pull request: what happens is in
//! `src/guide/trust.md`.

mod files;
mod pairing;
mod places;
mod text;
