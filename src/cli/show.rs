//! Shows a session while it runs: progress bars on a terminal, plain lines elsewhere, or JSON lines.

mod pace;

use super::args::MessageFormat;
use super::{note, out, out_message, shown, width};
use crate::discover::ROUNDS;
use crate::engine::Built;
use crate::outcome::Event;
use crate::printable::line;
use crate::report::style::{BOLD, DIM, RESET, YELLOW};
use crate::report::terminal;
use crate::report::{json, memory};
use crate::session::expected::ExpectedTime;
use crate::units::{plural, time};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use pace::Pace;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shows events.
pub struct Show {
    format: MessageFormat,
    quiet: bool,
    verbose: bool,
    /// `None` where standard error is no terminal, or nothing is to be shown.
    bars: Option<Bars>,
    last: Mutex<Last>,
}

/// What moves on a terminal.
struct Bars {
    all: MultiProgress,
    /// Of the whole session.
    whole: ProgressBar,
}

/// What was told last.
#[derive(Default)]
struct Last {
    /// The lines of the cases that are built or measured, by device; without lanes there is one.
    announced: BTreeMap<Option<u32>, String>,
    /// The devices of the cases that lanes took.
    devices: BTreeMap<String, u32>,
    /// The lines below the bar, by device.
    lanes: BTreeMap<u32, ProgressBar>,
    /// Which cell of a grid is measured; empty for a case that is no cell.
    cell: String,
    /// How long it all takes; `None` where nobody asked.
    pace: Option<Pace>,
}

impl Show {
    /// Shows events in this format.
    pub fn new(format: MessageFormat, quiet: bool, verbose: bool) -> Self {
        let bars = !quiet && format == MessageFormat::Human && std::io::stderr().is_terminal();
        let bars = bars.then(|| {
            let all = MultiProgress::new();
            Bars { whole: all.add(ProgressBar::no_length()), all }
        });
        Self { format, quiet, verbose, bars, last: Mutex::default() }
    }

