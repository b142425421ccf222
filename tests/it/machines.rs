//! Cases shared among machines, joined into one verdict, and verdicts by other margins, with the real program.
//!
//! The cases are programs whose times depend on nothing but the seed, the case, the arm and how often it ran, so that parts
//! that are joined have to give the very numbers of one check of all cases.

mod examples;
mod refusals;

use crate::support::{Ran, Sandbox, files_below, schema};
use serde_json::Value;
use std::fs;

/// Prints 1000 latencies around the case's level in the sources that it stands in. The base's sources are in a private
/// folder, head's are not.
const INFER: &str = r#"case "$PWD" in *trt-perf-check*) arm=base ;; *) arm=head ;; esac
level=$(sed -n "s/^$1 //p" levels)
test -n "$level" || { echo "no level of $1" >&2; exit 3; }
count="$COUNTS/$1-$arm"
n=$(( $(cat "$count" 2>/dev/null || echo 0) + 1 ))
echo $n > "$count"
echo "$1 $arm" | cksum | awk -v n=$n -v seed="$TRT_PERF_SEED" -v level="$level" '{
  x = ($1 + 7919 * seed + 104729 * n) % 2147483647
  for (i = 0; i < 20; i++) x = (16807 * x) % 2147483647
  level *= 1 + 0.004 * (x / 2147483647 - 0.5)
  for (i = 0; i < 1000; i++) { x = (16807 * x) % 2147483647; print level * (1 + 0.02 * x / 2147483647) "us" }
}'
"#;

/// A repository with programs in two commits: then one fails, one is gone, one is new, one faster, one much slower, one a
/// little. Of the seven, six have a row in a check, as the one that fails has none.
struct Shared(Sandbox);

impl Shared {
    fn new() -> Self {
        let s = Sandbox::with_repo();
        s.write("repo/.gitignore", "target/\n.trt-perf/\n*.json\n");
        s.write("repo/infer.sh", INFER);
        s.write("repo/levels", "broken 60\nfast 100\ngone 50\nsame 20\nslow 30\nweak 40\n");
        s.write("repo/trt-perf.toml", Self::manifest(&["broken", "fast", "gone", "same", "slow", "weak"]));
        s.commit("repo", "first");
        s.write("repo/levels", "fast 80\nfresh 10\nsame 20\nslow 36\nweak 40.5\n");
        s.write("repo/trt-perf.toml", Self::manifest(&["broken", "fast", "fresh", "same", "slow", "weak"]));
        s.commit("repo", "second");
        Self(s)
    }

    fn manifest(names: &[&str]) -> String {
        let model = |name: &&str| {
            format!(
                "[[model]]\nname = \"{name}\"\nrun = [\"sh\", \"infer.sh\", \"{name}\"]\nbackend = \"command\"\n"
            )
        };
        let models: String = names.iter().map(model).collect();
        format!("processes = 3\nwarm-up = \"1ms\"\nmeasure = \"1ms\"\nseed = 5\n{models}")
    }

    /// The program with these arguments, as on a machine that never ran one of the cases before.
    fn run(&self, machine: &str, args: &[&str]) -> Ran {
        let counts = self.0.path(format!("counts-{machine}"));
        fs::create_dir_all(&counts).expect("a folder");
        let mut command = self.0.command("repo", args);
        command.env("COUNTS", counts).env("CARGO_TARGET_DIR", self.0.path(format!("target-{machine}")));
        Ran::of(command)
    }

    /// A check of a part, or of all, as JSON; its result is at `<machine>.json`.
    fn check(&self, machine: &str, more: &[&str]) -> Ran {
        let result = self.result(machine);
        let mut args = vec!["check", "--result", &result, "--message-format", "json"];
        for usual in [["--base", "HEAD~1"], ["--pairs", "5"], ["--order-seed", "7"]] {
            args.extend(usual.into_iter().filter(|_| !more.contains(&usual[0])));
        }
        args.extend(more);
        self.run(machine, &args)
    }

    fn result(&self, machine: &str) -> String {
        self.0.path(format!("results/{machine}.json")).display().to_string()
    }
}

/// All that a verdict says, without where it was written.
fn said(ran: &Ran) -> Vec<Value> {
    let is_verdict = |m: &Value| {
        ["checked", "drift", "added-baseline", "check-finished"].contains(&m["reason"].as_str().unwrap_or(""))
    };
    let parse = |line: &str| serde_json::from_str::<Value>(line).expect("a message");
    let mut all: Vec<Value> = ran.out.lines().map(parse).filter(is_verdict).collect();
    for message in &mut all {
        for key in ["records", "result"] {
            message.as_object_mut().expect("an object").remove(key);
        }
    }
    all
}

/// A machine that was short of time loses pairs, on either side; then the two are not about the same numbers.
fn undisturbed(ran: &Ran) -> bool {
    ran.messages("checked").iter().all(|m| m["discarded"].as_u64().unwrap_or(0) == 0)
}

