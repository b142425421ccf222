//! The lowest layer of the TensorRT backend: it finds the libraries, opens them, and calls functions through their
//! tables. It knows nothing of cases.
//!
//! | file | what it has | which uses |
//! |---|---|---|
//! | `abi` | slots, values and releases as plain data | – |
//! | `tables` | where each function stands, per family (generated from NVIDIA's headers) | `abi` |
//! | `text` | texts from and for the library | `abi` |
//! | `type_info` | what C++ asks an object of ours for its class | – |
//! | `callbacks` | objects of ours that the library calls | `tables`, `text`, `type_info` |
//! | `allocator` | memory of the driver that the library takes through us | `tables`, `callbacks` |
//! | `output_allocator` | the object that gives memory for outputs of unknown size | `callbacks` |
//! | `search` | candidates: places on this machine | `abi` |
//! | `library` | an opened library | `search`, `callbacks` |
//! | `object` | objects of the library, and calls on them | `library`, `tables` |

pub mod abi;
pub mod allocator;
pub mod callbacks;
pub mod library;
pub(super) mod object;
pub mod output_allocator;
pub mod search;
pub mod tables;
pub(super) mod text;
mod type_info;
