//! Prints the statistical acceptance table: how often our verdicts are false, how often they see a real
//! change, and what criterion's rule, NVBench's rule and a Mann–Whitney test make of the very same simulated
//! data. Takes a few minutes: `cargo bench --bench verdicts`. Nothing is asserted here: `tests/it/verdicts.rs` does, on
//! a smaller version.

#[path = "../tests/it/support/claims.rs"]
mod claims;
#[path = "verdicts/former.rs"]
mod former;
#[path = "../tests/it/support/noise.rs"]
mod noise;
#[path = "../tests/it/support/simulate.rs"]
mod simulate;

use noise::{Noise, Pairs, Processes, checked, checks, covered, decided, unpaired};
use simulate::{Cell, Rates, Share, World, moderated, power_at_mde, sequential, stored, suites};
use trt_perf::rng::Rng;
use trt_perf::stats::{Decision, LOOKS, Rule, SessionSpread, Test, decide, look_alpha, welch};

const SEED: u64 = 20_260_101;
const COMPARISONS: u32 = 4000;
const OTHERS: u32 = 400;

fn main() {
    // Cargo passes `--bench` to benchmarks only; `cargo test --all-targets` runs the program without it. `--test` is
    // how criterion's benchmarks are asked for a quick run.
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    if !has("--bench") || has("--test") || has("--list") {
        println!("The table takes minutes: cargo bench --bench verdicts");
        return;
    }
    noisy_checks();
    noisy_arms();
    noisy_days();
    same_code();
    changed_code();
    tails();
    minimum_detectable();
    looks();
    many_cases();
    stored_records();
    histories();
}

fn header(title: &str, columns: &str) {
    println!("\n{title}\n{columns}");
}

fn percent(rate: f64) -> String {
    format!("{:6.2} %", 100.0 * rate)
}

fn others(rates: &Rates) -> String {
    [rates.criterion_one_process, rates.criterion_pooled, rates.nvbench, rates.mann_whitney]
        .map(|share| percent(share.rate()))
        .join("   ")
}

/// Any verdict where nothing changed, and `Regressed` where something did, of checks with looks at up to 20 pairs.
fn noisy_checks() {
    header(
        "Checks with looks at 5, 8, 12, 20 pairs, margin 1 %: share called changed (ours: +, Regressed; 0, any verdict)",
        "world                        change   ours      order unknown  before    criterion   NVBench   Mann-Whitney",
    );
    let two_speeds = Noise::TwoSpeeds(0.2, 0.3);
    for (name, sd, noise, changes) in [
        ("normal, sd 0.3 %", 0.003, Noise::Normal, &[0.0, 0.015, 0.02][..]),
        ("normal, sd 1 %", 0.01, Noise::Normal, &[0.0, 0.02, 0.025, 0.05]),
        ("normal, sd 2 %", 0.02, Noise::Normal, &[0.0, 0.05]),
        ("one process x 10, sd 0.5 %", 0.005, Noise::OneSlow(10.0), &[0.0, 0.05]),
        ("20 % of them +30 %, sd 0.5 %", 0.005, two_speeds, &[0.0, 0.05, 0.1]),
        ("second +1 %, sd 0.3 %", 0.003, Noise::Order(0.01), &[0.0, 0.015, 0.02]),
        ("second +1 %, sd 0.1 %", 0.001, Noise::Order(0.01), &[0.0, 0.015, 0.02]),
    ] {
        for &change in changes {
            let rates = all_rules(Processes::new(sd, noise), f64::ln_1p(change));
            let rates = rates.map(|share| percent(share.rate())).join("   ");
            println!("{name:<28} {:5.1} %   {rates}", 100.0 * change);
        }
    }
}

/// Ours, ours without the order, what was ours; criterion's rule, NVBench's and Mann and Whitney's for the first 200.
fn all_rules(world: Processes, effect: f64) -> [Share; 6] {
    let margin = 0.01_f64.ln_1p();
    let rule = Rule::new(margin).at_alpha(look_alpha(0.05).expect("a simulated rate"));
    let told = |d: Decision| d == Decision::Regressed || (effect == 0.0 && d == Decision::Improved);
    let mut shares = [Share::default(); 6];
    let mut others = 0;
    checks(world, effect, COMPARISONS / 2, |pairs: &Pairs, rng: &mut Rng| {
        shares[0].count(told(checked(pairs, margin, true)));
        shares[1].count(told(checked(pairs, margin, false)));
        shares[2].count(told(decided(|n| former::former(&pairs.base[..n], &pairs.head[..n], rule))));
        if others < OTHERS / 2 {
            others += 1;
            let mut of = |arm: &[f64]| -> Vec<Vec<f64>> {
                arm.iter().map(|m| (0..50).map(|_| m * (1.0 + 0.01 * rng.normal())).collect()).collect()
            };
            let (base, head) = (of(&pairs.base), of(&pairs.head));
            let (all_base, all_head) = (base.concat(), head.concat());
            shares[3].count(simulate::criterion_changed(&base[0], &head[0], rng));
            shares[4].count(simulate::nvbench_changed(&all_base, &all_head));
            shares[5].count(simulate::mann_whitney_changed(&all_base, &all_head));
        }
    });
    shares
}

