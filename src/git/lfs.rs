//! Reads Git LFS pointers: small committed text files that name a large file by its SHA-256. Models are often stored
//! so.
//!
//! Nothing is downloaded: an object that is not here is reported, with the command that gets it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::file::LFS_POINTER;
use crate::units::hex;
use sha2::{Digest, Sha256};

/// By the specification of Git LFS a pointer is smaller than this.
pub(super) const MAX_POINTER_BYTES: usize = 1024;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    sha256_hex: String,
    size_bytes: u64,
}

impl Pointer {
    pub(super) fn parse(blob: &[u8]) -> Option<Pointer> {
        if blob.len() > MAX_POINTER_BYTES {
            return None;
        }
        let mut lines = std::str::from_utf8(blob).ok()?.lines();
        if lines.next() != Some(LFS_POINTER) {
            return None;
        }
        let (mut sha256_hex, mut size_bytes) = (None, None);
        for line in lines {
            match line.split_once(' ') {
                Some(("oid", value)) => sha256_hex = value.strip_prefix("sha256:"),
                Some(("size", value)) => size_bytes = value.parse().ok(),
                _ => {}
            }
        }
        // The id becomes part of a file name: nothing but what a SHA-256 is written with.
        let id = sha256_hex.filter(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()))?;
        Some(Pointer { sha256_hex: id.to_ascii_lowercase(), size_bytes: size_bytes? })
    }

    /// Where Git LFS keeps the large file, if it is here and has the right size.
    pub(super) fn stored(&self, common_dir: &Path) -> Option<PathBuf> {
        let id = &self.sha256_hex;
        let path = common_dir.join("lfs/objects").join(&id[..2]).join(&id[2..4]).join(id);
        path.metadata().is_ok_and(|m| m.is_file() && m.len() == self.size_bytes).then_some(path)
    }

    /// Whether the file at `path` is the large file that this pointer stands for; one that cannot be read is not.
    pub(super) fn is_content_of(&self, path: &Path) -> bool {
        let hash = || -> io::Result<String> {
            let mut file = File::open(path)?;
            if file.metadata()?.len() != self.size_bytes {
                return Ok(String::new());
            }
            let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    n => hasher.update(&buffer[..n]),
                }
            }
            Ok(hex(hasher.finalize()))
        };
        hash().is_ok_and(|hex| hex == self.sha256_hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    #[test]
    fn pointers_are_recognised_and_nothing_else_is() {
        let good = format!("{LFS_POINTER}\noid sha256:{ID}\nsize 12345\n");
        assert_eq!(
            Pointer::parse(good.as_bytes()),
            Some(Pointer { sha256_hex: ID.to_owned(), size_bytes: 12345 })
        );
        let not_pointers = [
            String::new(),
            "hello\n".to_owned(),
            format!("{LFS_POINTER}\nsize 12345\n"),
            format!("{LFS_POINTER}\noid sha256:{ID}\n"),
            format!("{LFS_POINTER}\noid sha256:../../../../etc/passwd\nsize 1\n"),
            format!("{good}{}", " ".repeat(MAX_POINTER_BYTES)),
        ];
        for text in not_pointers {
            assert_eq!(Pointer::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
