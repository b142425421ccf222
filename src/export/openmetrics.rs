//! OpenMetrics text, which Prometheus takes (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), and in Prometheus'
//! older text format, which its Pushgateway reads, as well.
//!
//! Base units only: seconds and bytes. Lines of a family stand together, its unit ends its name, and the text ends with
//! `# EOF`. All are gauges: the older format refuses the type `info`, and takes lines that it does not know for comments.

use super::{Measure, MeasureUnit, measures};
use crate::printable;
use crate::record::{CaseRecord, Record};

/// The text.
pub fn text(record: &Record) -> String {
    let mut families = vec![about(record), created(record), valid(record)];
    let cases: Vec<(&String, &CaseRecord, Vec<Measure>)> =
        record.cases.iter().map(|(id, case)| (id, case, measures(case))).collect();
    let mut kinds: Vec<(&str, MeasureUnit)> = Vec::new();
    for measure in cases.iter().flat_map(|(.., all)| all) {
        if !kinds.contains(&(measure.name, measure.unit)) {
            kinds.push((measure.name, measure.unit));
        }
    }
    for (name, unit) in kinds {
        for end in IntervalEnd::ALL {
            let mut family =
                MetricFamily::new(&format!("{name}{}", end.suffix()), unit_name(unit), end.help());
            for (id, case, all) in &cases {
                let value = all.iter().find(|m| m.name == name).and_then(|m| end.of(m));
                value.iter().for_each(|v| family.add(&of_case(id, case), v / scale(unit)));
            }
            families.push(family);
        }
    }
    families.iter().map(MetricFamily::text).chain(["# EOF\n".to_owned()]).collect()
}

/// The estimate, or an end of its interval.
#[derive(Clone, Copy)]
enum IntervalEnd {
    Estimate,
    Low,
    High,
}

impl IntervalEnd {
    const ALL: [Self; 3] = [Self::Estimate, Self::Low, Self::High];

    fn suffix(self) -> &'static str {
        match self {
            Self::Estimate => "",
            Self::Low => "-low",
            Self::High => "-high",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Estimate => "Geometric mean over the processes of a case.",
            Self::Low => "Lower end of its interval at 95 %.",
            Self::High => "Upper end of its interval at 95 %.",
        }
    }

    fn of(self, measure: &Measure) -> Option<f64> {
        match self {
            Self::Estimate => Some(measure.figure.estimate()),
            Self::Low => measure.bounds().map(|b| b[0]),
            Self::High => measure.bounds().map(|b| b[1]),
        }
    }
}

fn unit_name(unit: MeasureUnit) -> &'static str {
    match unit {
        MeasureUnit::Nanoseconds => "seconds",
        MeasureUnit::InferencesPerSecond => "inferences_per_second",
        MeasureUnit::Bytes => "bytes",
    }
}

fn scale(unit: MeasureUnit) -> f64 {
    if unit == MeasureUnit::Nanoseconds { 1e9 } else { 1.0 }
}

fn about(record: &Record) -> MetricFamily {
    let mut family = MetricFamily::new("record_info", "", "The record that the numbers are from.");
    let source = record.source.as_ref();
    let commit = source.map_or("", |s| s.commit.as_str());
    let dirty = if source.is_some_and(|s| s.dirty) { "true" } else { "false" };
    let device = &record.device;
    let labels = [
        ("id", record.id.as_str()),
        ("commit", commit),
        ("changes_beside_commit", dirty),
        ("device_key", &device.key),
        ("device", &device.name),
        ("tool", &record.tool),
    ];
    family.add(&labels, 1.0);
    family
}

fn created(record: &Record) -> MetricFamily {
    let mut family =
        MetricFamily::new("record_time", "seconds", "When the session began, since 1970-01-01 UTC.");
    family.add(&[], record.created_s as f64);
    family
}

