//! The rule that decided pairs before ranks did, for comparison: Student's t, with the consent of the sign-flip test from
//! eight pairs on.

use trt_perf::stats::{Decision, Rule, Test, decide, log_ratios, paired_t};

pub fn former(base: &[f64], head: &[f64], rule: Rule) -> Decision {
    let d = log_ratios(base, head).expect("usable");
    let decision =
        decide(&paired_t(&d, 0.0).expect("usable"), &Test::T, &rule).expect("a valid rule").decision;
    if d.len() < 8 {
        return decision;
    }
    let above = |bound: f64| p_flip(&d.iter().map(|x| x - bound).collect::<Vec<_>>());
    let below = |bound: f64| p_flip(&d.iter().map(|x| bound - x).collect::<Vec<_>>());
    let consents = match decision {
        Decision::Regressed => above(rule.margin) <= rule.alpha / 2.0,
        Decision::Improved => below(-rule.margin) <= rule.alpha / 2.0,
        Decision::Unchanged | Decision::ChangedWithinMargin => {
            above(-rule.margin) <= rule.alpha && below(rule.margin) <= rule.alpha
        }
        Decision::Inconclusive => true,
    };
    if consents { decision } else { Decision::Inconclusive }
}

/// Share of the patterns of signs whose sum is at least the observed one, by the sorted sums of both halves.
fn p_flip(x: &[f64]) -> f64 {
    let sizes: Vec<f64> = x.iter().map(|v| v.abs()).collect();
    let threshold = x.iter().sum::<f64>() - 1e-12 * sizes.iter().sum::<f64>();
    let sums = |half: &[f64]| {
        let mut sums = vec![0.0];
        for size in half {
            sums = sums.iter().flat_map(|s| [s - size, s + size]).collect();
        }
        sums.sort_by(f64::total_cmp);
        sums
    };
    let (left, right) = sizes.split_at(sizes.len() / 2);
    let (left, right) = (sums(left), sums(right));
    let (mut first, mut count) = (right.len(), 0);
    for sum in &left {
        while first > 0 && sum + right[first - 1] >= threshold {
            first -= 1;
        }
        count += right.len() - first;
    }
    count as f64 / (left.len() * right.len()) as f64
}
