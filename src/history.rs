//! Follows one case over time: a [`Series`] with a point per record, in commit order, and the places where it changed.
//! Pure.
//!
//! The input is records and what git says about their commits. A series holds one device and one definition only. It
//! gives no verdict: that is `compare`'s.

pub mod retention;

use crate::bisect::FoundChange;
use crate::compare::{Metric, engine_changes};
use crate::config::Scenario;
use crate::record::{CaseRecord, Record, short};
use crate::stats::changepoint::{ChangePoint, MAX_SERIES, change_points};
use crate::stats::{Interval, StatError, geometric_mean, geometric_mean_interval};
use std::collections::{BTreeMap, BTreeSet};

/// Seed of the permutations: fixed, so that the same records always give the same answer.
pub const SEED: u64 = 1;
/// Confidence of a point's interval over its processes.
const CONFIDENCE: f64 = 0.95;

/// A commit as HEAD sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitPlace {
    /// 0 is HEAD; a parent has a larger number than the child that led to it.
    pub back: usize,
    /// Committer's time, seconds since 1970.
    pub time_s: i64,
}

/// One case over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// `package/model/variant/scenario`.
    pub id: String,
    /// The key of the device that all points are of.
    pub device_key: String,
    /// The name of that device, as the newest record has it.
    pub device_name: String,
    /// The number that is followed.
    pub metric: Metric,
    /// The definition that all points share: that of the newest record.
    pub definition_hash: String,
    /// Oldest commit first.
    pub points: Vec<Point>,
    /// What is not shown, and why.
    pub left_out: LeftOut,
    /// The changes in order, or why they were not searched for.
    pub changes: Result<Vec<LevelChange>, StatError>,
    /// The changes whose commits bisections found, oldest commit first; whoever has their files adds them.
    pub found: Vec<FoundChange>,
}

/// Records that hold the case and are not in the series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Records with another definition than the newest, and how many definitions they have.
    pub other_definition: usize,
    /// How many definitions those records have.
    pub definitions: usize,
    /// Too few requests for this metric.
    pub without_value: usize,
    /// The oldest records, beyond [`MAX_SERIES`].
    pub too_old: usize,
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The id of the record.
    pub record_id: String,
    /// The full id of the commit; `None` where there was none.
    pub commit: Option<String>,
    /// The branch, as the record names it.
    pub branch: Option<String>,
    /// There were changes beside the commit.
    pub dirty: bool,
    /// When it was measured, in seconds since 1970.
    pub created_s: i64,
    /// HEAD descends from its commit; otherwise its place is by date.
    pub in_history: bool,
    /// Processes that it holds.
    pub processes: usize,
    /// Geometric mean over processes: nanoseconds, or inferences per second.
    pub estimate: f64,
    /// `None` for one process.
    pub interval: Option<Interval>,
    /// Relative to the point before: +0.05 is 5 % more.
    pub change: Option<f64>,
    /// What changed in the engine since the point before.
    pub engine_changes: Vec<String>,
    /// It did extra work for a test: not a real result.
    pub debug_extra_work: bool,
}

/// A place where the series changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelChange {
    /// Index of the first point after the change; the point before it is the last one before.
    pub first: usize,
    /// Relative change from the level before to the level after: +0.05 is 5 % more.
    pub change: f64,
    /// Whether the new level is the worse one for this metric.
    pub worse: bool,
    /// Share of permutations that show as strong a change, in (0, 0.05].
    pub p: f64,
}

/// The metric that a scenario is followed by unless another is asked for.
fn default_metric(scenario: Scenario) -> Metric {
    match scenario {
        Scenario::Latency => Metric::Mean,
        Scenario::Throughput => Metric::Throughput,
        Scenario::Capacity => Metric::Capacity,
    }
}

/// The case that `wanted` means among those that `records` hold: the one with that id, or those that contain it.
pub fn matching_ids(records: &[Record], wanted: &str) -> BTreeSet<String> {
    let ids = || records.iter().filter(|r| !r.experiment).flat_map(|r| r.cases.keys());
    match ids().find(|id| *id == wanted) {
        Some(id) => BTreeSet::from([id.clone()]),
        None => ids().filter(|id| id.contains(wanted)).cloned().collect(),
    }
}

