//! The page of a search: each grid with its front and its cells, and the numbers of its winner.

use super::view::{PageCase, TableCell, Tone, View};
use super::{Details, case, grid, render};
use crate::discover::TrialEntry;
use crate::error::Result;
use crate::outcome::{CaseDetail, Discovered, Explored};
use crate::record::{Record, date};
use crate::report::discover::{conclusion, remark, tail_name};
use crate::units::{change, plural, rate, time};

const COLUMNS: [(&str, bool); 6] = [
    ("grid", false),
    ("point", false),
    ("throughput", true),
    ("tail latency", true),
    ("cells", true),
    ("result", false),
];

/// The page of a search; `details` are those of the winners.
pub fn discover(found: &Discovered, details: &Details) -> Result<String> {
    let record: &Record = &found.record;
    let winners = found.grids.iter().filter(|e| e.ranking.winner.is_some()).count();
    let headline = format!(
        "{} searched, {} within the budget",
        plural(found.grids.len(), "grid"),
        plural(winners, "winner")
    );
    let cases = found.grids.iter().map(|explored| of_grid(explored, details)).collect();
    let mut view = View::new("Operating points: latency against throughput", &headline, &COLUMNS, cases);
    view.fact("measured", &date(record.created_s));
    view.fact("device", &format!("{} ({})", record.device.name, record.device.key));
    for (name, value) in &record.device.soft {
        view.fact(name, value);
    }
    if let Some(unreal) = found.grids.iter().find_map(|explored| explored.unreal) {
        view.note(Tone::Bad, &format!("not a real result: {}", unreal.words()));
    }
    if found.interrupted {
        view.note(Tone::Warn, "stopped by Ctrl-C: grids that were not complete are left out");
    }
    render(&view)
}

fn of_grid(explored: &Explored, details: &Details) -> PageCase {
    let (trials, ranking) = (&explored.trials, &explored.ranking);
    let (word, tone) = match (ranking.winner, ranking.nearest) {
        (Some(_), _) => ("winner", Tone::Good),
        (None, Some(_)) => ("over the budget", Tone::Bad),
        (None, None) if explored.all_failed() => ("failed", Tone::Bad),
        (None, None) => ("no budget", Tone::Calm),
    };
    let index = ranking.winner.or(ranking.nearest.map(|(index, _)| index));
    let entry: Option<&TrialEntry> = index.map(|index| &trials.entries[index]);
    let score = entry.and_then(|entry| entry.score.as_ref());
    let name = &explored.grid.name;
    let cells = vec![
        TableCell::case(name),
        TableCell::text("point", &entry.map_or_else(|| "–".to_owned(), |entry| entry.cell.words())),
        TableCell::number("throughput", score.map(|s| s.inferences_per_s), rate),
        TableCell::number("tail latency", score.map(|s| s.tail_ns(trials.budget)), time),
        TableCell::number("cells", Some(trials.entries.len() as f64), |n| n.to_string()),
        TableCell::verdict(tone as u8, ""),
    ];
    let mut page = PageCase::new(name, (word, tone), cells);
    page.say(conclusion(explored).into_iter().map(|(_, words, rest)| words + &rest));
    let columns = vec!["cell, by latency", "throughput", "tail latency", "against the budget", "what it is"];
    page.table("Cells", columns, explored.by_latency().into_iter().map(|i| row(explored, i)).collect());
    page.draw(grid::of_grid(explored, &tail_name(explored)).into_iter().collect());
    let winner = ranking.winner.and_then(|index| details.get(&trials.entries[index].id));
    if let Some(detail) = winner {
        // The whole grid is drawn already.
        let mut detail: CaseDetail = detail.clone();
        detail.arms.iter_mut().flatten().for_each(|case| case.discovery = None);
        case::measured(&mut page, &detail, false);
    }
    page
}

fn row(explored: &Explored, index: usize) -> Vec<String> {
    let (trials, entry) = (&explored.trials, &explored.trials.entries[index]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let score = entry.score.as_ref();
    vec![
        entry.cell.words(),
        or_dash(score.map(|s| rate(s.inferences_per_s))),
        or_dash(score.map(|s| time(s.tail_ns(trials.budget)))),
        or_dash(trials.over_frac(index).map(change)),
        remark(explored, index),
    ]
}
