//! Runs the rounds of a grid, short trials first: which cells go on after each round, and how it ends.

use super::{Cell, front};
use crate::case::{Budget, tail_index, tail_quantile};
use crate::error::Failure;
use crate::stats::{QUANTILES, geometric_mean, is_judged};
use crate::summarize::Summary;

/// What takes a cell out after a round, as fractions of the budget and of the other cell's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EliminationRule {
    /// Its latency is over the budget by more than this.
    pub over_frac: f64,
    /// Another cell of its batch has more throughput and less latency, both by more than this.
    pub dominated_frac: f64,
}

/// After each round but the last. The first trials are short, so that only what is clear by far is believed.
const RULES: [EliminationRule; 2] = [
    EliminationRule { over_frac: 0.5, dominated_frac: 0.25 },
    EliminationRule { over_frac: 0.1, dominated_frac: 0.1 },
];
/// Rounds in all; the last one measures with every process.
pub const ROUNDS: usize = RULES.len() + 1;
/// The index of the median in [`QUANTILES`]: what even the shortest trial is judged by.
const MEDIAN: usize = 4;

/// What a trial of a cell came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Inferences per second over all streams, the geometric mean over processes.
    pub inferences_per_s: f64,
    /// Latency quantiles in the order of [`QUANTILES`], in nanoseconds.
    pub quantiles_ns: [f64; QUANTILES.len()],
    /// Requests over all processes.
    pub requests: u64,
}

impl Score {
    /// Geometric means over the processes; `None` without any, or for numbers that are not finite and above zero.
    pub fn of(processes: &[Summary]) -> Option<Self> {
        let mean = |value: &dyn Fn(&Summary) -> f64| {
            let values: Vec<f64> = processes.iter().map(value).collect();
            geometric_mean(&values).filter(|mean| *mean > 0.0)
        };
        let mut quantiles_ns = [0.0; QUANTILES.len()];
        for (i, quantile) in quantiles_ns.iter_mut().enumerate() {
            *quantile = mean(&|s| s.quantiles_ns[i])?;
        }
        Some(Self {
            inferences_per_s: mean(&|s| s.inferences_per_s)?,
            quantiles_ns,
            requests: processes.iter().map(|s| s.requests).sum(),
        })
    }

    /// The latency that a budget is about.
    pub fn tail_ns(&self, budget: Option<Budget>) -> f64 {
        self.quantiles_ns[tail_index(budget)]
    }

    /// Too few requests to judge that quantile.
    pub fn is_thin(&self, budget: Option<Budget>) -> bool {
        !is_judged(self.requests, tail_quantile(budget))
    }

    /// The highest quantile up to the budget's that so few requests support: p99 of fifty requests is their slowest.
    fn level(&self, budget: Option<Budget>) -> usize {
        let judged = |i: &usize| is_judged(self.requests, QUANTILES[*i]);
        (MEDIAN..=tail_index(budget)).rev().find(judged).unwrap_or(MEDIAN)
    }
}

/// Why a cell went no further.
#[derive(Clone, Debug, PartialEq)]
pub enum Out {
    /// It could not be built or measured.
    Failed(Failure),
    /// Its latency is over the budget.
    OverBudget,
    /// Another cell of the same batch is better in throughput and in latency.
    Dominated,
}

/// A cell and how far it got.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialEntry {
    /// The id of its case; cells of one batch share it.
    pub id: String,
    /// The point and the threads.
    pub cell: Cell,
    /// The last round it was measured in, from 1; 0 before the first.
    pub round: usize,
    /// What that round came to.
    pub score: Option<Score>,
    /// Why it went no further; `None` while it is still in.
    pub out: Option<Out>,
}

/// The cells of a grid on their way through the rounds.
#[derive(Clone, Debug)]
pub struct Trials {
    /// The latency budget, if there is one.
    pub budget: Option<Budget>,
    /// In the order of the grid; indices into it name cells.
    pub entries: Vec<TrialEntry>,
}

/// How it ended, by index of the entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Whether each entry is on the Pareto front of those that got to the last round.
    pub front: Vec<bool>,
    /// The best cell of all within the budget; `None` without a budget, or where no cell is within it.
    pub winner: Option<usize>,
    /// The winner of each case, in the order of the entries.
    pub best: Vec<usize>,
    /// Where nothing wins: the cell that came nearest to the budget, and its excess as a fraction of the budget.
    pub nearest: Option<(usize, f64)>,
}

impl Trials {
    /// Before the first round. Each cell comes with the id of its case.
    pub fn new(cells: impl IntoIterator<Item = (String, Cell)>, budget: Option<Budget>) -> Self {
        let entry = |(id, cell)| TrialEntry { id, cell, round: 0, score: None, out: None };
        Self { budget, entries: cells.into_iter().map(entry).collect() }
    }

    /// The cells that are still in.
    pub fn due(&self) -> Vec<usize> {
        (0..self.entries.len()).filter(|i| self.entries[*i].out.is_none()).collect()
    }