/// The series of `metric` (the scenario's own, if `None`) of the case `id` on one device; `None` where no record holds
/// it. `places` says where full commit ids stand in HEAD's history. The tail is p99, whatever the budget says.
pub fn series(
    records: &[Record],
    device_key: &str,
    id: &str,
    metric: Option<Metric>,
    places: &BTreeMap<String, CommitPlace>,
) -> Option<Series> {
    let mut holding: Vec<(&Record, &CaseRecord)> = records
        .iter()
        .filter(|r| r.device.key == device_key && !r.experiment)
        .filter_map(|r| r.cases.get(id).map(|c| (r, c)))
        .collect();
    let (newest, newest_case) = holding.iter().copied().max_by_key(|(r, _)| (r.created_s, r.id.clone()))?;
    let definition = newest_case.definition_hash.as_str();
    let metric = metric.unwrap_or_else(|| default_metric(newest_case.scenario));
    let mut left_out = LeftOut::default();
    let others: BTreeSet<&str> =
        holding.iter().map(|(_, c)| c.definition_hash.as_str()).filter(|d| *d != definition).collect();
    left_out.definitions = others.len();
    let all = holding.len();
    holding.retain(|(_, c)| c.definition_hash == definition);
    left_out.other_definition = all - holding.len();
    let mut ordered = in_order(holding, places);
    let with_place = ordered.len();
    ordered.retain(|(_, c, _)| values(c, metric).is_some());
    left_out.without_value = with_place - ordered.len();
    left_out.too_old = ordered.len().saturating_sub(MAX_SERIES);
    ordered.drain(..left_out.too_old);
    let points = points(&ordered, metric);
    Some(Series {
        id: id.to_owned(),
        device_key: device_key.to_owned(),
        device_name: newest.device.name.clone(),
        metric,
        definition_hash: definition.to_owned(),
        left_out,
        changes: changes(&points, metric),
        points,
        found: Vec::new(),
    })
}

/// One value per process; `None` where too few requests support it or it is no positive number.
fn values(case: &CaseRecord, metric: Metric) -> Option<Vec<f64>> {
    let budget = case.budget.filter(|_| metric == Metric::Capacity);
    let all: Option<Vec<f64>> = case.processes.iter().map(|s| metric.value(s, budget)).collect();
    all.filter(|v| !v.is_empty() && v.iter().all(|x| x.is_finite() && *x > 0.0))
}

/// Where the record's commit stands in HEAD's history; `None` where it does not.
fn place_of(record: &Record, places: &BTreeMap<String, CommitPlace>) -> Option<CommitPlace> {
    places.get(&record.source.as_ref()?.commit).copied()
}

type Placed<'a> = (&'a Record, &'a CaseRecord, Option<CommitPlace>);

/// Commits of HEAD's history in its order; the others, whose place git does not tell, by their date between them.
fn in_order<'a>(
    holding: Vec<(&'a Record, &'a CaseRecord)>,
    places: &BTreeMap<String, CommitPlace>,
) -> Vec<Placed<'a>> {
    let (mut known, mut unknown): (Vec<Placed>, Vec<Placed>) = holding
        .into_iter()
        .map(|(r, c)| (r, c, place_of(r, places)))
        .partition(|(_, _, place)| place.is_some());
    let by_age = |(r, _, _): &Placed| (r.created_s, r.id.clone());
    known.sort_by_key(|p| (std::cmp::Reverse(p.2.map(|place| place.back)), by_age(p)));
    unknown.sort_by_key(by_age);
    let mut merged = Vec::with_capacity(known.len() + unknown.len());
    let mut unknown = unknown.into_iter().peekable();
    for p in known {
        // The commit's own time and not the record's: an old commit may have been measured yesterday.
        let time_s = p.2.map_or(p.0.created_s, |place| place.time_s);
        while let Some(earlier) = unknown.next_if(|u| u.0.created_s < time_s) {
            merged.push(earlier);
        }
        merged.push(p);
    }
    merged.extend(unknown);
    merged
}

