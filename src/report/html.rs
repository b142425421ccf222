//! Shows results as one HTML page that needs nothing else: no network, no other file. Pure.
//!
//! A page is a table of all cases and a part for each; [`figure::all`] lists the figures of a case. Whatever comes from
//! outside is escaped by the template, and the page forbids its reader to load anything.

mod capacity;
mod case;
mod check;
mod clocks;
mod discover;
mod figure;
mod grid;
mod layers;
mod memory;
mod phases;
mod processes;
mod record;
mod samples;
mod scale;
mod series;
mod svg;
mod view;

pub use check::check;
pub use discover::discover;
pub use memory::memory;
pub use record::record;

use crate::error::{Failure, FailureKind, Result};
use crate::outcome::CaseDetail;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use std::collections::BTreeMap;

/// What is shown of each case beside its verdict, by id.
pub type Details = BTreeMap<String, CaseDetail>;

/// The page as text.
fn render(view: &view::View) -> Result<String> {
    let page = || {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // Its name is why its values are escaped.
        environment.add_template("page.html", include_str!("html/page.html"))?;
        environment.get_template("page.html")?.render(Value::from(Serde(view)))
    };
    page().map_err(|e: minijinja::Error| {
        Failure::new(FailureKind::Format, format!("the template of the report: {e:#}"))
            .next("this is a mistake in cargo-trt-perf; please report it")
    })
}
