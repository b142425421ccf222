//! `cargo trt-perf compare FOLDER FOLDER`, the real binary on `.npy` files made here.

use crate::support::{Ran, Sandbox};
use trt_perf::rng::Rng;
use trt_perf::tensor::write_samples;

/// `n` processes of 2000 latencies around `mean_ns`; all processes of pair i share a level that differs by `between`.
fn write(s: &Sandbox, folder: &str, n: usize, mean_ns: f64, between: f64, seed: u64) {
    let dir = s.path(folder);
    std::fs::create_dir_all(&dir).expect("a folder");
    let mut rng = Rng::new(seed);
    for i in 1..=n {
        let level = mean_ns * (1.0 + between * Rng::stream(99, i as u64).normal() + 0.0005 * rng.normal());
        let samples: Vec<u64> = (0..2000).map(|_| (level * (1.0 + 0.01 * rng.normal())) as u64).collect();
        write_samples(&dir.join(format!("run{i}.npy")), &samples).expect("samples");
    }
}

fn compare(s: &Sandbox, args: &[&str]) -> Ran {
    s.run(".", &[&["compare"], args].concat())
}

#[test]
fn how_the_folders_were_measured_decides_what_can_be_said() {
    let s = Sandbox::new();
    write(&s, "before", 10, 1e6, 0.02, 1);
    write(&s, "after", 10, 1.02e6, 0.02, 2);
    write(&s, "much-slower", 10, 1.4e6, 0.02, 3);
    let said = compare(&s, &["before", "after", "--paired", "--fail-on-regression"]);
    assert_eq!(said.code, Some(100), "{}{}", said.out, said.err);
    for part in
        ["Performance has regressed: ", "base: before (10 processes", "judged as pairs", "p50 ", "p99 "]
    {
        assert!(said.out.contains(part), "{part:?} is not in\n{}", said.out);
    }
    // Unpaired, the spread between processes hides 2 %; so does what two sessions may differ by.
    for args in [&["before", "after", "--same-session"][..], &["before", "after"]] {
        let said = compare(&s, args);
        assert!(said.code == Some(0) && said.out.contains("Inconclusive"), "{}", said.out);
    }
    let said = compare(&s, &["before", "after", "--strict"]);
    assert!(
        said.code == Some(102) && said.out.contains("two sessions, assumed to differ by 2%"),
        "{}",
        said.out
    );
    // More than that is seen, and stays advice until somebody says how much sessions differ.
    let failing = ["before/", "much-slower", "--fail-on-regression", "--assume-session-sd", "2%"];
    let said = compare(&s, &failing[..3]);
    assert!(said.code == Some(0) && said.out.contains("advisory, fails nothing"), "{}", said.out);
    let said = compare(&s, &failing);
    assert!(said.code == Some(100) && !said.out.contains("advisory"), "{}", said.out);
    let said = compare(&s, &["much-slower", "before", "--fail-on-regression"]);
    assert!(said.code == Some(0) && said.out.contains("Performance has improved: "), "{}", said.out);
}

#[test]
fn machines_read_the_usual_comparison() {
    let s = Sandbox::new();
    write(&s, "a", 8, 1e6, 0.0, 1);
    write(&s, "b", 8, 1.1e6, 0.0, 2);
    let said = compare(&s, &["a", "b", "--same-session", "--message-format", "json"]);
    let messages: Vec<serde_json::Value> =
        said.out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let c = messages.iter().find(|m| m["reason"] == "comparison").expect("a comparison");
    assert_eq!(
        (c["verdict"].as_str(), c["schema"].as_str()),
        (Some("regressed"), Some("trt-perf/message@1"))
    );
    let names: Vec<&str> =
        c["metrics"].as_array().expect("metrics").iter().filter_map(|m| m["metric"].as_str()).collect();
    assert_eq!(names, ["mean", "p50", "p99"]);
    let change = c["metrics"][0]["change"]["est"].as_f64().expect("a number");
    assert!((change - 0.1).abs() < 0.005, "{change}");
    assert!(messages.iter().any(|m| m["reason"] == "note"), "{}", said.out);
}