fn points(ordered: &[Placed], metric: Metric) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::with_capacity(ordered.len());
    let mut before: Option<&CaseRecord> = None;
    for (record, case, place) in ordered {
        let values = values(case, metric).unwrap_or_default();
        let estimate = geometric_mean(&values).unwrap_or(f64::NAN);
        points.push(Point {
            record_id: record.id.clone(),
            commit: record.source.as_ref().map(|s| s.commit.clone()),
            branch: record.source.as_ref().and_then(|s| s.branch.clone()),
            dirty: record.source.as_ref().is_some_and(|s| s.dirty),
            created_s: record.created_s,
            in_history: place.is_some(),
            processes: values.len(),
            estimate,
            interval: geometric_mean_interval(&values, CONFIDENCE).ok(),
            change: points.last().map(|last| estimate / last.estimate - 1.0),
            engine_changes: before.map_or(Vec::new(), |b| engine_changes(&b.engine, &case.engine)),
            debug_extra_work: case.engine.build.debug_extra_work_frac.is_some(),
        });
        before = Some(case);
    }
    points
}

/// Extra work for a test is no change of a commit: such points are shown and not searched.
fn changes(points: &[Point], metric: Metric) -> Result<Vec<LevelChange>, StatError> {
    let real: Vec<usize> = (0..points.len()).filter(|i| !points[*i].debug_extra_work).collect();
    let found = steps(real.iter().map(|i| points[*i].estimate))?;
    let change = |c: &ChangePoint| {
        let step = c.after - c.before;
        Some(LevelChange {
            first: *real.get(c.at)?,
            change: step.exp_m1(),
            worse: metric.is_worse(step),
            p: c.p,
        })
    };
    Ok(found.iter().filter_map(change).collect())
}

/// Searches the logarithms, so that a change by a factor is the same at every level.
fn steps(estimates: impl Iterator<Item = f64>) -> Result<Vec<ChangePoint>, StatError> {
    change_points(&estimates.map(f64::ln).collect::<Vec<f64>>(), SEED)
}

