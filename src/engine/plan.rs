//! Reads the header of a TensorRT plan, which says who made it without any library.
//!
//! Layout: four letters, the version of the layout (u32 LE), and at 24 four bytes with the version of the library. That
//! is how `trtexec --getPlanVersionOnly` of 10.0 to 11.4 reads plans of TensorRT, from 8.6 on. Plans of TensorRT-RTX
//! begin with other letters and are laid out alike; theirs tell at 16 how long they are (u64 LE). The latter is not
//! documented: it held for every plan that TensorRT-RTX 1.6.1 built for our sample models.

use crate::error::{Failure, FailureKind};
use crate::file;
use std::fmt;
use std::path::Path;

/// The bytes that a header has at least.
const HEADER: usize = 28;
/// The only layout there is.
const LAYOUT: u32 = 0;

/// What a plan says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanHeader {
    /// Made by TensorRT-RTX; otherwise by TensorRT.
    pub rtx: bool,
    /// Major, minor, patch and build number of the library that made it.
    pub version: [u8; 4],
}

impl PlanHeader {
    /// The plan in a file, which is not loaded for that. Fails where it is no plan.
    pub fn read(path: &Path) -> crate::error::Result<(Self, Vec<u8>)> {
        let bytes = file::read(path, &file::PLAN)?;
        let header = Self::of(&bytes).map_err(|why| {
            Failure::new(FailureKind::Format, format!("{} {why}", path.display())).next(file::PLAN.next)
        })?;
        Ok((header, bytes))
    }

    /// The header of the plan with these bytes. The error continues the file's name.
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        let rtx = match bytes.get(..4) {
            Some(b"ftrt") => false,
            Some(b"vtrt") => true,
            _ if bytes.starts_with(super::MAGIC) => {
                return Err(
                    "is an engine file of this tool, and no plan; `check --base-engine A --head-engine B` measures those"
                        .into(),
                );
            }
            _ => return Err("is no plan of TensorRT 8.6 or later: it does not begin as one".into()),
        };
        let Some(header) = bytes.first_chunk::<HEADER>() else {
            return Err(format!("is cut off: {} bytes are less than a plan's header", bytes.len()));
        };
        let [_, _, _, _, l0, l1, l2, l3, ..] = *header;
        let layout = u32::from_le_bytes([l0, l1, l2, l3]);
        if layout != LAYOUT {
            return Err(format!("is a plan with layout {layout}, which this version does not know"));
        }
        let [.., n0, n1, n2, n3, n4, n5, n6, n7, major, minor, patch, build] = *header;
        let length = u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        if rtx && length > bytes.len() as u64 {
            return Err(format!("is cut off: it has {} of {length} bytes", bytes.len()));
        }
        Ok(Self { rtx, version: [major, minor, patch, build] })
    }
}

impl fmt::Display for PlanHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, build] = self.version;
        let product = if self.rtx { "TensorRT-RTX" } else { "TensorRT" };
        write!(f, "{product} {major}.{minor}.{patch}.{build}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As libraries write it, with as many bytes behind it.
    fn plan(letters: &[u8; 4], version: [u8; 4], more: usize) -> Vec<u8> {
        let mut bytes = [&letters[..], &[0; 4], &2_u64.to_le_bytes()].concat();
        bytes.extend(((HEADER + more) as u64).to_le_bytes());
        bytes.extend(version);
        bytes.resize(HEADER + more, 0x7e);
        bytes
    }

    #[test]
    fn a_plan_tells_who_made_it() {
        let said = |bytes: &[u8]| PlanHeader::of(bytes).map(|h| h.to_string());
        assert_eq!(said(&plan(b"ftrt", [10, 9, 0, 34], 4)), Ok("TensorRT 10.9.0.34".into()));
        assert_eq!(said(&plan(b"vtrt", [1, 6, 1, 120], 4)), Ok("TensorRT-RTX 1.6.1.120".into()));
        let mut other = plan(b"ftrt", [10, 9, 0, 34], 4);
        other[4] = 3;
        for (bytes, why) in [
            (&other[..], "layout 3"),
            (b"", "does not begin as one"),
            (b"\x08\x07onnx", "does not begin as one"),
            (b"TRTPERF\n....", "engine file of this tool"),
            (b"ftrt", "cut off: 4 bytes"),
            (&plan(b"vtrt", [1, 6, 1, 120], 4)[..31], "cut off: it has 31 of 32 bytes"),
        ] {
            assert!(said(bytes).is_err_and(|e| e.contains(why)), "{why}");
        }
    }

    proptest! {
        // Whatever the bytes are: a header or words, and never more than what is there.
        #[test]
        fn random_and_truncated_bytes_never_panic(
            junk in prop::collection::vec(any::<u8>(), 0..64), version in any::<[u8; 4]>(), cut in 0_usize..64,
        ) {
            let _ = PlanHeader::of(&junk);
            for letters in [b"ftrt", b"vtrt"] {
                let whole = plan(letters, version, junk.len());
                let header = PlanHeader::of(&whole);
                prop_assert_eq!(header, Ok(PlanHeader { rtx: letters == b"vtrt", version }));
                let part = &whole[..cut.min(whole.len())];
                prop_assert!(part.len() >= HEADER || PlanHeader::of(part).is_err());
            }
        }
    }
}
