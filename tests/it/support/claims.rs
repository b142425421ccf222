//! The correction of simulated claims for their number, as the design has it. Shared by `tests/it/verdicts.rs` and
//! `benches/verdicts.rs`.

use trt_perf::stats::multiplicity::FALSE_DISCOVERY_RATE;
use trt_perf::stats::{Decision, Ruling, benjamini_hochberg};

/// Whether a regression or an improvement is still claimed once it is corrected among all of a run; the two are two
/// families. A ruling without the claim enters with p = 1, which only makes p values larger. Stopping where p is small makes
/// it too small: times the number of looks (Bonferroni) it is a valid one.
pub fn any_stays(rulings: &[Ruling], looks: usize) -> bool {
    let stays = |claim: Decision, p: fn(&Ruling) -> f64| {
        let of = |r: &Ruling| if r.decision == claim { (p(r) * looks as f64).min(1.0) } else { 1.0 };
        let adjusted = benjamini_hochberg(&rulings.iter().map(of).collect::<Vec<_>>());
        adjusted.expect("p values").iter().any(|p| *p <= FALSE_DISCOVERY_RATE)
    };
    stays(Decision::Regressed, |r| r.p_regressed) || stays(Decision::Improved, |r| r.p_improved)
}
