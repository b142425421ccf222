//! Reads JSON as TensorRT writes it: some releases leave control characters raw in texts, which JSON forbids. Pure.

use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt::Write;

/// The value in `text`. The error continues a file's name.
pub fn read<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, String> {
    serde_json::from_str(&escaped(text)).map_err(|e| match e.is_eof() {
        true => format!("is cut off ({e})"),
        false => format!("is no {what} ({e})"),
    })
}

/// The same text with the control characters within its strings escaped.
fn escaped(text: &str) -> Cow<'_, str> {
    // Between strings there are only line ends and tabs, which may be within strings, too.
    if !text.bytes().any(|b| b < b' ' && !matches!(b, b'\n' | b'\r' | b'\t'))
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 64);
    let (mut in_string, mut after_backslash) = (false, false);
    for c in text.chars() {
        if in_string && c < ' ' {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
            after_backslash = false;
            continue;
        }
        match c {
            '"' if !after_backslash => in_string = !in_string,
            _ => {}
        }
        after_backslash = in_string && c == '\\' && !after_backslash;
        out.push(c);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn raw_control_characters_are_read_and_cut_files_are_named() {
        let raw = "{\n\t\"a\\\"\": \"x\u{1f}y\nz\\\\\", \"b\": [1]\r\n}";
        assert_eq!(read::<Value>(raw, "JSON"), Ok(json!({"a\"": "x\u{1f}y\nz\\", "b": [1]})));
        assert_eq!(read::<Value>("{\"a\": 1}", "JSON"), Ok(json!({"a": 1})));
        assert!(read::<Value>("{\"a\": [1,", "JSON").unwrap_err().starts_with("is cut off"));
        assert!(read::<Value>("{\"a\": \u{1f}}", "layers").unwrap_err().starts_with("is no layers"));
    }
}
