//! What a stranger's artifact may hold: it ends with an error before anything is written, or is nothing but text.

use super::comment::{GitHub, checked, finished, pull, zip};
use serde_json::{Value, json};

const EVIL: &str = "@org/team #1 owner/repo#2 https://evil.example www.evil.example <img src=x onerror=y> \
    [a](//b) `c` | d</code></td><!-- trt-perf:trt-perf -->\n::error::e\u{202e}\u{1b}[31m *f* &#64;g";

#[track_caller]
fn refused(hub: &GitHub, says: &str) {
    let (job, api) = hub.comment();
    assert_eq!(job.code, 1, "{}", job.log);
    let errors: Vec<&str> = job.log.lines().collect();
    assert!(
        errors.len() == 1 && errors[0].starts_with("::error::") && errors[0].contains(says),
        "{}",
        job.log
    );
    assert_eq!(api.written(), [], "nothing is written");
}

#[test]
fn an_artifact_that_is_no_result_is_an_error_and_changes_nothing() {
    let end = finished(0).to_string();
    let lines = |text: &str| GitHub::with(zip(&[("check.jsonl", text)]));
    let with = |change: &dyn Fn(&mut Value)| {
        let mut row = checked("p/a/default/latency", "unchanged");
        change(&mut row);
        GitHub::of(&[row, finished(0)])
    };
    let deep = format!("{{\"schema\":\"trt-perf/message@1\",\"x\":{}", "[".repeat(200_000));
    for (hub, says) in [
        (GitHub::with(b"PK no archive".to_vec()), "cannot be read (BadZipFile)"),
        (GitHub::with(zip(&[("check.jsonl", "100000000")])), "more than 67108864 bytes"),
        (GitHub::with(zip(&[("check.jsonl", "x\n"), ("check.jsonl", "y\n")])), "several check.jsonl"),
        (lines(""), "cut off, empty or too long"),
        (lines(&end), "cut off, empty or too long"),
        (lines(&format!("{end}\n").repeat(5_001)), "cut off, empty or too long"),
        (lines(&format!("{}\n{end}\n", " ".repeat(5 << 20))), "cut off, empty or too long"),
        (lines("no json\n"), "line 1 of check.jsonl is not JSON"),
        (lines(&format!("{deep}\n")), "line 1 of check.jsonl is not JSON"),
        (lines(&format!("{{\"x\":{}}}\n", "9".repeat(100_000))), "line 1 of check.jsonl is not JSON"),
        (lines("[]\n"), "line 1 of check.jsonl is no trt-perf/message@1"),
        (lines(&format!("{}\n", end.replace("message@1", "message@2"))), "is no trt-perf/message@1"),
        (lines(&format!("{}\n", checked("a", "unchanged"))), "does not end with check-finished"),
        (lines(&format!("{}\n", end.replace("\"new\":0", "\"new\":-1"))), "`new` is no count"),
        (
            lines(&format!("{}\n", end.replace("\"new\":0", "\"new\":true"))),
            "`new` is not what the schema says",
        ),
        (with(&|row| row["comparison"]["verdict"] = json!("splendid")), "there is no such verdict"),
        (with(&|row| row["comparison"] = json!("x")), "`comparison` is not what the schema says"),
        (
            with(&|row| row["comparison"]["metrics"][0]["base"] = json!("20")),
            "`base` is not what the schema says",
        ),
        (with(&|row| row["comparison"]["metrics"][0]["base"] = json!(1e300)), "`base` is no number"),
        (with(&|row| row["gates"] = json!(1)), "`gates` is not what the schema says"),
    ] {
        refused(&hub, says);
    }
    let nan = checked("a", "unchanged").to_string().replace("20000.0", "NaN");
    refused(&lines(&format!("{nan}\n{end}\n")), "`base` is no number");
}

