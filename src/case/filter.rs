//! Says which cases a command is about. Pure.

/// Cases by their ids: those that a name selects, without those that are skipped.
#[derive(Clone, Debug, Default)]
pub struct CaseFilter {
    /// Parts of ids, or patterns of whole ids with `*` and `?`; none: every case.
    pub names: Vec<String>,
    /// A name is a whole id.
    pub exact: bool,
    /// Parts of ids, or patterns, of cases that are left out.
    pub skip: Vec<String>,
}

impl CaseFilter {
    /// Whether the case of this id is meant.
    pub fn takes(&self, id: &str) -> bool {
        let named = |name: &String| if self.exact { id == name } else { fits(name, id) };
        (self.names.is_empty() || self.names.iter().any(named)) && !self.skip.iter().any(|s| fits(s, id))
    }

    /// The words of the command line that it consists of.
    pub(super) fn words(&self) -> String {
        let skip = self.skip.iter().map(|s| format!("--skip {s}"));
        self.names.iter().cloned().chain(skip).collect::<Vec<_>>().join(", ")
    }
}

/// A pattern fits a whole id, another name a part of it.
fn fits(name: &str, id: &str) -> bool {
    if name.contains(['*', '?']) { matches(name.as_bytes(), id.as_bytes()) } else { id.contains(name) }
}

/// `*` stands for any text, `?` for one byte. Backtracks to the last `*` only, which suffices and takes no more than
/// the product of both lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_patterns_and_what_is_skipped() {
        let ids = ["shop/cnn/b1/latency", "shop/cnn/b8/throughput", "shop/mlp/default/latency"];
        let taken = |names: &[&str], skip: &[&str], exact| {
            let owned = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect();
            let filter = CaseFilter { names: owned(names), exact, skip: owned(skip) };
            ids.iter().map(|id| filter.takes(id)).collect::<Vec<_>>()
        };
        assert_eq!(taken(&[], &[], false), [true; 3]);
        assert_eq!(taken(&["cnn"], &[], false), [true, true, false]);
        assert_eq!(taken(&["cnn"], &["b8"], false), [true, false, false]);
        assert_eq!(taken(&["*latency"], &[], false), [true, false, true]);
        assert_eq!(taken(&["*/b?/*"], &[], false), [true, true, false]);
        assert_eq!(taken(&["cnn*"], &[], false), [false; 3], "a pattern is of the whole id");
        assert_eq!(taken(&["*"], &["shop/mlp*"], false), [true, true, false]);
        assert_eq!(taken(&["shop/mlp/default/latency"], &[], true), [false, false, true]);
        assert_eq!(taken(&["mlp"], &[], true), [false; 3]);
        assert!(matches(b"*a*b*c", b"xxaabbxc") && !matches(b"*a*b*c", b"xxaabbxcd") && matches(b"**", b""));
    }
}