fn noisy_arms() {
    header(
        "Two arms of one session that were no pairs, margin 1 %: verdicts now (before), for processes an arm",
        "world                        change    3                    4                    5                    8",
    );
    let fair = |slower| Noise::TwoSpeeds(0.5, slower);
    for (name, sd, noise, change) in [
        ("normal, sd 2 %", 0.02, Noise::Normal, 0.0),
        ("normal, sd 20 %", 0.2, Noise::Normal, 0.0),
        ("skewed, 10 % lognormal", 0.0, Noise::Skewed(0.1), 0.0),
        ("half of them +3 %", 0.003, fair(0.03), 0.0),
        ("half of them +30 %", 0.003, fair(0.3), 0.0),
        ("20 % of them +30 %", 0.003, Noise::TwoSpeeds(0.2, 0.3), 0.0),
        ("normal, sd 0.3 %", 0.003, Noise::Normal, 0.02),
        ("normal, sd 1 %", 0.01, Noise::Normal, 0.05),
        ("normal, sd 2 %", 0.02, Noise::Normal, 0.05),
        ("normal, sd 2 %", 0.02, Noise::Normal, 0.1),
    ] {
        let world = Processes::new(sd, noise);
        let cells = [3, 4, 5, 8].map(|n| {
            let effect = f64::ln_1p(change);
            let (now, before) =
                (unpaired(world, n, effect, 10_000), former_unpaired(world, n, effect, 10_000));
            format!("{} ({})", percent(now.rate()), percent(before.rate()))
        });
        println!("{name:<28} {:5.1} %  {}", 100.0 * change, cells.join("  "));
    }
}

fn former_unpaired(world: Processes, n: usize, effect: f64, runs: u32) -> Share {
    let mut share = Share::default();
    for i in 0..runs {
        let mut rng = Rng::stream(21, u64::from(i));
        let (base, head) = (world.arm(n, 0.0, &mut rng), world.arm(n, effect, &mut rng));
        let estimate = welch(&base, &head, SessionSpread::NONE).expect("usable");
        let ruling = decide(&estimate, &Test::T, &Rule::new(0.01_f64.ln_1p())).expect("a valid rule");
        share.count(matches!(ruling.decision, Decision::Regressed | Decision::Improved));
    }
    share
}

fn noisy_days() {
    header(
        "How often a 95 % interval holds the true change on a day with so many times the calibrated noise",
        "pairs    0.5         1           2           3",
    );
    for pairs in 3..=8 {
        let rates = [0.5, 1.0, 2.0, 3.0].map(|times| percent(covered(pairs, times, 10_000).rate()));
        println!("{pairs:5}   {}", rates.join("    "));
    }
}

fn same_code() {
    println!(
        "The other rules run with their default settings: criterion ±1 %, NVBench's noise, Mann-Whitney 5 %."
    );
    println!("`criterion` sees one process an arm, as in use; the rest see the samples of all processes.");
    header(
        "Same code in both arms, 5 pairs, margin 1 %: share called changed",
        "between  rho    paired t (5 %)   verdicts   criterion  crit.pool   NVBench    Mann-Whitney",
    );
    let (mut inside, mut cells) = (0, 0);
    for between in [0.0, 0.003, 0.01, 0.02] {
        for rho in [0.0, 0.5, 0.9] {
            let rates = Cell::same_code(between, rho).simulate(COMPARISONS, OTHERS, SEED);
            let ok = rates.t.is_plausible(0.05, 0.95);
            cells += 1;
            inside += u32::from(ok);
            println!(
                "{:5.1} %  {rho:3.1}    {} {}   {}   {}",
                100.0 * between,
                percent(rates.t.rate()),
                if ok { "ok   " } else { "(out)" },
                percent(rates.verdicts()),
                others(&rates)
            );
        }
    }
    println!(
        "paired t inside the 95 % binomial interval of 5 % in {inside} of {cells} cells (11 or 12 expected)"
    );
}