fn valid(record: &Record) -> MetricFamily {
    let mut family =
        MetricFamily::new("valid", "", "Whether the numbers of a case may be trusted: 1, else 0.");
    for (id, case) in &record.cases {
        let valid = case.engine.unreal().is_none() && case.invalid_reason().is_none();
        family.add(&of_case(id, case), f64::from(u8::from(valid)));
    }
    family
}

fn of_case<'a>(id: &'a str, case: &'a CaseRecord) -> [(&'static str, &'a str); 3] {
    [("case", id), ("scenario", case.scenario.word()), ("backend", &case.engine.backend)]
}

/// Lines that belong together.
struct MetricFamily {
    name: String,
    unit: &'static str,
    help: &'static str,
    samples: Vec<String>,
}

impl MetricFamily {
    fn new(name: &str, unit: &'static str, help: &'static str) -> Self {
        let end = if unit.is_empty() { String::new() } else { format!("_{unit}") };
        let name = format!("trt_perf_{}{end}", name.replace('-', "_"));
        Self { name, unit, help, samples: Vec::new() }
    }

    fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(key, text)| format!("{key}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.samples.push(format!("{}{labels} {value}\n", self.name));
    }

    /// Nothing where there is no sample.
    fn text(&self) -> String {
        if self.samples.is_empty() {
            return String::new();
        }
        let unit = if self.unit.is_empty() {
            String::new()
        } else {
            format!("# UNIT {} {}\n", self.name, self.unit)
        };
        let Self { name, help, .. } = self;
        format!("# TYPE {name} gauge\n{unit}# HELP {name} {help}\n{}", self.samples.concat())
    }
}

/// Text from outside as a label's value.
fn escaped(text: &str) -> String {
    printable::line(text).replace('\\', r"\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::measures::tests::record;
    use super::*;
    use std::collections::BTreeSet;

    /// What both formats ask of families: TYPE first, each once, a type that both know, the unit at the end of the name.
    fn check(text: &str) {
        let body = text.strip_suffix("# EOF\n").expect("the end");
        let mut seen = BTreeSet::new();
        let mut family = String::new();
        for line in body.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["#", "TYPE", name, kind] => {
                    assert!(kind == "gauge" && seen.insert(name.to_owned()), "{line}");
                    name.clone_into(&mut family);
                }
                ["#", "UNIT", name, unit] => {
                    assert!(name == family && name.ends_with(&format!("_{unit}")), "{line}");
                }
                ["#", "HELP", name, ..] => assert_eq!(name, family),
                _ => {
                    let (name, value) = (line.split(['{', ' ']).next(), words.last());
                    assert!(name.is_some_and(|n| n == family), "{line}");
                    assert!(value.is_some_and(|v| v.parse::<f64>().is_ok()), "{line}");
                }
            }
        }
    }

    #[test]
    fn families_are_as_the_specification_asks() {
        let text = text(&record("p/m\n\"\\/latency", &[2e6, 2e6]));
        check(&text);
        assert!(text.contains("trt_perf_record_info{id=\"0123456789abcdef\",commit=\"\""), "{text}");
        assert!(text.contains("device=\"A \\\"CPU\\\"\""), "{text}");
        let latency = text.lines().find(|l| l.starts_with("trt_perf_latency_seconds{")).expect("a latency");
        assert!(latency.contains(r#"case="p/m\\n\"\\/latency""#), "one line whatever an id holds: {latency}");
        let value: f64 = latency.rsplit(' ').next().expect("a value").parse().expect("a number");
        assert!((value - 0.002).abs() < 1e-9, "{latency}");
        assert!(text.contains("trt_perf_latency_high_seconds{"), "{text}");
    }

    #[test]
    fn one_process_has_no_interval_and_so_no_family_of_its_ends() {
        let text = text(&record("a", &[1e6]));
        check(&text);
        assert!(!text.contains("_low_") && text.contains("trt_perf_valid{case=\"a\""), "{text}");
    }
}
