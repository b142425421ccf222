//! Prints what the rules of a check come to on simulated cases: how often a real change is confirmed, how many pairs that
//! takes, and how often something is called changed that is not, beside the same for the rules before. Two minutes:
//! `cargo bench --bench decisions`. Nothing is asserted here: `tests/it/decisions.rs` does, on a smaller version.

#[path = "../tests/it/support/cases.rs"]
mod cases;

use cases::{Checks, Noise};

const SEED: u64 = 20_260_101;

fn main() {
    // As in `verdicts`: `cargo test --all-targets` runs the program without `--bench`.
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    if !has("--bench") || has("--test") || has("--list") {
        println!("The table takes two minutes: cargo bench --bench decisions");
        return;
    }
    println!(
        "Checks with looks at 5, 8, 12 and 20 pairs, margins 1 % and 3 % (p99), mean, p50 and p99 judged"
    );
    println!("sd: between processes; p99: the spread of p99 beyond that");
    println!(
        "                                          now: right  pairs   wrong      before: right  pairs   wrong"
    );
    for (name, process, tail, effect, count, checks) in [
        ("+2 % in 1 of 50 cases, sd 1 %, p99 2 %", 0.01, 0.02, 0.02, 50, 200),
        ("+2 % alone,            sd 1 %, p99 2 %", 0.01, 0.02, 0.02, 1, 2000),
        ("+3 % alone,            sd 1 %, p99 5 %", 0.01, 0.05, 0.03, 1, 2000),
        ("+5 % alone,            sd 1 %, p99 2 %", 0.01, 0.02, 0.05, 1, 2000),
        ("-5 % alone,            sd 1 %, p99 5 %", 0.01, 0.05, -0.05, 1, 2000),
        ("-5 % alone,            sd 1 %, p99 2 %", 0.01, 0.02, -0.05, 1, 2000),
        ("no change, 1 case,     sd 1 %, p99 2 %", 0.01, 0.02, 0.0, 1, 2000),
        ("no change, 1 case,     sd 10 %, p99 5 %", 0.1, 0.05, 0.0, 1, 2000),
        ("no change, 50 cases,   sd 1 %, p99 2 %", 0.01, 0.02, 0.0, 50, 200),
        ("no change, 50 cases,   sd 10 %, p99 5 %", 0.1, 0.05, 0.0, 50, 200),
    ] {
        let checks_of = Checks { noise: Noise { process, tail }, effect: f64::ln_1p(effect), cases: count };
        let (now, before) = checks_of.simulate(checks, SEED);
        let shown = |r: cases::Rates| {
            format!("{:6.2} %  {:5.1}  {:6.2} %", 100.0 * r.right, r.pairs, 100.0 * r.wrong)
        };
        println!("{name:<42}{}        {}", shown(now), shown(before));
    }
}
