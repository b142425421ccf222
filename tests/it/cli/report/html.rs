//! The page: what it shows, from fixed numbers, and that it is safe, small and whole.

mod drawn;

use super::{base, compared, five, process, record};
use std::collections::BTreeMap;
use trt_perf::acceptance::AcceptanceStatus;
use trt_perf::compare::{CaseComparison, Verdict};
use trt_perf::error::{Failure, FailureKind};
use trt_perf::outcome::{CaseDetail, CasePicture, Checked, Compared, Row, RowOrigin, SampledProcess};
use trt_perf::pairing::Changed;
use trt_perf::record::CaseRecord;
use trt_perf::report::CheckReport;
use trt_perf::report::html::{self, Details};
use trt_perf::rng::Rng;
use trt_perf::summarize::Summary;

/// Everything that would end a text, begin a command, or hide words.
const EVIL: &str = "<script>alert(1)</script>\"'&-->{{ 7 * 7 }}\u{202e}x\x1b[31m";
/// Elements that have no end.
const VOID: [&str; 3] = ["meta", "link", "input"];

/// A case of `n` processes with samples of their own, and the picture of both arms.
fn sampled(n: usize, requests: u64, seed: u64) -> (CaseRecord, CaseRecord, CaseDetail) {
    let mut rng = Rng::stream(seed, 0);
    let mut arm = |level: f64| {
        let mut all = Vec::new();
        let processes: Vec<Summary> = (0..n)
            .map(|_| {
                let one = |rng: &mut Rng| (level * (0.05 * rng.normal()).exp()) as u64;
                let samples: Vec<u64> = (0..requests).map(|_| one(&mut rng)).collect();
                let (min_ns, max_ns) = (*samples.iter().min().unwrap(), *samples.iter().max().unwrap());
                all.push(samples);
                Summary { requests, dropped: 0, min_ns, max_ns, ..process(level) }
            })
            .collect();
        (CaseRecord { processes, ..five(1.0) }, all)
    };
    let ((base, base_samples), (head, head_samples)) = (arm(1e6), arm(1.1e6));
    let samples = [base_samples, head_samples];
    let picture = CasePicture::of([Some(&base), Some(&head)], None, |arm, case, axis| {
        let drawn = |(i, s): (usize, &Vec<u64>)| {
            SampledProcess::of((&s[..s.len() / 10], s), &case.processes[i], axis, (i, n))
        };
        Some(samples[arm].iter().enumerate().map(drawn).collect())
    });
    assert!(picture.as_ref().is_some_and(|p| p.samples.iter().all(Option::is_some)));
    let arms = [Some(base.clone()), Some(head.clone())];
    (base, head, CaseDetail { arms, picture, ..CaseDetail::default() })
}