impl Point {
    /// `41ab0c3d9e21`, with `+changes` where there were some; `no commit` without.
    pub fn label(&self) -> String {
        let commit = self.commit.as_deref().map_or("no commit", short);
        format!("{commit}{}", if self.dirty { "+changes" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RecordDevice, Source, sample};
    use crate::summarize::Summary;

    fn summary(mean_ns: f64, requests: u64) -> Summary {
        Summary { requests, n_eff: requests as f64, ..sample::summary(mean_ns) }
    }

    fn case(mean_ns: f64) -> CaseRecord {
        let processes = [0.999, 1.0, 1.001].iter().map(|f| summary(mean_ns * f, 5000)).collect();
        let mut case = CaseRecord { definition_hash: "d1".into(), processes, ..sample::case() };
        case.engine.inputs_hash = "i".into();
        case
    }

    /// A record of commit `name`, made on day `day`, of the cases given.
    fn record(name: &str, day: i64, cases: &[(&str, CaseRecord)]) -> Record {
        let source =
            Source { commit: name.repeat(40), branch: None, src_tree: name.repeat(40), dirty: false };
        Record {
            id: format!("{day:016}"),
            created_s: day * 86_400,
            tool: "0".into(),
            source: Some(source),
            device: RecordDevice { key: "cpu-a".into(), name: "A".into(), soft: BTreeMap::new() },
            cases: cases.iter().map(|(id, c)| ((*id).to_owned(), c.clone())).collect(),
            supersedes: Vec::new(),
            acceptance: None,
            failed: BTreeMap::new(),
            part: None,
            experiment: false,
            unknown: Vec::new(),
            crlf: false,
        }
    }

    fn place(name: &str, back: usize, day: i64) -> (String, CommitPlace) {
        (name.repeat(40), CommitPlace { back, time_s: day * 86_400 })
    }

    fn names(s: &Series) -> String {
        s.points.iter().filter_map(|p| p.commit.as_deref().and_then(|c| c.chars().next())).collect()
    }

    #[test]
    fn commit_order_wins_over_the_date_of_measuring() {
        // `a` is the oldest commit, measured last; `x` is of another branch, `y` of no known commit.
        let records = [
            record("c", 13, &[("k/m/d/latency", case(1e6))]),
            record("b", 12, &[("k/m/d/latency", case(1e6))]),
            record("a", 30, &[("k/m/d/latency", case(1e6))]),
            record("x", 11, &[("k/m/d/latency", case(1e6))]),
            record("y", 40, &[("k/m/d/latency", case(1e6))]),
        ];
        let places: BTreeMap<_, _> = [place("a", 2, 10), place("b", 1, 11), place("c", 0, 13)].into();
        let s = series(&records, "cpu-a", "k/m/d/latency", None, &places).expect("held");
        assert_eq!(names(&s), "abxcy");
        let by_date = series(&records, "cpu-a", "k/m/d/latency", None, &BTreeMap::new()).expect("held");
        assert_eq!(names(&by_date), "xbcay");
        assert!(s.points[0].in_history && !s.points[2].in_history && !by_date.points[0].in_history);
    }

    #[test]
    fn only_the_newest_definition_is_followed_and_the_rest_is_counted() {
        let other = |hash: &str| CaseRecord { definition_hash: hash.into(), ..case(1e6) };
        let mut thin = case(1e6);
        thin.processes = vec![summary(1e6, 50)];
        let mut elsewhere = record("z", 99, &[("id", case(1e6))]);
        elsewhere.device.key = "cpu-b".into();
        let records = [
            record("a", 1, &[("id", other("d0"))]),
            record("b", 2, &[("id", other("d2"))]),
            record("c", 3, &[("id", thin)]),
            record("d", 4, &[("id", case(1e6))]),
            elsewhere,
        ];
        let at = |metric| series(&records, "cpu-a", "id", Some(metric), &BTreeMap::new()).expect("held");
        let mean = at(Metric::Mean);
        assert_eq!((names(&mean).as_str(), mean.left_out.definitions), ("cd", 2));
        assert_eq!((mean.left_out.other_definition, mean.left_out.without_value), (2, 0));
        assert_eq!((mean.points[0].interval, mean.points[0].processes), (None, 1));
        assert_eq!((names(&at(Metric::Tail)).as_str(), at(Metric::Tail).left_out.without_value), ("d", 1));
        assert!(matches!(mean.changes, Err(StatError::TooFew { got: 2, .. })));
        assert_eq!(series(&records, "cpu-c", "id", None, &BTreeMap::new()), None);
    }

    #[test]
    fn a_step_is_found_with_its_size_and_what_changed() {
        let records: Vec<Record> = (0..12)
            .map(|i| {
                let mut c = case(if i < 7 { 1e6 } else { 1.05e6 } * (1.0 + 0.0001 * (i % 3) as f64));
                c.engine.library = if i < 7 { "rten 1" } else { "rten 2" }.into();
                record(&format!("{i:x}"), i, &[("id", c)])
            })
            .collect();
        let at = |metric| series(&records, "cpu-a", "id", metric, &BTreeMap::new()).expect("held");
        let found = at(None);
        let changes = found.changes.clone().expect("searched");
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].first, changes[0].worse), (7, true));
        assert!((changes[0].change - 0.05).abs() < 0.001, "{changes:?}");
        assert_eq!(found.points[7].engine_changes, ["library rten 1 → rten 2"]);
        assert!((found.points[7].change.unwrap_or_default() - 0.05).abs() < 0.001);
        assert_eq!((found.points[0].change, found.points[0].engine_changes.len()), (None, 0));
        let rates = at(Some(Metric::Throughput)).changes.expect("searched");
        assert!(rates[0].worse && rates[0].change < -0.04, "{rates:?}");
    }

    #[test]
    fn a_case_is_named_by_its_id_or_by_a_part_of_it() {
        let records = [record("a", 1, &[("p/m/b1/latency", case(1.0)), ("p/m/b10/latency", case(1.0))])];
        let found = |wanted: &str| matching_ids(&records, wanted).into_iter().collect::<Vec<_>>();
        assert_eq!(found("b10"), ["p/m/b10/latency"]);
        assert_eq!(found("p/m/b1/latency"), ["p/m/b1/latency"]);
        assert_eq!(found("b1").len(), 2);
        assert!(found("x").is_empty());
    }

    #[test]
    fn a_label_says_when_there_were_changes() {
        let mut dirty = record("a", 1, &[("id", case(1e6))]);
        if let Some(source) = &mut dirty.source {
            source.dirty = true;
        }
        let mut homeless = record("b", 2, &[("id", case(1e6))]);
        homeless.source = None;
        let s = series(&[dirty, homeless], "cpu-a", "id", None, &BTreeMap::new()).expect("held");
        assert_eq!(s.points[0].label(), "aaaaaaaaaaaa+changes");
        assert_eq!(s.points[1].label(), "no commit");
    }
}