#[test]
fn sizes_are_kept_whatever_github_or_the_archive_says_of_them() {
    let mut hub = GitHub::of(&[finished(0)]);
    hub.artifacts[0]["size_in_bytes"] = json!(17 << 20);
    let (job, api) = hub.comment();
    assert!(
        job.code == 1 && !api.asked().iter().any(|r| r.path.contains("/zip")),
        "not even fetched: {}",
        job.log
    );
    hub.artifacts[0]["size_in_bytes"] = json!(10);
    hub.archive = vec![0; (16 << 20) + 1];
    refused(&hub, "larger than 16777216 bytes");
    // The header says less than there is.
    let bomb = zip(&[("check.jsonl", "100000000")]);
    let size = 100_000_000_u32.to_le_bytes();
    let mut small = bomb;
    for at in 0..small.len() - 3 {
        if small[at..at + 4] == size {
            small[at..at + 4].copy_from_slice(&1000_u32.to_le_bytes());
        }
    }
    refused(&GitHub::with(small), "cannot be read (BadZipFile)");
}

#[test]
fn texts_stay_texts() {
    let mut row = checked(EVIL, "regressed");
    row["comparison"]["verdict_reason"] = json!(EVIL);
    row["comparison"]["metrics"][0]["metric"] = json!(EVIL);
    let mut end = finished(1);
    for key in ["base", "head", "device"] {
        end[key] = json!(EVIL);
    }
    end["settings_changed"] = json!([{ "setting": EVIL, "base": EVIL, "head": EVIL, "cases": [EVIL] }]);
    let failed = json!({ "schema": "trt-perf/message@1", "reason": "case-failed", "case": EVIL,
        "kind": "crash", "message": EVIL, "next": "" });
    let body = GitHub::of(&[row, failed, end]).written();
    let (_, rest) = body.split_once("<!-- trt-perf:trt-perf -->\n").expect("the marker first");
    // Outside of <code> stand our own words and no other; inside, letters and references.
    let mut ours = String::new();
    for (n, part) in rest.split("<code>").enumerate() {
        let (code, after) = if n == 0 { ("", part) } else { part.split_once("</code>").expect("the end") };
        ours += after;
        for piece in code
            .split("&#")
            .enumerate()
            .map(|(n, p)| if n == 0 { p } else { p.split_once(';').expect("a reference").1 })
        {
            assert!(piece.chars().all(|c| c.is_alphanumeric() || " …".contains(c)), "{piece:?} in {code}");
        }
    }
    for evil in ["@", "evil", "<img", "::error", "`", "#1", "onerror", "<!--"] {
        assert!(!ours.contains(evil), "{evil}: {ours}");
    }
    assert_eq!(ours.matches('<').count(), 2, "only our own <sub>: {ours}");
    assert!(body.contains("&#92;u&#123;202e&#125;"), "invisible characters are named: {body}");
}

#[test]
fn names_in_an_archive_lead_nowhere_and_no_number_in_it_counts() {
    let text = format!("{}\n", finished(0));
    let mut lines = finished(0);
    lines["pull_request"] = json!(8);
    lines["number"] = json!(8);
    let hub = GitHub::with(zip(&[
        ("../../../../../../tmp/escaped", "x"),
        ("/etc/escaped", "x"),
        ("pr-number.txt", "8"),
        ("check.jsonl/../check.jsonl", &text),
        ("check.jsonl", &format!("{lines}\n")),
    ]));
    // `written` looks at where the comment goes, and at what is left on the disk.
    assert!(hub.written().contains("nothing was checked"));
    // What the event says of numbers does not count either: of forks it says none.
    let mut hub = GitHub { pulls: vec![pull(7, super::comment::SHA, 42)], ..hub };
    hub.run["pull_requests"] = json!([{ "number": 8 }]);
    hub.written();
}

#[test]
fn a_comment_is_never_longer_than_github_takes() {
    let long = |n: usize| checked(&format!("{n} {}", "模型😀@".repeat(200)), "regressed");
    let mut messages: Vec<Value> = (0..500).map(long).collect();
    messages.push(finished(500));
    let body = GitHub::of(&messages).written();
    let length = body.encode_utf16().count();
    assert!((40_000..=65_536).contains(&length) && body.contains("There is more in [the run]"), "{length}");
    assert!(body.trim_end().ends_with("</sub>"), "cut between rows");
}
