//! Finds the capacity for every budget of a plan, by probes that the caller runs.
//!
//! It brackets the crossing in short probes: from half of the closed rate, by factors of 1.25, then narrower. It fits a
//! line of ln(share over budget) against ln(rate) to five rates about the crossing and inverts it
//! ([`mod@crate::stats::crossing`]). Then a longer probe has to pass on its own. Budgets use each other's probes.
//!
//! Invariant: a rate is reported only where probes surround it; where no line fits, the answer is an interval
//! (`a_cliff_is_an_interval`, `what_has_no_crossing_says_so` in `tests/it/capacity.rs`).

use super::fit::{crossing_step, fit, ln_step, longest};
use super::probe::{WARM_UP_FRAC, assess};
use super::{
    Ask, Capacity, Confirmed, FoundCapacities, Outcome, Probe, ProbeAnswer, ProbeVerdict, STRIDE, SearchPlan,
    rate, step_of,
};
use crate::stats::bursts::{BATCHES, MIN_BATCH};
use crate::stats::{Crossing, StatError};

/// Below half the closed rate strides double; a server that cannot keep its budget at 1/57 of its closed rate is too
/// slow at any.
const LONGEST_STRIDE: i32 = 8 * STRIDE;

/// Bracketing ends when the ends are so near, about 6 %.
const NARROW: i32 = 5;

/// Rates of a refinement, in the order they are asked: from the inside out, so that a slow drift of the machine
/// looks like no slope.
const OFFSETS: [i32; 5] = [0, 1, -1, 2, -2];

/// ln(share) changes by about this between two of them. Less, and noise drowns the slope; more, and the line bends.
const LN_SHARE_APART: f64 = 0.35;

/// They are not further apart than this either, 5 % in rate, for the same reason.
const APART: i32 = 4;

/// Probes further from the centre, 15 %, are not on the line either.
const BEND: i32 = 11;

/// How often the five rates may move after the crossing.
const RECENTRES: usize = 2;

/// The share grows by this factor, or more, from one lattice step to the next, and to four times what is allowed: a
/// cliff. A single server with equal services and a budget of 100 of them has a factor of 6.
const CLIFF: f64 = 12.0;

/// Rates that may be tried to confirm.
const CONFIRMATIONS: usize = 3;

/// t² of the one-sided 95 % bound with 19 degrees of freedom.
const T_SQUARED: f64 = 2.99;

/// More requests than that are not kept in memory, however fast the server.
const MOST_ARRIVALS: f64 = 2e7;

/// What a probe is for: share of the plan's duration, requests wanted over the budget at the limit, requests at least.
#[derive(Clone, Copy)]
struct Purpose {
    duration: f64,
    tail: f64,
    requests: f64,
    /// It may stop when so many times what is allowed were over, and ten more.
    stop: f64,
    confirming: bool,
}

const BRACKET: Purpose = Purpose { duration: 0.25, tail: 3.0, requests: 250.0, stop: 3.0, confirming: false };
const REFINE: Purpose = Purpose {
    duration: 1.0,
    tail: 10.0,
    requests: (BATCHES * MIN_BATCH) as f64,
    stop: 5.0,
    confirming: false,
};
const CONFIRM: Purpose = Purpose { duration: 2.0, tail: 20.0, requests: 2000.0, stop: 1.0, confirming: true };

/// Finds the capacity of every budget of `plan` by asking `probe`.
///
/// Fails on a plan that makes no sense ([`SearchPlan::check`]) and on the first failure of a probe.
pub fn search<E: From<StatError>>(
    plan: &SearchPlan,
    probe: &mut dyn FnMut(&Ask) -> Result<ProbeAnswer, E>,
) -> Result<FoundCapacities, E> {
    plan.check()?;
    let top = step_of(plan.max_per_s).floor() as i32;
    let mut search = CapacitySearch { plan, probe, top, probes: vec![] };
    let budgets = 0..plan.budgets_ns.len();
    let capacities = budgets.map(|index| search.capacity(index)).collect::<Result<_, E>>()?;
    Ok(FoundCapacities { capacities, probes: search.probes })
}

struct CapacitySearch<'a, E> {
    plan: &'a SearchPlan,
    probe: &'a mut dyn FnMut(&Ask) -> Result<ProbeAnswer, E>,
    /// The highest step that the generator can offer.
    top: i32,
    probes: Vec<Probe>,
}

/// Why a search goes no further.
enum Stop<E> {
    /// All probes of the plan were used.
    Spent,
    Failed(E),
}

/// Where the crossing is, and where to confirm it.
struct Located {
    outcome: Outcome,
    /// The highest step that should pass, and how far down to go if it does not.
    confirm: Option<(i32, i32)>,
}