#[test]
fn files_pair_in_the_order_people_count() {
    let s = Sandbox::new();
    // Every pair has a level of its own, twice that of the one before: paired otherwise, nothing would be seen.
    for (folder, factor) in [("a", 1.0), ("b", 1.05)] {
        let folder = s.path(folder);
        std::fs::create_dir(&folder).expect("a folder");
        for i in 1..=12_u32 {
            let level = 1e5 * 2_f64.powi(i as i32) * factor * (1.0 + 0.0001 * f64::from(i % 3));
            let samples: Vec<u64> = (0..1500_u64).map(|k| level as u64 + k * 7919 % 100).collect();
            // Other names on one side: the order counts.
            let name = if factor > 1.0 { format!("{i}.npy") } else { format!("run{i}.npy") };
            write_samples(&folder.join(name), &samples).expect("samples");
        }
    }
    let said = compare(&s, &["a", "b", "--paired"]);
    assert!(said.out.contains("Performance has regressed: ") && said.out.contains("+5.0"), "{}", said.out);
    assert!(said.err.contains("run1.npy with 1.npy"), "{}", said.err);
    let said = compare(&s, &["a", "b", "--same-session"]);
    assert!(said.out.contains("Inconclusive"), "{}", said.out);
}

#[test]
fn the_same_files_never_regress() {
    let s = Sandbox::new();
    write(&s, "noisy", 9, 1e6, 0.02, 1);
    std::fs::create_dir(s.path("flat")).expect("a folder");
    for i in 0..5 {
        write_samples(&s.path(format!("flat/{i}.npy")), &[1000; 1200]).expect("samples");
    }
    for folder in ["noisy", "flat"] {
        for option in [&["--paired"][..], &["--same-session"], &[]] {
            let args = [&[folder, folder, "--fail-on-regression"], option].concat();
            let said = compare(&s, &args);
            assert_eq!(said.code, Some(0), "{args:?}: {}", said.out);
            assert!(said.out.contains("No change") || said.out.contains("Inconclusive"), "{}", said.out);
        }
    }
}

#[test]
fn what_cannot_be_compared_is_named_with_the_next_step() {
    let s = Sandbox::new();
    write(&s, "good", 4, 1e6, 0.0, 1);
    write(&s, "two", 2, 1e6, 0.0, 2);
    for folder in ["empty", "text", "floats", "short"] {
        std::fs::create_dir(s.path(folder)).expect("a folder");
    }
    std::fs::write(s.path("empty/notes.txt"), "x").expect("written");
    std::fs::write(s.path("text/a.npy"), "x").expect("written");
    let mut floats = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    floats.extend(format!("{:<117}\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }").bytes());
    floats.extend(1.5_f64.to_le_bytes());
    std::fs::write(s.path("floats/a.npy"), floats).expect("written");
    write_samples(&s.path("short/a.npy"), &[5]).expect("written");

    for (args, parts) in [
        (&["good", "empty"][..], &["empty holds no .npy file", "one file per process"][..]),
        (&["good", "text"], &["text/a.npy", "numpy.save"]),
        (&["good", "floats"], &["floats/a.npy", "f64", "uint64"]),
        (&["good", "short"], &["short/a.npy", "two at least"]),
        (&["good", "two", "--paired"], &["good holds 4", "two holds 2"]),
        (&["good", "HEAD"], &["good is a folder of samples", "two folders"]),
        (&["main", "HEAD", "--paired"], &["not both folders"]),
        (&["good", "two", "--paired", "--same-session"], &["cannot be used with"]),
    ] {
        let said = compare(&s, args);
        assert_eq!(said.code, Some(2), "{args:?}: {}", said.err);
        for part in parts {
            assert!(said.err.contains(part), "{args:?}: {part:?} is not in\n{}", said.err);
        }
    }
    let said = compare(&s, &["good", "two", "--same-session"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.out.contains("needs 4 files, has 2") && said.err.contains("a verdict needs 4"),
        "{}",
        said.err
    );
}
