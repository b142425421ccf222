//! NVIDIA's `trtexec`, as far as it is text: what its exports and its output say, and what its versions can do. Pure.
//!
//! Makes [`Times`] from `--exportTimes`, [`Said`] from what the program prints (or a JSON summary of that), layers from
//! `--exportProfile` and `--exportLayerInfo`, and arguments from a [`Version`]. Must never start the program, and never
//! guess a setting: defaults differ between versions, so only what was said counts.

mod layers;
mod said;
mod times;
mod version;

pub use layers::{Layer, layers};
pub use said::{RunSettings, Said, graph_failed, merge, said};
pub use times::{Parts, Request, Times, TooCoarse, compute_ns, latencies_ns, parts, requests_per_s, times};
pub use version::{Refused, Version};

/// What a file of `trtexec` is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `--exportTimes`: an array with an object for each request.
    Times,
    /// `--exportProfile`: an array with an object for each layer.
    Profile,
    /// `--exportLayerInfo`.
    Layers,
    /// What the program prints, as text.
    Log,
    /// The same as JSON, as TensorRT's Engine Explorer writes it.
    Summary,
}

/// How far into a file its kind shows; logs begin with warnings and banners.
const HEAD: usize = 64 << 10;

/// What the file with this text is; `None` where it is nothing of trtexec's.
pub fn kind(text: &str) -> Option<Kind> {
    let head = text.get(..text.floor_char_boundary(HEAD)).unwrap_or(text);
    if ["&&&& RUNNING", "=== Inference Options ===", "=== Device Information ==="]
        .iter()
        .any(|mark| head.contains(mark))
    {
        return Some(Kind::Log);
    }
    // The first key: exports have no text before it.
    let first = head.split('"').nth(1)?;
    match first {
        "startEnqMs" | "startInMs" => Some(Kind::Times),
        "count" => Some(Kind::Profile),
        "Layers" => Some(Kind::Layers),
        "performance_summary"
        | "inference_options"
        | "model_options"
        | "build_options"
        | "device_information" => Some(Kind::Summary),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_content() {
        for (text, expected) in [
            ("[\n  { \"startEnqMs\" : 1, ", Some(Kind::Times)),
            ("[\n  { \"count\" : 1 }", Some(Kind::Profile)),
            ("{\"Layers\": []}", Some(Kind::Layers)),
            ("&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=x", Some(Kind::Log)),
            ("[11/22/2026-10:00:00] [I] === Inference Options ===", Some(Kind::Log)),
            ("{\"model_options\": {}}", Some(Kind::Summary)),
            ("{\"name\": 1}", None),
            ("[{\"Name\": \"NVIDIA A100\"}]", None),
            ("", None),
            ("ä", None),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        assert_eq!(kind(&"ä".repeat(HEAD)), None, "a cut within a character is no panic");
    }
}