/// Fails where an element is not ended, or ended where another one is open.
#[track_caller]
fn is_whole(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!doctype html>").expect("a document");
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("the end of a tag");
        let tag = &rest[..end];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{}", &rest[..rest.len().min(80)]);
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        rest = &rest[end + 1..];
        if !tag.starts_with('/') && ["style", "script"].contains(&name) {
            rest = &rest[rest.find(&format!("</{name}>")).expect("its end")..];
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// Fails where a page could load something, run something of others, or show something else than what is there.
#[track_caller]
fn is_safe(page: &str) {
    is_whole(page);
    let forbids = "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\"";
    assert!(page.contains(forbids));
    assert_eq!(page.matches("<script>").count(), 1, "only the page's own");
    for loads in ["://", "@import", "url(", "<img", "src=", " on"] {
        let mut found = page.match_indices(loads).map(|(at, _)| &page[at..page.floor_char_boundary(at + 30)]);
        // A word of a text, or an attribute that would run something.
        assert!(found.all(|hit| loads == " on" && !hit.split('>').next().unwrap().contains('=')), "{loads}");
    }
    assert!(!page.contains(['\u{202e}', '\x1b']));
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a place that is no number");
}

fn one(id: &str, compared: Compared, detail: CaseDetail) -> (BTreeMap<String, Compared>, Details) {
    (BTreeMap::from([(id.to_owned(), compared)]), BTreeMap::from([(id.to_owned(), detail)]))
}

/// Without what is the same on every page.
fn body(page: &str) -> String {
    let cut = |text: &str, from: &str, to: &str| {
        let (start, end) = (text.find(from).unwrap() + from.len(), text.find(to).unwrap());
        format!("{}…{}", &text[..start], &text[end..])
    };
    cut(&cut(page, "<style>", "</style>"), "<script>", "</script>")
}

#[test]
fn a_compared_case_is_shown_with_its_numbers_processes_and_differences() {
    let (old, new) = (five(1e6), five(1.2e6));
    let mut found = compared(&old, &new);
    found.base.soft_differences = vec!["governor: performance → powersave".into()];
    found.comparison.engine_changes = vec!["library rten 0.26.0 → rten 0.27.0".into()];
    let arms = [Some(old), Some(new.clone())];
    let picture =
        CasePicture::of([arms[0].as_ref(), arms[1].as_ref()], Some(&found.comparison), |_, _, _| None);
    let (against, details) = one(super::ID, found, CaseDetail { arms, picture, ..CaseDetail::default() });
    let broken = Failure::new(FailureKind::Build, "the model cannot be read").next("export it again");
    let record = record(vec![(super::ID, new)], vec![("vision/broken/b1/latency", broken)]);
    let page = html::record(&record, &against, &details).unwrap();
    is_safe(&page);
    assert_eq!(page.matches("samples are not kept here").count(), 2, "distribution and time");
    insta::assert_snapshot!(body(&page));
}

#[test]
fn a_record_alone_has_no_arms() {
    let (_, head, mut detail) = sampled(3, 400, 1);
    detail.arms[0] = None;
    detail.picture = CasePicture::of([None, Some(&head)], None, |_, _, _| None);
    let details = BTreeMap::from([(super::ID.to_owned(), detail)]);
    let page = html::record(&record(vec![(super::ID, head)], vec![]), &BTreeMap::new(), &details).unwrap();
    is_safe(&page);
    assert!(page.contains("<h1>1 case measured</h1>") && page.contains(">measured</th>"), "{}", body(&page));
    assert!(!page.contains("base") || !body(&page).contains(">base"), "{}", body(&page));
}

/// A check of these rows.
fn check(rows: Vec<Row>, details: &Details) -> String {
    let nothing = || record(vec![], vec![]);
    let checked = Checked {
        rows: rows.into_iter().map(|row| (row.comparison.id.clone(), row)).collect(),
        ..Checked::empty([nothing(), nothing()])
    };
    let report = CheckReport {
        base: "main",
        head: "this",
        device: "cpu-test-2c",
        seeds: &[7],
        checked: &checked,
        remark: None,
    };
    html::check(&report, details).unwrap()
}

/// How many pairs have a line between them.
fn pairs_drawn(page: &str) -> usize {
    page.split_once("<path class=\"j\" d=\"")
        .map_or(0, |(_, d)| d.split('"').next().unwrap().matches('M').count())
}

fn pairs(comparison: CaseComparison) -> Row {
    Row::new(comparison, RowOrigin::Pairs { pairs: 5, discarded: 0, confirmed: Some(true) })
}

#[test]
fn a_check_draws_both_arms_and_says_what_was_asked_otherwise() {
    let (base, head, detail) = sampled(5, 2000, 2);
    let mut row = pairs(compared(&base, &head).comparison);
    row.settings = vec![Changed { what: "max-latency".into(), base: "5 ms".into(), head: "9 ms".into() }];
    let page = check(vec![row], &BTreeMap::from([(super::ID.to_owned(), detail)]));
    is_safe(&page);
    assert_eq!(page.matches("<svg ").count(), 3, "distribution, time, processes");
    assert_eq!(pairs_drawn(&page), 5, "a line for each pair");
    for said in ["base median", "head median", "setting: max-latency 5 ms → 9 ms", "5 pairs, confirmed"] {
        assert!(page.contains(said), "{said}: {}", body(&page));
    }
    assert!(!page.contains("samples are not kept here"));
}

#[test]
fn every_kind_of_row_has_a_filter_of_its_own() {
    let of = |id: &str| pairs(CaseComparison::bare(id, None, Default::default(), None, Verdict::Regressed));
    let mut accepted = of("a/accepted");
    let status = AcceptanceStatus::Honoured { reason: "meant".into(), by: "me".into() };
    accepted.accepted = Some(status);
    let page = check(vec![accepted, of("a/real")], &BTreeMap::new());
    for kind in ["bad regressed", "warn regressed"] {
        for holds in [format!("type=\"checkbox\" value=\"{kind}\" checked"), format!("data-kind=\"{kind}\"")]
        {
            assert_eq!(page.matches(&holds).count(), 1, "{holds}: {}", body(&page));
        }
    }
}

#[test]
fn nothing_from_outside_becomes_part_of_the_page() {
    let (base_case, mut head, mut detail) = sampled(5, 300, 4);
    head.shapes = BTreeMap::from([(EVIL.to_owned(), EVIL.to_owned())]);
    head.engine.library = EVIL.into();
    detail.arms[1] = Some(head.clone());
    let mut found = compared(&base_case, &head);
    found.comparison.id = EVIL.into();
    found.comparison.engine_changes = vec![EVIL.into()];
    detail.layers = Some(drawn::changed(EVIL));
    found.base =
        trt_perf::outcome::Base { label: EVIL.into(), soft_differences: vec![EVIL.into()], ..base() };
    let comparison = found.comparison.clone();
    let mut hostile = record(
        vec![(EVIL, head)],
        vec![
            ("x", Failure::new(FailureKind::Build, EVIL).next(EVIL)),
            ("x<", Failure::new(FailureKind::Build, EVIL)),
        ],
    );
    hostile.device.name = EVIL.into();
    hostile.device.soft = BTreeMap::from([(EVIL.to_owned(), EVIL.to_owned())]);
    hostile.source.as_mut().unwrap().branch = Some(EVIL.into());
    hostile.tool = EVIL.into();
    hostile.unknown = vec![EVIL.into()];
    let (against, details) = one(EVIL, found, detail.clone());
    let page = html::record(&hostile, &against, &details).unwrap();
    is_safe(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;") && page.contains(r"\u{202e}"));
    assert!(page.contains("{{ 7 * 7 }}"), "a template in a name is a name");
    assert!(page.contains("id=\"case-x\"") && page.contains("id=\"case-x-\""));

    let mut row = pairs(comparison);
    row.redefined = vec![Changed { what: EVIL.into(), base: EVIL.into(), head: EVIL.into() }];
    row.accepted = Some(AcceptanceStatus::Honoured { reason: EVIL.into(), by: EVIL.into() });
    is_safe(&check(vec![row], &BTreeMap::from([(EVIL.to_owned(), detail)])));
}

#[test]
fn two_ids_with_the_same_letters_have_anchors_of_their_own() {
    let row = |id: &str| pairs(CaseComparison::bare(id, None, Default::default(), None, Verdict::Unchanged));
    let page = check(vec![row("a/b"), row("a b"), row("a-b")], &BTreeMap::new());
    for anchor in ["case-a-b", "case-a-b.2", "case-a-b.3"] {
        let says = |text: String| assert_eq!(page.matches(&text).count(), 1, "{text}");
        says(format!("id=\"{anchor}\""));
        says(format!("href=\"#{anchor}\""));
    }
}