impl Located {
    fn cliff(holds: i32, fails: i32) -> Self {
        let outcome = Outcome::Cliff { holds_per_s: rate(holds), fails_per_s: rate(fails) };
        Self { outcome, confirm: Some((holds, 1)) }
    }
}

impl<E> CapacitySearch<'_, E> {
    fn capacity(&mut self, index: usize) -> Result<Capacity, E> {
        let located = match self.locate(index) {
            Ok(located) => located,
            Err(Stop::Spent) => self.between(index),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let confirmed = match self.confirm(index, located.confirm) {
            Ok(confirmed) => confirmed,
            Err(Stop::Spent) => None,
            Err(Stop::Failed(error)) => return Err(error),
        };
        Ok(Capacity { budget_ns: self.plan.budgets_ns[index], outcome: located.outcome, confirmed })
    }

    fn locate(&mut self, index: usize) -> Result<Located, Stop<E>> {
        // The longer probes of a refinement may unsettle what short ones had bracketed: then again.
        for _ in 0..=RECENTRES {
            while let Some(next) = self.next_to_bracket(index) {
                self.ask(next, BRACKET, index)?;
            }
            let (Some(holds), Some(fails)) = self.ends(index) else { break };
            if let Some(located) = self.refine(index, holds, fails)? {
                return Ok(located);
            }
        }
        Ok(self.between(index))
    }

    /// The step that bracketing or narrowing needs next; `None` when it is done or leads nowhere.
    fn next_to_bracket(&self, index: usize) -> Option<i32> {
        let start = (step_of(self.plan.closed_per_s / 2.0).floor() as i32).min(self.top);
        match self.ends(index) {
            (None, None) => Some(start),
            (Some(holds), None) => (holds < self.top).then(|| (holds + STRIDE).min(self.top)),
            (None, Some(fails)) => {
                // 18, 36, 72, 144 steps below the start: the stride is what lies between, and one.
                let stride = (start - fails + STRIDE).max(STRIDE);
                (stride <= LONGEST_STRIDE).then_some(fails - stride)
            }
            (Some(holds), Some(fails)) => (fails - holds > NARROW).then_some(i32::midpoint(holds, fails)),
        }
    }

    /// The lowest step that does not hold, unless two above it do (a short probe can look worse than it is), and the
    /// highest one below.
    fn ends(&self, index: usize) -> (Option<i32>, Option<i32>) {
        let longest = longest(&self.probes);
        let over = |probe: &Probe| probe.is_over(index, self.plan.allowed_frac());
        let held_above = |step: i32| longest.range(step..).filter(|(_, probe)| !over(probe)).count();
        let fails = longest.iter().find(|(step, probe)| over(probe) && held_above(**step) < 2);
        let fails = fails.map(|(&step, _)| step);
        let below = longest.keys().rev().find(|&&step| fails.is_none_or(|fails| step < fails));
        (below.copied(), fails)
    }

    /// Five rates about the crossing, moved after it if it is elsewhere, and the line through them; `None` where no
    /// line crosses among them.
    fn refine(&mut self, index: usize, holds: i32, fails: i32) -> Result<Option<Located>, Stop<E>> {
        let guess = self.fit(index, (holds - STRIDE, fails + STRIDE)).filter(|line| {
            let step = crossing_step(line);
            step >= f64::from(holds) && step <= f64::from(fails)
        });
        let mut centre =
            guess.map_or(i32::midpoint(holds, fails), |line| crossing_step(&line).round() as i32);
        let mut apart = guess.map_or(2, |line| spacing(line.slope));
        let (mut lowest, mut highest) = (i32::MAX, i32::MIN);
        for _ in 0..=RECENTRES {
            centre = centre.min(self.top);
            for offset in OFFSETS {
                let step = (centre + offset * apart).min(self.top);
                self.ask(step, REFINE, index)?;
                (lowest, highest) = (lowest.min(step), highest.max(step));
            }
            let Some(line) = self.fit(index, (lowest.max(centre - BEND), highest.min(centre + BEND))) else {
                // Too near each other for the share to be seen growing.
                apart = (2 * apart).min(APART);
                continue;
            };
            // In whole strides, so that the probes in common need not run again.
            let strides = (crossing_step(&line) - f64::from(centre)) / f64::from(apart);
            if strides.abs() <= 1.5 {
                break;
            }
            // Far outside, a line tells the direction and not the place.
            centre += apart * strides.clamp(-6.0, 6.0).round() as i32;
        }
        if let Some(cliff) = self.cliff(index)? {
            return Ok(Some(cliff));
        }
        let line = self.fit(index, (lowest.max(centre - BEND), highest.min(centre + BEND)));
        let surrounded = |line: &Crossing| {
            let step = crossing_step(line);
            step > f64::from(lowest) && (step < f64::from(highest) || highest == self.top)
        };
        Ok(line.filter(surrounded).map(|line| self.located(index, &line, centre, apart)))
    }

    fn fit(&self, index: usize, window: (i32, i32)) -> Option<Crossing> {
        fit(&self.probes, index, self.plan.allowed_frac(), window).ok()
    }

    /// A crossing that the probes surround, as an outcome.
    fn located(&self, index: usize, line: &Crossing, centre: i32, apart: i32) -> Located {
        let step = crossing_step(line);
        if step > f64::from(self.top) + 1.0 {
            let outcome = Outcome::Beyond { at_least_per_s: rate(self.top) };
            return Located { outcome, confirm: Some((self.top, 1)) };
        }
        if let Some((holds, fails)) = self.saturation().filter(|&(holds, _)| f64::from(holds) < step) {
            return Located::cliff(holds, fails);
        }
        // A share p passes if p + t·√(φ·p₀/n) ≤ p₀, with the dispersion of the middle probe.
        let arrivals = self.arrivals(CONFIRM, line.x.exp()) as f64 * (1.0 - WARM_UP_FRAC);
        let bound = longest(&self.probes).get(&centre).and_then(|p| p.over.get(index)?.bound.clone());
        let dispersion = bound.map_or(1.0, |b| b.dispersion);
        let margin = (T_SQUARED * dispersion / (arrivals * self.plan.allowed_frac())).sqrt().min(0.75);
        let passes = step + (-margin).ln_1p() / (line.slope * ln_step());
        // A flat line must not lead far from where it was measured.
        let passes = (passes.floor() as i32).max(centre - 6 * apart).min(self.top);
        let outcome = Outcome::Rate { per_s: line.x.exp(), ln_se: line.se };
        Located { outcome, confirm: Some((passes, apart)) }
    }

    /// Two neighbouring steps between which the share jumps over what is allowed. Looks between steps further apart
    /// where the share jumps.
    fn cliff(&mut self, index: usize) -> Result<Option<Located>, Stop<E>> {
        let allowed_frac = self.plan.allowed_frac();
        loop {
            let steps = longest(&self.probes);
            let pairs = steps.iter().zip(steps.iter().skip(1));
            let jump = pairs.map(|((&a, low), (&b, high))| (a, b, low, high)).find(|(_, _, low, high)| {
                let (Some(low), Some(high)) = (low.over.get(index), high.over.get(index)) else {
                    return false;
                };
                let least = (4.0 * allowed_frac).min((1.0 + allowed_frac) / 2.0);
                low.verdict == ProbeVerdict::Passes && high.frac >= least.max(CLIFF * low.frac)
            });
            match jump {
                None => return Ok(None),
                Some((holds, fails, ..)) if fails - holds <= 1 => {
                    return Ok(Some(Located::cliff(holds, fails)));
                }
                Some((holds, fails, ..)) => self.ask(i32::midpoint(holds, fails), REFINE, index)?,
            };
        }
    }

    /// The highest step that keeps up and the lowest that does not, where every step from there on (two at least, so
    /// that it is no accident) fell behind. A large budget and a short probe may show none over the budget there.
    fn saturation(&self) -> Option<(i32, i32)> {
        let longest = longest(&self.probes);
        let (&holds, _) = longest.iter().rev().find(|(_, probe)| !probe.saturated)?;
        let mut behind = longest.range(holds + 1..);
        let (&fails, _) = behind.next()?;
        (behind.next().is_some() && fails - holds <= APART).then_some((holds, fails))
    }

    /// What is known without a line.
    fn between(&self, index: usize) -> Located {
        let longest = longest(&self.probes);
        let over = |probe: &Probe| probe.is_over(index, self.plan.allowed_frac());
        let (holds, _) = self.ends(index);
        // Where shares go up and down, what fails is what fails from there on, or the highest rate that did.
        let highest_held = longest.iter().rev().find(|(_, probe)| !over(probe)).map(|(&step, _)| step);
        let above = longest.keys().find(|&&step| highest_held.is_none_or(|held| step > held)).copied();
        let highest_over = longest.iter().rev().find(|(_, probe)| over(probe)).map(|(&step, _)| step);
        let fails = above.or(highest_over.filter(|_| highest_held < Some(self.top)));
        match (holds, fails) {
            // Where a lower rate failed and the highest ones held, the crossing is somewhere among them.
            (Some(holds), Some(fails)) => Located::cliff(holds.min(fails), holds.max(fails)),
            (Some(holds), None) => {
                let holds = highest_held.unwrap_or(holds);
                if holds < self.top {
                    // The probes were used up on the way.
                    return Located::cliff(holds, self.top);
                }
                let outcome = Outcome::Beyond { at_least_per_s: rate(holds) };
                Located { outcome, confirm: Some((holds, 1)) }
            }
            (None, _) => {
                let lowest = longest.first_key_value();
                let share = |probe: &Probe| probe.over.get(index).map_or(1.0, |over| over.frac);
                let (lowest_per_s, over_frac) =
                    lowest.map_or((self.plan.closed_per_s / 2.0, 1.0), |(&step, p)| (rate(step), share(p)));
                Located { outcome: Outcome::None { lowest_per_s, over_frac }, confirm: None }
            }
        }
    }

    /// One long probe that passes on its own, at the step that should or a little below.
    fn confirm(&mut self, index: usize, at: Option<(i32, i32)>) -> Result<Option<Confirmed>, Stop<E>> {
        let Some((mut step, down)) = at else { return Ok(None) };
        for _ in 0..CONFIRMATIONS {
            let probe = self.ask(step, CONFIRM, index)?;
            if let Some(over) = probe.over.get(index).filter(|over| over.verdict == ProbeVerdict::Passes)
                && let Some(bound) = &over.bound
            {
                return Ok(Some(Confirmed {
                    per_s: probe.ask.per_s,
                    over_frac: over.frac,
                    upper_frac: bound.upper_frac,
                    n_eff: bound.n_eff,
                    requests: probe.requests,
                }));
            }
            step -= down;
        }
        Ok(None)
    }

    /// The probe at `step`, run unless an earlier one tells as much.
    fn ask(&mut self, step: i32, purpose: Purpose, index: usize) -> Result<&Probe, Stop<E>> {
        let per_s = rate(step);
        let arrivals = self.arrivals(purpose, per_s);
        let allowed_frac = self.plan.allowed_frac();
        let known = self.probes.iter().position(|p| {
            let same = p.ask.step == step && p.ask.confirming == purpose.confirming;
            same && p.ask.arrivals >= arrivals && (!p.stopped || p.is_over(index, allowed_frac))
        });
        if let Some(known) = known {
            return Ok(&self.probes[known]);
        }
        if self.probes.len() >= self.plan.max_probes {
            return Err(Stop::Spent);
        }
        let count = (purpose.stop * allowed_frac * arrivals as f64) as usize + 10;
        let stop_over = (self.plan.budgets_ns[index], count);
        let ask = Ask { step, per_s, arrivals, confirming: purpose.confirming, stop_over };
        let answer = (self.probe)(&ask).map_err(Stop::Failed)?;
        let at = self.probes.len();
        self.probes.push(assess(self.plan, &ask, &answer));
        Ok(&self.probes[at])
    }

    /// Requests of a probe: what its duration holds, and enough for its share.
    fn arrivals(&self, purpose: Purpose, per_s: f64) -> usize {
        let in_time = per_s * self.plan.probe_ns as f64 / 1e9 * purpose.duration;
        // The queue's warm-up is not counted.
        let needed = (purpose.tail / self.plan.allowed_frac()).max(purpose.requests) / (1.0 - WARM_UP_FRAC);
        in_time.max(needed).min(MOST_ARRIVALS).ceil() as usize + 1
    }
}

