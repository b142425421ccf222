//! What the template of the page is filled with. Texts are escaped there; here they lose what cannot be shown.

use super::figure::{Drawn, class};
use crate::printable::message;
use crate::units::round5;
use serde::Serialize;
use std::collections::BTreeMap;

/// How good something is. The page has a colour for it, and always a word beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    Bad,
    Warn,
    Good,
    Calm,
}

/// The whole page.
#[derive(Serialize)]
pub struct View {
    title: String,
    headline: String,
    facts: Vec<Fact>,
    notes: Vec<PageNote>,
    columns: Vec<PageColumn>,
    kinds: Vec<KindCount>,
    cases: Vec<PageCase>,
    tool: &'static str,
    style: &'static str,
    script: &'static str,
}

#[derive(Serialize)]
struct Fact {
    name: String,
    value: String,
}

/// Something to be known beside the table.
#[derive(Serialize)]
pub struct PageNote {
    tone: Tone,
    text: String,
}

#[derive(Serialize)]
struct PageColumn {
    name: &'static str,
    number: bool,
}

/// How many cases have the same verdict.
#[derive(Serialize)]
struct KindCount {
    word: String,
    tone: Tone,
    count: usize,
}

/// A cell of the table of all cases.
#[derive(Serialize)]
pub struct TableCell {
    label: &'static str,
    text: String,
    role: &'static str,
    number: bool,
    /// What it is sorted by, where that is no text.
    sort: Option<f64>,
}

/// One case: its row, and its part of the page.
#[derive(Serialize)]
pub struct PageCase {
    id: String,
    anchor: String,
    word: String,
    tone: Tone,
    cells: Vec<TableCell>,
    says: Vec<String>,
    tables: Vec<PageTable>,
    figures: Vec<PageFigure>,
    differences: Vec<String>,
}

/// A small table of one case; the first column names, the others are numbers.
#[derive(Serialize)]
pub struct PageTable {
    title: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

#[derive(Serialize)]
struct PageFigure {
    title: &'static str,
    legend: Vec<FigureKey>,
    caption: String,
    svg: String,
}

#[derive(Serialize)]
struct FigureKey {
    class: &'static str,
    text: String,
}

impl View {
    /// A page of these cases, in this order.
    pub fn new(title: &str, headline: &str, columns: &[(&'static str, bool)], cases: Vec<PageCase>) -> Self {
        let mut kinds: BTreeMap<(Tone, String), usize> = BTreeMap::new();
        for case in &cases {
            *kinds.entry((case.tone, case.word.clone())).or_default() += 1;
        }
        Self {
            title: message(title),
            headline: message(headline),
            facts: Vec::new(),
            notes: Vec::new(),
            columns: columns.iter().map(|(name, number)| PageColumn { name, number: *number }).collect(),
            kinds: kinds.into_iter().map(|((tone, word), count)| KindCount { word, tone, count }).collect(),
            cases: with_anchors(cases),
            tool: env!("CARGO_PKG_VERSION"),
            style: include_str!("style.css"),
            script: include_str!("table.js"),
        }
    }

    /// A name and what stands for it; nothing where that is empty.
    pub fn fact(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.facts.push(Fact { name: message(name), value: message(value) });
        }
    }

    pub fn note(&mut self, tone: Tone, text: &str) {
        self.notes.push(PageNote { tone, text: message(text) });
    }
}

impl TableCell {
    /// A text, which is sorted as such.
    pub fn text(label: &'static str, text: &str) -> Self {
        Self { label, text: message(text), role: "", number: false, sort: None }
    }

    /// The id, which leads to the case's part of the page.
    pub fn case(id: &str) -> Self {
        Self { role: "case", ..Self::text("case", id) }
    }

    /// What follows the verdict's word; sorted by how bad it is.
    pub fn verdict(rank: u8, more: &str) -> Self {
        Self { role: "verdict", sort: Some(f64::from(rank)), ..Self::text("verdict", more) }
    }

    /// A number, or a dash.
    pub fn number(label: &'static str, value: Option<f64>, show: impl Fn(f64) -> String) -> Self {
        let value = value.filter(|v| v.is_finite());
        let text = value.map_or_else(|| "–".to_owned(), show);
        Self { number: true, sort: value.map(round5), ..Self::text(label, &text) }
    }
}

impl PageCase {
    /// A case with its row and nothing else yet.
    pub fn new(id: &str, (word, tone): (&str, Tone), cells: Vec<TableCell>) -> Self {
        Self {
            id: message(id),
            anchor: String::new(),
            word: message(word),
            tone,
            cells,
            says: Vec::new(),
            tables: Vec::new(),
            figures: Vec::new(),
            differences: Vec::new(),
        }
    }

    /// Further sentences.
    pub fn say(&mut self, texts: impl IntoIterator<Item = String>) {
        self.says.extend(texts.into_iter().map(|text| message(&text)));
    }

    /// What differed between its arms.
    pub fn differ(&mut self, texts: impl IntoIterator<Item = String>) {
        self.differences.extend(texts.into_iter().map(|text| message(&text)));
    }

    /// A table, unless it is empty.
    pub fn table(&mut self, title: &'static str, columns: Vec<&'static str>, rows: Vec<Vec<String>>) {
        let rows: Vec<Vec<String>> =
            rows.into_iter().map(|row| row.iter().map(|text| message(text)).collect()).collect();
        if !rows.is_empty() {
            self.tables.push(PageTable { title, columns, rows });
        }
    }

    pub fn draw(&mut self, drawn: Vec<Drawn>) {
        self.figures.extend(drawn.into_iter().map(|d| {
            PageFigure {
                title: d.title,
                legend: d
                    .legend
                    .into_iter()
                    .map(|(arm, text)| FigureKey { class: class(arm), text: message(&text) })
                    .collect(),
                caption: message(&d.caption),
                svg: d.svg,
            }
        }));
    }
}

/// Every case gets an anchor of its own that says its id, as far as letters and digits can.
fn with_anchors(mut cases: Vec<PageCase>) -> Vec<PageCase> {
    let mut taken = BTreeMap::new();
    for case in &mut cases {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let anchor = format!("case-{}", case.id.chars().map(plain).collect::<String>());
        let times: &mut usize = taken.entry(anchor.clone()).or_default();
        *times += 1;
        // A dot stands in no anchor otherwise.
        case.anchor = if *times == 1 { anchor } else { format!("{anchor}.{times}") };
    }
    cases
}
