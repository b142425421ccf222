//! Pull requests that try to silence the gate, or to make it touch what is not its own: one small repository per attempt.

mod places;