/// Lattice steps between the rates of a refinement.
fn spacing(slope: f64) -> i32 {
    ((LN_SHARE_APART / (slope * ln_step())).round().clamp(1.0, f64::from(APART))) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_an_interval_are_in_order_also_where_shares_go_up_and_down() {
        let plan = SearchPlan {
            budgets_ns: vec![100],
            quantile: 0.9,
            closed_per_s: 1000.0,
            max_per_s: 1e6,
            probe_ns: 1_000_000,
            max_probes: 0,
        };
        let probe = |(step, latency_ns): (i32, u64)| {
            let ask =
                Ask { step, per_s: rate(step), arrivals: 500, confirming: false, stop_over: (100, 500) };
            assess(&plan, &ask, &ProbeAnswer { latency_ns: vec![latency_ns; 500], stopped: false })
        };
        let located = |seen: &[(i32, u64)]| {
            let probes = seen.iter().copied().map(probe).collect();
            let mut none = |_: &Ask| Err(StatError::NotFinite { index: 0 });
            CapacitySearch { plan: &plan, probe: &mut none, top: 60, probes }.between(0).outcome
        };
        let cliff = |holds, fails| Outcome::Cliff { holds_per_s: rate(holds), fails_per_s: rate(fails) };
        assert_eq!(located(&[(10, 5), (12, 500)]), cliff(10, 12));
        assert_eq!(located(&[(10, 500), (12, 5), (14, 5)]), cliff(10, 14));
        assert_eq!(located(&[(10, 5), (12, 5)]), cliff(12, 60), "no probe was left for more");
        assert_eq!(located(&[(60, 5)]), Outcome::Beyond { at_least_per_s: rate(60) });
        assert_eq!(located(&[(10, 500)]), Outcome::None { lowest_per_s: rate(10), over_frac: 1.0 });
    }
}