    /// Takes out the cell at `index`: it could not be measured.
    pub fn failed(&mut self, index: usize, failure: Failure) {
        self.entries[index].out = Some(Out::Failed(failure));
    }

    /// Keeps what the cell at `index` came to in `round`, counted from 1.
    pub fn measured(&mut self, index: usize, round: usize, score: Score) {
        self.entries[index].round = round;
        self.entries[index].score = Some(score);
    }

    /// Takes out what need not be measured again after `round`, from 1.
    pub fn close(&mut self, round: usize) {
        let Some(rule) = round.checked_sub(1).and_then(|i| RULES.get(i)) else { return };
        let due = self.due();
        let outs: Vec<Option<Out>> = due.iter().map(|i| self.out(*i, &due, rule)).collect();
        for (i, out) in due.into_iter().zip(outs) {
            self.entries[i].out = out;
        }
    }

    fn out(&self, index: usize, due: &[usize], rule: &EliminationRule) -> Option<Out> {
        let own = &self.entries[index];
        let score = own.score.as_ref()?;
        let limit = self.budget.map(|b| b.max_ns as f64 * (1.0 + rule.over_frac));
        let level = score.level(self.budget);
        if limit.is_some_and(|limit| score.quantiles_ns[level] > limit) {
            return Some(Out::OverBudget);
        }
        let factor = 1.0 + rule.dominated_frac;
        let beats = |other: &Score| {
            let level = level.min(other.level(self.budget));
            other.inferences_per_s > score.inferences_per_s * factor
                && other.quantiles_ns[level] * factor < score.quantiles_ns[level]
        };
        let rivals = due.iter().map(|i| &self.entries[*i]).filter(|e| e.id == own.id);
        rivals.filter_map(|e| e.score.as_ref()).any(beats).then_some(Out::Dominated)
    }

    /// The front, the winners or what came nearest, once the rounds are over. The order of the entries has no say.
    pub fn ranking(&self) -> Ranking {
        let (finals, points): (Vec<usize>, Vec<(f64, f64)>) = self
            .due()
            .into_iter()
            .filter(|i| self.entries[*i].round == ROUNDS)
            .filter_map(|i| Some((i, self.point(i)?)))
            .unzip();
        let mut on_front = vec![false; self.entries.len()];
        for (i, on) in finals.iter().zip(front(&points)) {
            on_front[*i] = on;
        }
        let fits = |i: &usize| self.over_frac(*i).is_some_and(|over| over <= 0.0);
        let within: Vec<usize> = finals.into_iter().filter(fits).collect();
        let mut best: Vec<usize> = Vec::new();
        for i in &within {
            let rivals = within.iter().filter(|r| self.entries[**r].id == self.entries[*i].id);
            if self.fastest(rivals.copied()) == Some(*i) {
                best.push(*i);
            }
        }
        let winner = self.fastest(best.iter().copied());
        let nearest = if winner.is_none() { self.nearest() } else { None };
        Ranking { front: on_front, winner, best, nearest }
    }

    /// Latency and throughput.
    fn point(&self, index: usize) -> Option<(f64, f64)> {
        let score = self.entries[index].score.as_ref()?;
        Some((score.tail_ns(self.budget), score.inferences_per_s))
    }

    /// A cell's excess over the budget, as a fraction of it; negative within. `None` without a budget or a measurement.
    pub fn over_frac(&self, index: usize) -> Option<f64> {
        let max_ns = self.budget?.max_ns as f64;
        Some(self.point(index)?.0 / max_ns - 1.0)
    }

    /// The most throughput; among equals the least latency, then an order that nothing measured decides.
    fn fastest(&self, among: impl Iterator<Item = usize>) -> Option<usize> {
        let ranked = among.filter_map(|i| Some((i, self.point(i)?)));
        let order = |(i, a): &(usize, (f64, f64)), (j, b): &(usize, (f64, f64))| {
            b.1.total_cmp(&a.1).then(a.0.total_cmp(&b.0)).then(self.key(*i).cmp(&self.key(*j)))
        };
        ranked.min_by(order).map(|(i, _)| i)
    }

    /// The least latency among the cells that got furthest: those that went earlier were clearly worse.
    fn nearest(&self) -> Option<(usize, f64)> {
        let measured = |e: &&TrialEntry| e.score.is_some() && !matches!(e.out, Some(Out::Failed(_)));
        let furthest = self.entries.iter().filter(measured).map(|e| e.round).max()?;
        let all = self.entries.iter().enumerate().filter(|(_, e)| measured(e) && e.round == furthest);
        let over = all.filter_map(|(i, _)| Some((i, self.over_frac(i)?)));
        over.min_by(|(i, a), (j, b)| a.total_cmp(b).then(self.key(*i).cmp(&self.key(*j))))
    }

    fn key(&self, index: usize) -> (&str, (u64, u64, u64, bool, u64)) {
        (&self.entries[index].id, self.entries[index].cell.key())
    }
}

#[cfg(test)]
mod tests;