    /// The same, knowing how long it will take: that is said before anything is measured.
    pub fn expecting(self, expected: ExpectedTime) -> Self {
        self.last().pace = Some(Pace::new(expected));
        self
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows one event.
    pub fn event(&self, event: &Event) {
        if self.format == MessageFormat::Json {
            out_message(&json::event(event));
            return;
        }
        match event {
            Event::Started { cases, device, devices, backend, why, processes } => {
                self.lanes(devices);
                self.started(cases.len(), &on(&device.key, devices), backend, why, *processes);
            }
            Event::Waiting { folder } => {
                self.say(&format!("waiting: another session is measuring in {}", shown(folder)));
            }
            Event::Lane { id, device } => self.lane(id, *device),
            Event::Stage { id, process, stage, expected } => {
                self.stage(id, *process, stage.word(), *expected);
            }
            Event::Progress { id, doing, step, steps } => {
                if let Some(bar) = self.bar_of(id, &self.last()) {
                    let of = if *steps > 0 { format!(" {step}/{steps}") } else { String::new() };
                    bar.set_message(line(&format!("{id}: {doing}{of}")));
                }
            }
            Event::Look { id, pairs, until, most, expected } => {
                let more = until.saturating_sub(*pairs);
                self.say(&format!(
                    "{DIM}{id}: not decided after {pairs} of at most {most} pairs; {more} more take about {:.0} s{RESET}",
                    expected.as_secs_f64().ceil()
                ));
            }
            Event::Round { grid, round, cells, processes, measure } => {
                let many = if *processes > 1 { format!("{processes} × ") } else { String::new() };
                let cells = plural(*cells, "cell");
                self.say(&format!(
                    "{DIM}round {round} of {ROUNDS}: {grid}, {cells}, {many}{measure} each{RESET}"
                ));
            }
            Event::Trial { cell, round, .. } => {
                self.last().cell = format!(", {} (round {round} of {ROUNDS})", cell.words());
            }
            Event::Engine { id, built } => self.engine(id, built),
            Event::Process { id, .. } => self.process(id),
            Event::Done { id } => self.ended(id),
            Event::Case { id, case, comparison } => {
                if !self.quiet {
                    self.print(&format!("{}\n", terminal::case_block(id, case, *comparison, self.verbose)));
                }
                self.ended(id);
            }
            Event::Memory { row } => {
                self.step();
                self.print(&format!("{}\n", memory::text(row, width())));
            }
            Event::Failed { id, failure } => {
                self.print(&format!("{}\n", terminal::failure_block(id, failure)));
                self.ended(id);
            }
            Event::Note { text } => self.say(&format!("{YELLOW}note{RESET}: {text}")),
        }
    }

    fn started(&self, cases: usize, device: &str, backend: &str, why: &str, processes: Option<u64>) {
        self.start(processes.map(|n| n + cases as u64));
        let many = processes.filter(|n| *n > 0);
        let many = many.map_or_else(String::new, |n| format!(" · {}", plural(n as usize, "process")));
        self.say(&format!("{} on {device} · {backend} ({why}){many}", plural(cases, "case")));
        let expected = self.last().pace.as_ref().map(Pace::expected);
        expected.iter().for_each(|text| self.say(text));
    }

    fn process(&self, id: &str) {
        self.step();
        if let Some(pace) = &mut self.last().pace {
            pace.process(id);
        }
    }

    /// Where no bar shows it: how many cases are done, and the time that is left.
    fn ended(&self, id: &str) {
        let left = self.last().pace.as_mut().and_then(|pace| pace.ended(id));
        left.iter().filter(|_| self.bars.is_none()).for_each(|text| self.say(&format!("{DIM}{text}{RESET}")));
    }

    fn engine(&self, id: &str, built: &Built) {
        self.step();
        if self.verbose {
            let how = if built.cached {
                "from the cache".into()
            } else {
                format!("built in {}", time(built.header.build_ns as f64))
            };
            self.say(&format!("engine of {id}: {how}, {}", shown(&built.engine)));
        }
    }

    /// Takes the bars away.
    pub fn done(&self) {
        if let Some(bars) = &self.bars {
            self.last().lanes.values().for_each(ProgressBar::finish_and_clear);
            bars.whole.finish_and_clear();
        }
    }

    /// A line for each device that measures beside others.
    fn lanes(&self, devices: &[u32]) {
        let Some(bars) = self.bars.as_ref().filter(|_| devices.len() > 1) else { return };
        let style = ProgressStyle::with_template("  {prefix}: {wide_msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        let line = |device: &u32| {
            let line = bars.all.add(ProgressBar::no_length().with_style(style.clone()));
            line.set_prefix(format!("device {device}"));
            (*device, line)
        };
        self.last().lanes = devices.iter().map(line).collect();
    }

    fn lane(&self, id: &str, device: u32) {
        self.last().devices.insert(id.to_owned(), device);
        // What it said last was of the builds.
        self.bars.iter().for_each(|bars| bars.whole.set_message("measuring"));
    }

    /// Where the stages of a case are shown.
    fn bar_of<'a>(&'a self, id: &str, last: &'a Last) -> Option<&'a ProgressBar> {
        let lane = last.devices.get(id).and_then(|device| last.lanes.get(device));
        lane.or_else(|| self.bars.as_ref().map(|bars| &bars.whole))
    }

    /// A bar with the time left, or a spinner where nobody knows how long it takes.
    fn start(&self, steps: Option<u64>) {
        let Some(Bars { whole: bar, .. }) = &self.bars else { return };
        let template = match steps {
            // What may be long is last, and gets the columns that are left.
            Some(_) => "{spinner} [{elapsed_precise}] {bar:12} {pos}/{len} · {left} left · {wide_msg}",
            None => "{spinner} [{elapsed_precise}] {pos} steps · {wide_msg}",
        };
        if let Some(steps) = steps {
            bar.set_length(steps);
        }
        // The templates are constants; if indicatif did not like one, its default would do.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.with_key("left", time_left));
        bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn stage(&self, id: &str, process: u64, word: &str, expected: Duration) {
        let mut last = self.last();
        if let Some(pace) = last.pace.as_mut().filter(|_| process > 0) {
            pace.begin();
        }
        if let Some(bar) = self.bar_of(id, &last) {
            let of = if process > 0 { format!(" (process {process})") } else { String::new() };
            let length =
                if expected.is_zero() { String::new() } else { format!(" {:.1} s", expected.as_secs_f64()) };
            let cell = if process > 0 { &last.cell } else { "" };
            bar.set_message(line(&format!("{word}{length} {id}{cell}{of}")));
            return;
        }
        if process > 0 && !last.cell.is_empty() {
            // Rounds have been announced.
            return;
        }
        // Without a terminal: one line when a case begins to be built or measured, not one per process.
        let begun = if process == 0 { format!("{word} {id}") } else { format!("measuring {id}") };
        let device = last.devices.get(id).copied();
        if last.announced.get(&device) != Some(&begun) {
            let lane = device.map_or_else(String::new, |device| format!("device {device}: "));
            self.say(&format!("{DIM}{lane}{begun}{RESET}"));
            last.announced.insert(device, begun);
        }
    }

    fn step(&self) {
        if let Some(bars) = &self.bars {
            bars.whole.inc(1);
        }
    }

    /// A result: to standard output, around the bar.
    fn print(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| out(text)),
            None => out(text),
        }
    }

    /// A remark: to standard error, around the bar.
    fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        let text = text.replace(BOLD, "");
        match &self.bars {
            Some(bars) => bars.all.suspend(|| note(&text)),
            None => note(&text),
        }
    }
}

/// The device, with the numbers of those that measure side by side.
fn on(key: &str, devices: &[u32]) -> String {
    let numbers: Vec<String> = devices.iter().map(u32::to_string).collect();
    if numbers.is_empty() { key.to_owned() } else { format!("{key} (devices {})", numbers.join(", ")) }
}

/// How long it will take; a question mark until there is something to go by.
fn time_left(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    // Writing to a string cannot fail.
    let _ = match state.pos() {
        0 => write!(to, "?"),
        _ => write!(to, "{:.0} s", state.eta().as_secs_f64().ceil()),
    };
}
