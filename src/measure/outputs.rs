//! Checks what a process answered: after warming up and after measuring, against what is expected, against the plain run
//! where a graph answers, and the answers against each other.

use super::job::MeasureJob;
use crate::config::Tolerances;
use crate::engine::EngineHeader;
use crate::error::{Failure, FailureKind, Result};
use crate::inputs;
use crate::measured::OutputFact;
use crate::tensor::{Tensor, read_npy, write_npy};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The outputs of one request, and when it was.
pub(super) struct Answer {
    pub when: &'static str,
    pub tensors: Vec<Tensor>,
}

/// The file of an output that is kept.
fn file_of(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("{number}.npy"))
}

/// The outputs that a process of an engine with these outputs kept in a folder. They are gone afterwards: they may be
/// large, and every file beside the latencies would be taken for latencies.
pub fn take(folder: &Path, names: &[String]) -> Result<BTreeMap<String, Tensor>> {
    let read = |(number, name): (usize, &String)| Ok((name.clone(), read_npy(&file_of(folder, number))?));
    let found = names.iter().enumerate().map(read).collect();
    let _ = std::fs::remove_dir_all(folder);
    found
}

/// Keeps an answer, an output a file, where there is a folder for it.
pub(super) fn keep(answer: &Answer, folder: Option<&Path>) -> Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|e| Failure::io("create the folder", folder, &e))?;
    let write = |(number, tensor)| write_npy(&file_of(folder, number), tensor);
    answer.tensors.iter().enumerate().try_for_each(write)
}

/// What there is to check answers by.
pub(super) struct Checks<'a> {
    /// The names of the outputs, in their order.
    names: &'a [String],
    /// What they should be, by name.
    expect: BTreeMap<String, Tensor>,
    tolerances: Tolerances,
    allow_non_finite: bool,
    /// What the engine answered without a graph, where requests replay one.
    plain: Option<Vec<Tensor>>,
}

impl<'a> Checks<'a> {
    /// The checks of a job, with the outputs of the plain run where requests replay a graph. Reads what is expected, so
    /// that nothing is read between warming up and measuring.
    pub fn of(job: &MeasureJob, header: &'a EngineHeader, plain: Option<Vec<Tensor>>) -> Result<Self> {
        let names = &header.outputs;
        if let Some(name) = job.expect.keys().find(|n| !names.contains(n)) {
            return Err(Failure::usage(format!(
                "a file is given for `{name}`, which is no output of this model"
            ))
            .next(format!("its outputs are {}", names.join(", "))));
        }
        let read = |(name, path): (&String, &PathBuf)| Ok((name.clone(), read_npy(path)?));
        Ok(Self {
            names,
            expect: job.expect.iter().map(read).collect::<Result<_>>()?,
            tolerances: Tolerances { rtol: job.rtol, atol: job.atol },
            allow_non_finite: job.allow_non_finite,
            plain,
        })
    }

    /// The answer must be finite, as expected, and what the plain run gave: |a − b| ≤ atol + rtol·|b| (numpy's allclose).
    pub fn check(&self, answer: &Answer) -> Result<Vec<OutputFact>> {
        let mut facts = Vec::new();
        for (at, (name, tensor)) in self.names.iter().zip(&answer.tensors).enumerate() {
            let odd = tensor.values().filter(|v| !v.is_finite()).count();
            if odd > 0 && !self.allow_non_finite {
                return Err(Failure::new(FailureKind::Measure, format!("output `{name}` holds {odd} values of {} that are not finite", tensor.len()))
                    .next("give realistic inputs with --input NAME=FILE.npy, or set allow-non-finite = true if that is right for this model"));
            }
            if let Some(want) = self.expect.get(name) {
                self.as_expected(name, tensor, want, answer.when)?;
            }
            if let Some(plain) = self.plain.as_ref().and_then(|p| p.get(at)) {
                self.as_without_graph(name, tensor, plain, answer.when)?;
            }
            facts.push(OutputFact {
                name: name.clone(),
                dtype: tensor.dtype.to_string(),
                shape: tensor.shape.clone(),
                sha256: inputs::tensor_hash(tensor),
            });
        }
        Ok(facts)
    }

    fn as_without_graph(&self, name: &str, got: &Tensor, plain: &Tensor, when: &str) -> Result<()> {
        let Some((at, g, p)) = self.farthest(got, plain, true) else { return Ok(()) };
        let what = format!(
            "{when} the CUDA graph computes something else than the engine does without it: element {at} of output `{name}` is {g}, without {p}"
        );
        Err(Failure::new(FailureKind::Measure, what).next(
            "run without --cuda-graph; if the difference is right, widen the tolerances --rtol and --atol",
        ))
    }

