//! The figures of a case, in the order in which they stand on the page. What else there is to draw of a case joins the
//! list of [`all`].

use super::{capacity, clocks, grid, layers, phases, processes, samples, series};
use crate::outcome::CaseDetail;

/// What the arms are called; everything of arms is in this order.
pub const ARMS: [&str; 2] = ["base", "head"];

/// The class of an arm in the page's style.
pub fn class(arm: usize) -> &'static str {
    ["b", "h"][arm]
}

/// What stands in the legend of an arm, which is named unless it is the only one of `arms`.
pub fn key(arm: usize, arms: usize, said: &str) -> (usize, String) {
    let text = if arms > 1 { format!("{} {said}", ARMS[arm]) } else { said.to_owned() };
    (arm, text.trim_end().to_owned())
}

/// One figure.
pub struct Drawn {
    pub title: &'static str,
    /// Arms with what is said of them.
    pub legend: Vec<(usize, String)>,
    /// What a reader must know to read it.
    pub caption: String,
    /// Empty where there is nothing to draw; then the caption says why.
    pub svg: String,
}

impl Drawn {
    /// A figure that could not be drawn.
    pub fn absent(title: &'static str, why: &str) -> Self {
        Self { title, legend: Vec::new(), caption: why.to_owned(), svg: String::new() }
    }
}

/// Every figure that there is of a case. `paired`: process i of both arms ran back to back.
pub fn all(detail: &CaseDetail, paired: bool) -> Vec<Drawn> {
    let picture = detail.picture.as_ref();
    let of_samples = picture.map(|p| [samples::distribution(p), samples::over_time(p)]);
    let figures = of_samples.into_iter().flatten();
    figures
        .chain(picture.map(|p| processes::processes(&p.values, paired)))
        .chain(clocks::clocks(detail))
        .chain(capacity::capacity(detail))
        .chain(grid::front(detail))
        .chain(detail.layers.as_ref().map(layers::layers))
        .chain(detail.memory.iter().flat_map(phases::memory))
        .chain(detail.series.as_ref().map(series::history))
        .collect()
}