fn changed_code() {
    header(
        "Code that did change: share called changed (ours: Regressed)",
        "between  change  margin  pairs   Regressed   criterion  crit.pool   NVBench    Mann-Whitney",
    );
    for (between, change, margin, pairs) in
        [(0.003, 0.05, 0.01, 5), (0.003, 0.02, 0.01, 5), (0.003, 0.01, 0.005, 15), (0.01, 0.05, 0.01, 5)]
    {
        // The targets are about the spread between processes, so iterations must not add much to it.
        let mut cell = Cell::changed(between, change, margin, pairs);
        cell.world.iterations = 400;
        let rates = cell.simulate(COMPARISONS, OTHERS, SEED);
        println!(
            "{:5.1} %  {:4.1} %  {:4.1} %  {pairs:5}   {}   {}",
            100.0 * between,
            100.0 * change,
            100.0 * margin,
            percent(rates.regressed.rate()),
            others(&rates)
        );
    }
}

fn tails() {
    header("p99 of 2000 iterations, margin 3 %", "between  change  pairs   verdicts   settled");
    for (change, pairs) in [(0.0, 8), (0.0, 12), (0.1, 8), (0.1, 12)] {
        let world = World { iterations: 2000, ..World::new(0.01, 0.5) };
        let rule = Rule::for_tail(0.03_f64.ln_1p());
        let cell = Cell { world, effect: f64::ln_1p(change), rule, pairs, quantile: Some(0.99) };
        let rates = cell.simulate(500, 0, SEED);
        println!(
            "{:5.1} %  {:4.1} %  {pairs:5}   {}   {}",
            100.0 * world.between,
            100.0 * change,
            percent(rates.verdicts()),
            percent(rates.settled.rate())
        );
    }
}

fn minimum_detectable() {
    header(
        "Power at the minimum detectable effect (nominal 90 %)",
        "pairs   true spread   spread as printed",
    );
    for pairs in [5, 8, 10, 12, 15, 20, 30] {
        let (truth, printed) = power_at_mde(pairs, if pairs < 20 { 10_000 } else { 2000 }, SEED);
        println!("{pairs:5}   {}      {}", percent(truth.rate()), percent(printed.rate()));
    }
}

fn looks() {
    header(
        "Sequential looks at 5, 8, 12, 20 pairs",
        "overall   same code: p < threshold at any look   on the margin: Regressed   equivalence claimed",
    );
    for overall in [0.05, 0.01] {
        let (any, regressed, equivalent) = sequential(overall, 20_000, SEED);
        println!(
            "{}   {}   {}   {}",
            percent(overall),
            percent(any.rate()),
            percent(regressed.rate()),
            percent(equivalent.rate())
        );
    }
}

fn many_cases() {
    header(
        "50 unchanged cases: share of runs with any verdict",
        "between  pairs        uncorrected   corrected",
    );
    let look_alpha = look_alpha(0.05).expect("a simulated rate");
    for (between, looks, alpha) in [
        (0.003, &[5][..], 0.05),
        (0.01, &[5], 0.05),
        (0.02, &[5], 0.05),
        (0.02, &[10], 0.05),
        (0.01, &LOOKS, look_alpha),
        (0.02, &LOOKS, look_alpha),
    ] {
        let (before, after) = suites(50, looks, alpha, between, 1000, SEED);
        let pairs = looks.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        println!(
            "{:5.1} %  {pairs:<10}   {}      {}",
            100.0 * between,
            percent(before.rate()),
            percent(after.rate())
        );
    }
}

fn stored_records() {
    header(
        "Against a stored record of the same code, 5 processes an arm, 0.3 % between them, margin 1 %: verdicts",
        "sessions differ by   ignoring it   allowing for it (5, 10, 20 past sessions)",
    );
    for session in [0.0, 0.005, 0.01, 0.02] {
        let ignoring = stored(session, 5, 10_000, SEED).0;
        let allowing =
            [5, 10, 20].map(|history| percent(stored(session, history, 10_000, SEED).1.rate())).join("   ");
        println!("{:5.1} %              {}      {allowing}", 100.0 * session, percent(ignoring.rate()));
    }
}

fn histories() {
    header(
        "Five pairs, 0.5 % between processes, spread moderated by 20 past comparisons: p < 5 %",
        "spreads vary (log sd)   same code: plain  moderated   +1 %: plain  moderated",
    );
    for vary in [0.0, 0.3, 0.7] {
        let (null_plain, null_with) = moderated(vary, 0.0, 10_000, SEED);
        let (power_plain, power_with) = moderated(vary, 0.01, 10_000, SEED);
        let [a, b, c, d] =
            [null_plain, null_with, power_plain, power_with].map(|share| percent(share.rate()));
        println!("{vary:5.1}                      {a}    {b}       {c}   {d}");
    }
}