    /// What is to be said where two answers to the same request differ, and which of them is wrong.
    pub fn difference(&self, early: &Answer, late: &Answer) -> Option<String> {
        let mut outputs = self.names.iter().zip(early.tensors.iter().zip(&late.tensors));
        if let Some((name, (e, l))) = outputs.find(|(_, (e, l))| e.shape != l.shape) {
            let ((a, first), (b, last)) = ((&e.shape, early.when), (&l.shape, late.when));
            return Some(format!(
                "output `{name}` had the shape {a:?} {first} and {b:?} {last}, of the same inputs"
            ));
        }
        let mut pairs = early.tensors.iter().zip(&late.tensors).enumerate();
        let (output, (at, e, l)) = pairs.find_map(|(i, (e, l))| Some((i, self.farthest(e, l, true)?)))?;
        let (first, last) = (early.when, late.when);
        let wrong = match self.reference(output).and_then(|r| r.values().nth(at)) {
            Some(right) if (e - right).abs() > (l - right).abs() => format!("{first} it was wrong"),
            Some(_) => format!("{last} it is wrong"),
            None => "nothing tells which is right: give --expect".to_owned(),
        };
        let name = self.names.get(output)?;
        Some(format!("element {at} of output `{name}` was {e} {first} and {l} {last}; {wrong}"))
    }

    /// What an output should be, where that is known.
    fn reference(&self, output: usize) -> Option<&Tensor> {
        let plain = || self.plain.as_ref().and_then(|p| p.get(output));
        self.expect.get(self.names.get(output)?).or_else(plain)
    }

    fn as_expected(&self, name: &str, got: &Tensor, want: &Tensor, when: &str) -> Result<()> {
        let refuse = |what: String| {
            Failure::new(FailureKind::Measure, format!("output `{name}` is not what was expected: {what}"))
                .next("check the inputs (--input), or widen the tolerances --rtol and --atol")
        };
        if got.shape != want.shape {
            return Err(refuse(format!("its shape is {:?}, expected {:?}", got.shape, want.shape)));
        }
        match self.farthest(got, want, false) {
            None => Ok(()),
            Some((at, g, w)) => {
                Err(refuse(format!("element {at} is {g} {when}, expected {w} ({})", self.tolerances)))
            }
        }
    }

    /// Of the elements that are not within the tolerances the one that is farthest off: its number, and both values.
    /// `equal_nan`: where both values are none, they are the same.
    fn farthest(&self, got: &Tensor, want: &Tensor, equal_nan: bool) -> Option<(usize, f64, f64)> {
        let within =
            |g: f64, w: f64| (equal_nan && g.is_nan() && w.is_nan()) || self.tolerances.excess(g, w) <= 0.0;
        let pairs = got.values().zip(want.values()).enumerate();
        pairs
            .filter(|(_, (g, w))| !within(*g, *w))
            .max_by(|(_, (a, b)), (_, (c, d))| (a - b).abs().total_cmp(&(c - d).abs()))
            .map(|(at, (g, w))| (at, g, w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(when: &'static str, values: [f32; 2]) -> Answer {
        Answer { when, tensors: vec![Tensor::from_f32(vec![2], &values)] }
    }

    #[test]
    fn a_graph_that_computes_something_else_is_no_measurement_and_a_first_replay_that_did_is_said() {
        let names = ["y".to_owned()];
        let plain = Some(vec![Tensor::from_f32(vec![2], &[1.0, 2.0])]);
        let checks = Checks {
            names: &names,
            expect: BTreeMap::new(),
            tolerances: Tolerances { rtol: 0.01, atol: 0.0 },
            allow_non_finite: false,
            plain,
        };
        let (first, warm) =
            (answer("in the first request", [1.0, 3.0]), answer("after warming up", [1.001, 2.0]));
        assert_eq!(checks.check(&warm).map(|facts| facts.len()), Ok(1));
        assert_eq!(
            checks.difference(&first, &warm).as_deref(),
            Some(
                "element 1 of output `y` was 3 in the first request and 2 after warming up; in the first request it was wrong"
            )
        );
        let late = answer("after measuring", [1.0, 2.5]);
        let said = checks.difference(&warm, &late).unwrap_or_default();
        assert!(said.ends_with("2.5 after measuring; after measuring it is wrong"), "{said}");
        let failure = checks.check(&late).unwrap_err();
        let says = "after measuring the CUDA graph computes something else than the engine does without it: element 1 of output `y` is 2.5, without 2";
        assert_eq!(failure.message, says);

        let unknown = Checks { plain: None, ..checks };
        let said = unknown.difference(&first, &warm).unwrap_or_default();
        assert!(said.ends_with("; nothing tells which is right: give --expect"), "{said}");
        assert_eq!(unknown.difference(&warm, &answer("after measuring", [1.0, 2.0])), None, "within");
        let short = Answer { when: "after measuring", tensors: vec![Tensor::from_f32(vec![1], &[1.0])] };
        let said = unknown.difference(&warm, &short).unwrap_or_default();
        assert!(
            said.starts_with("output `y` had the shape [2] after warming up and [1] after measuring"),
            "{said}"
        );
    }
}