#[test]
fn parts_that_are_joined_give_the_verdict_of_the_whole_to_the_last_digit() {
    for attempt in 0.. {
        let s = Shared::new();
        let whole = s.check("whole", &[]);
        assert_eq!(whole.code, Some(100), "{whole}");
        assert_eq!(whole.messages("checked").len(), 6, "{whole}");
        assert_eq!(whole.message("check-finished")["failed"], 1, "{whole}");
        let parts = ["count:1/2", "count:2/2"].map(|part| s.check(&part[6..7], &["--partition", part]));
        let [one, two] = [s.result("1"), s.result("2")];
        let merged = s.run("merging", &["merge", &two, &one, "--message-format", "json"]);
        if attempt < 3 && ![&whole, &parts[0], &parts[1]].into_iter().all(undisturbed) {
            continue;
        }
        assert_eq!(said(&merged), said(&whole), "{whole}\n{merged}");
        assert_eq!(merged.code, whole.code);
        // What a case may have become is looked for among all cases, whichever part has it.
        assert_eq!(parts.map(|part| part.messages("checked").len()).iter().sum::<usize>(), 6);
        let again = s.run("merging", &["rejudge", "--message-format", "json"]);
        assert_eq!(said(&again), said(&whole), "what was merged is judged again\n{again}");
        return;
    }
}

#[test]
fn a_part_shows_its_cases_and_may_have_none() {
    let s = Shared::new();
    let list = |part: &str| -> Vec<String> {
        let ran = s.run("a", &["run", "--list", "--partition", part]);
        ran.says(0, &[]).out.lines().map(str::to_owned).collect()
    };
    assert_eq!(list("count:1/2").len() + list("count:2/2").len(), 6);
    assert_eq!(list("count:1/1").len(), 6);
    let empty = (1..=40).map(|k| format!("hash:{k}/40")).find(|part| list(part).is_empty());
    let empty = empty.expect("six cases leave a part of forty empty");
    s.run("a", &["run", "--partition", &empty]).says(0, &[&format!("part {empty}: 0 of 6 cases")]);
    let part = s.check("b", &["--skip", "gone", "--partition", &empty]);
    part.says(0, &[&format!("part {empty}: 0 of 6 cases")]);
    assert!(fs::exists(s.result("b")).expect("a folder"), "also nothing is a result");
    s.run("a", &["run", "--partition", "hash:0/2"]).says(2, &["there is no part 0 of 2"]);
    s.run("a", &["check", "--partition", "slice:1/2"]).says(2, &["hash:1/3 or count:1/3"]);
}

#[test]
fn parts_of_a_run_become_one_record() {
    let s = Shared::new();
    let [one, two] = ["1", "2"].map(|part| {
        let result = s.result(part);
        let args =
            ["run", "--skip", "broken", "--partition", &format!("count:{part}/2"), "--result", &result];
        s.run(part, &args).says(
            0,
            &[&format!("part count:{part}/2: {} of 5 cases", 4 - part.parse::<usize>().expect("a number"))],
        );
        result
    });
    s.run("m", &["merge", &one]).says(4, &["missing: count:2/2", "next: run what is missing"]);
    let page = s.0.path("page.html");
    let args = ["merge", &one, &two, "--html", page.to_str().expect("UTF-8")];
    let merged = s.run("m", &args);
    merged.says(0, &["project/weak/default/latency", "5 cases, of 2 parts", "cargo trt-perf compare BASE"]);
    let records = files_below(&s.0.path("target-m/trt-perf/results"));
    let record = trt_perf::baseline::load(&records[0]).expect("a record");
    assert_eq!((records.len(), record.cases.len(), record.part), (1, 5, None));
    assert!(fs::read_to_string(page).expect("a page").contains("slow"));
}

#[test]
fn a_stored_result_is_judged_by_other_margins_without_measuring() {
    let s = Shared::new();
    let ids = ["project/slow/default/latency", "project/weak/default/latency"];
    let checked = s.check("a", &["slow", "weak", "--pairs", "8", "--config", "tail-margin=\"50%\""]);
    assert_eq!(checked.code, Some(100), "{checked}");
    let (file, text) = (s.result("a"), fs::read_to_string(s.result("a")).expect("a result"));
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let described = trt_perf::evidence::schema();
    let mut fields = value.clone();
    for form in ["schema", "id"] {
        fields.as_object_mut().expect("an object").remove(form);
    }
    schema::check(&fields, &described, &described, "evidence");
    let measured = files_below(&s.0.path("target-a/trt-perf/samples")).len();
    let lax = s.run("a", &["rejudge", "--margin", "30%", "--markdown", "report.json"]);
    let said = format!("{}: regressed → changed within the margin", ids[0]);
    lax.says(0, &["judged again, without measuring, what is in", "margin 1% → 30% (2 cases)", &said]);
    let markdown = fs::read_to_string(s.0.path("repo/report.json")).expect("a report");
    assert!(markdown.contains("judged again, without measuring"), "{markdown}");
    // A smaller margin sees what the check never confirmed.
    let strict = s.run("a", &["rejudge", &file, "--config", "margin=\"0.5%\""]);
    strict.says(100, &["margin 1% → 0.5%", ids[1]]);
    assert_eq!(files_below(&s.0.path("target-a/trt-perf/samples")).len(), measured);
    s.run("a", &["rejudge", "--config", "batch=2"]).says(2, &["batch = 2 says what is measured"]);
    s.run("a", &["rejudge", "--margin", "0%"]).says(2, &["more than 0%"]);
    s.run("fresh", &["rejudge"]).says(4, &["no check left its result", "next: run one"]);
}
