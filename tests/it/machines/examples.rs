//! The examples of the chapter, run as they stand there: a stand-in for GitHub's runner takes the steps of the YAML, a
//! stand-in for Slurm takes the script and its options.

use super::Shared;
use crate::support::{Ran, program};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The blocks of the chapter in this language.
fn blocks(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/machines.md");
    let chapter = fs::read_to_string(path).expect("the chapter");
    let opening = format!("```{language}\n");
    let opened = chapter.split(&opening).skip(1);
    opened.map(|rest| rest.split("```\n").next().expect("an end").to_owned()).collect()
}

impl Shared {
    /// A folder of the sandbox that comes first on the PATH, with the program in it.
    fn bin(&self) -> PathBuf {
        self.0.write("bin/.keep", "");
        symlink(program(), self.0.path("bin/cargo-trt-perf")).expect("a link");
        self.0.path("bin")
    }

    /// A shell at a machine of its own, in this folder, with the program on its PATH.
    fn shell(&self, folder: &str, machine: &str, bin: &Path) -> Command {
        let mut shell = Command::new("sh");
        self.0.shield(&mut shell, folder);
        let path = std::env::var("PATH").unwrap_or_default();
        let counts = self.0.path(format!("counts-{machine}"));
        fs::create_dir_all(&counts).expect("a folder");
        shell.env("PATH", format!("{}:{path}", bin.display())).env("COUNTS", counts);
        shell
    }

    /// A checkout of its own, as every job has.
    fn clone_to(&self, folder: &str) {
        self.0.git(".", &["clone", "--quiet", &self.0.url("repo"), folder]);
    }
}

/// What the steps of a job do, as far as the example goes.
#[derive(Debug, PartialEq)]
enum Step {
    Run(String),
    Uses(String),
}

/// The steps of a job of the workflow, in order.
fn steps(workflow: &str, job: &str) -> Vec<Step> {
    let from = workflow.split(&format!("\n  {job}:\n")).nth(1).expect("the job");
    let of_job = from.lines().take_while(|line| line.starts_with("    ") || line.is_empty());
    let step = |line: &str| {
        let run = line.trim().strip_prefix("- run: ").map(|text| Step::Run(text.to_owned()));
        run.or_else(|| Some(Step::Uses(line.trim().strip_prefix("- uses: ")?.to_owned())))
    };
    of_job.filter_map(step).collect()
}

#[test]
fn the_github_matrix_gives_the_verdict_of_one_check() {
    let s = Shared::new();
    // What the event says of the base, a checkout by hand says with origin's branch.
    s.0.git("repo", &["checkout", "--quiet", "-b", "change"]);
    s.0.git("repo", &["branch", "--force", "main", "HEAD~1"]);
    let bin = s.bin();
    let workflow = blocks("yaml").remove(0);
    let matrix = workflow.lines().find_map(|l| l.trim().strip_prefix("part: [")?.strip_suffix(']'));
    let values: Vec<&str> = matrix.expect("a matrix").split(", ").collect();
    assert_eq!(values, ["1", "2", "3"]);
    assert!(workflow.contains("PART: ${{ matrix.part }}\n"), "{workflow}");
    for part in &values {
        let checkout = format!("runner-{part}");
        s.clone_to(&checkout);
        for step in steps(&workflow, "part") {
            match step {
                Step::Run(script) => {
                    let mut shell = s.shell(&checkout, part, &bin);
                    shell.env("PART", part).args(["-e", "-c", &script]);
                    Ran::of(shell).says(0, &[&format!("part hash:{part}/3: ")]);
                }
                Step::Uses(action) if action.starts_with("actions/upload-artifact@") => {
                    let name = format!("part-{part}");
                    let file = fs::read(s.0.path(&checkout).join(format!("{name}.json"))).expect("a result");
                    s.0.write(format!("verdict/parts/{name}/{name}.json"), file);
                }
                Step::Uses(action) => assert!(action.starts_with("actions/checkout@"), "{action}"),
            }
        }
    }
    let artifacts = s.0.path("verdict/parts");
    s.clone_to("judge");
    fs::rename(artifacts, s.0.path("judge/parts")).expect("downloaded");
    let ran = steps(&workflow, "verdict").into_iter().find_map(|step| match step {
        Step::Run(script) => {
            let mut shell = s.shell("judge", "judge", &bin);
            let summary = s.0.path("summary.md");
            shell
                .env("GITHUB_ACTIONS", "true")
                .env("GITHUB_STEP_SUMMARY", summary)
                .args(["-e", "-c", &script]);
            Some(Ran::of(shell))
        }
        Step::Uses(_) => None,
    });
    let ran = ran.expect("a step that merges");
    ran.says(100, &["project/slow/default/latency", "::error file=trt-perf.toml,title=project/slow"]);
    ran.says(100, &["regressed, 1 failed, 1 removed"]);
    let page = fs::read_to_string(s.0.path("judge/report.html")).expect("a page");
    assert!(page.contains("weak"));
    let summary = fs::read_to_string(s.0.path("summary.md")).expect("a summary");
    assert!(summary.contains("## Inference performance: "), "{summary}");
}

/// Runs every task of an array, and a wrapped command after that, at once. How the last job ended is in a file.
const SBATCH: &str = r#"#!/bin/sh
for arg in "$@"; do
  case "$previous" in --wrap) sh -c "$arg" >> "$SLURM_OUT" 2>&1; echo $? > "$SLURM_CODE"; exit 0 ;; esac
  previous="$arg"
done
range=$(sed -n 's/^#SBATCH --array=//p' "$arg")
for task in $(seq "${range%-*}" "${range#*-}"); do
  SLURM_ARRAY_JOB_ID=42 SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=${range#*-} sh "$arg" >> "$SLURM_OUT" 2>&1 || exit 1
done
echo 42
"#;

#[test]
fn the_slurm_array_gives_the_verdict_of_one_check() {
    let s = Shared::new();
    s.0.git("repo", &["checkout", "--quiet", "-b", "change"]);
    s.0.git("repo", &["branch", "--force", "main", "HEAD~1"]);
    let bin = s.bin();
    for (name, script) in [("sbatch", SBATCH), ("srun", "#!/bin/sh\nexec \"$@\"\n")] {
        s.0.write(format!("bin/{name}"), script);
        fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).expect("a program");
    }
    let [array, submit] = <[String; 2]>::try_from(blocks("sh")).expect("two scripts");
    s.0.write("repo/.git/info/exclude", "perf.sbatch\n");
    s.0.write("repo/perf.sbatch", array);
    let mut shell = s.shell("repo", "nodes", &bin);
    let (out, code) = (s.0.path("slurm.out"), s.0.path("slurm.code"));
    shell.env("SLURM_OUT", &out).env("SLURM_CODE", &code).args(["-e", "-c", &submit]);
    let ran = Ran::of(shell);
    let said = fs::read_to_string(&out).unwrap_or_default();
    assert_eq!(ran.code, Some(0), "{ran}\n{said}");
    assert_eq!(fs::read_to_string(&code).expect("a code").trim(), "100", "{said}");
    assert!(said.contains("part hash:3/3: ") && said.contains("regressed, 1 failed, 1 removed"), "{said}");
    let report = fs::read_to_string(s.0.path("repo/target/report.md")).expect("a report");
    assert!(report.contains("project/slow/default/latency"), "{report}");
}
