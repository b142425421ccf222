//! Reads and writes the texts of NVIDIA's `trtexec`: its exports, its output, and its arguments. Pure.
//!
//! [`Times`] come from `--exportTimes`, [`TrtexecOutput`]
//! from what the program prints (or a JSON summary of it), and arguments from a [`TrtexecVersion`].
//!
//! Invariant: a setting that the texts do not tell is not guessed (`what_is_not_said_is_not_guessed`), because defaults
//! differ between versions.

mod options;
mod output;
mod times;
mod version;

pub use options::{TrtexecPhase, options_for, run_options};
pub use output::{RunSettings, TrtexecOutput, graph_failed, merge, read_output};
pub use times::{
    Parts, TimedRequest, Times, TooCoarse, compute_ns, latencies_ns, parts, requests_per_s, times,
};
pub use version::{Refused, TrtexecVersion};

/// What a file of `trtexec` is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrtexecFile {
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
pub fn kind(text: &str) -> Option<TrtexecFile> {
    let head = text.get(..text.floor_char_boundary(HEAD)).unwrap_or(text);
    if ["&&&& RUNNING", "=== Inference Options ===", "=== Device Information ==="]
        .iter()
        .any(|mark| head.contains(mark))
    {
        return Some(TrtexecFile::Log);
    }
    // The first key: exports have no text before it.
    let first = head.split('"').nth(1)?;
    match first {
        "startEnqMs" | "startInMs" => Some(TrtexecFile::Times),
        "count" => Some(TrtexecFile::Profile),
        "Layers" => Some(TrtexecFile::Layers),
        "performance_summary"
        | "inference_options"
        | "model_options"
        | "build_options"
        | "device_information" => Some(TrtexecFile::Summary),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_content() {
        for (text, expected) in [
            ("[\n  { \"startEnqMs\" : 1, ", Some(TrtexecFile::Times)),
            ("[\n  { \"count\" : 1 }", Some(TrtexecFile::Profile)),
            ("{\"Layers\": []}", Some(TrtexecFile::Layers)),
            ("&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=x", Some(TrtexecFile::Log)),
            ("[11/22/2026-10:00:00] [I] === Inference Options ===", Some(TrtexecFile::Log)),
            ("{\"model_options\": {}}", Some(TrtexecFile::Summary)),
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
