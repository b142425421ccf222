//! Files that are none: pipes, devices, folders, links and files of any size where the program reads one.

use super::text::field;
use crate::support::{Ran, Sandbox, model};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use trt_perf::baseline::load;

/// Nothing here waits for anything; this is for machines that are busy.
const SOON: Duration = Duration::from_secs(100);

/// The program, which must end by itself, in memory that no device and no sparse file fits in.
#[track_caller]
fn ends(s: &Sandbox, args: &[&str], code: i32, says: &[&str]) -> Ran {
    let program = s.command(".", args);
    let mut command = Command::new("sh");
    s.shield(&mut command, ".");
    // Half of what the sparse files have. Workers need much more address space than memory.
    let limit = if matches!(args[0], "run" | "check") { "true" } else { "ulimit -v 1500000" };
    command.args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")]).arg(program.get_program());
    let begin = Instant::now();
    let ran = Ran::of({
        command.args(program.get_args());
        command
    });
    ran.says(code, says);
    assert!(begin.elapsed() < SOON, "{args:?} took {:?}", begin.elapsed());
    ran
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

/// A model of one node that takes any shape.
fn relu() -> Vec<u8> {
    let value = |name: &str| [field(1, name), field(2, field(1, [0x08, 1]))].concat();
    let node = [field(1, "in"), field(2, "out"), field(4, "Relu")].concat();
    let graph = [field(1, node), field(2, "g"), field(11, value("in")), field(12, value("out"))].concat();
    [vec![0x08, 8], field(7, graph), field(8, [0x10, 17])].concat()
}

fn sparse(path: &Path, bytes: u64) {
    fs::File::create(path).and_then(|file| file.set_len(bytes)).expect("a sparse file");
}

fn make(what: &str, path: &Path) {
    match what {
        "is a named pipe" => pipe(path),
        "is a symbolic link" => symlink("/dev/zero", path).expect("a link"),
        "is a folder" => fs::create_dir(path).expect("a folder"),
        _ => sparse(path, 2 << 30),
    }
}

/// What stands where a file should, and what is said of it.
const NO_FILES: [&str; 4] =
    ["is a named pipe", "is a symbolic link", "is a folder", "has more than 262144 bytes"];

/// A repository with a baseline, and the folder it lies in.
fn with_baseline() -> (Sandbox, PathBuf) {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run", "--save-baseline", "--quiet"]).says(0, &[]);
    s.commit(".", "a baseline");
    let folder = s.baselines(".")[0].parent().expect("a folder").to_owned();
    (s, folder)
}

#[test]
fn no_verb_waits_for_a_record_that_is_no_file_or_reads_it_to_its_end() {
    let (s, folder) = with_baseline();
    s.write("src/lib.rs", "// a change that is no model\n");
    s.commit(".", "second");
    let mut said = Vec::new();
    for (i, what) in NO_FILES.iter().enumerate() {
        let path = folder.join(format!("20261122-00000000000{i}-0000000{i}.json"));
        make(what, &path);
        said.push(format!("{} {what}, so it is no record", path.display()));
    }
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    ends(&s, &["baseline", "list"], 0, &["00000003"]);
    ends(&s, &["baseline", "list", "--long"], 0, &said);
    ends(&s, &["history", "mlp"], 0, &said);
    ends(&s, &["baseline", "show", "HEAD~1"], 0, &["demo/mlp/default/latency"]);
    ends(&s, &["baseline", "prune", "--keep", "0"], 0, &["0 records deleted"]);
    ends(&s, &["doctor"], 0, &[]);
    ends(&s, &["run", "--quiet"], 0, &[]);
    ends(&s, &["run"], 0, &said);
    let ran = ends(&s, &["check", "--base", "HEAD~1"], 0, &["same engine"]);
    for what in NO_FILES {
        assert!(ran.out.contains(what), "{what}: {ran}");
    }
    for path in fs::read_dir(&folder).expect("readable").flatten() {
        let name = path.path().display().to_string();
        if name.contains("20261122-0000") {
            ends(&s, &["baseline", "show", &name], 2, &[&name]);
            ends(&s, &["compare", "HEAD", &name], 2, &[&name]);
        }
    }
}

#[test]
fn a_calibration_that_is_no_file_is_named_and_nothing_waits_for_it() {
    let (s, folder) = with_baseline();
    let path = folder.join("calibration.json");
    for what in NO_FILES {
        make(what, &path);
        let said = format!("{} {what}, so it is no calibration", path.display());
        ends(&s, &["doctor"], 0, &[&said]);
        ends(&s, &["run"], 0, &[&said]);
        if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) }.expect("removed");
    }
}

#[test]
fn what_the_configuration_names_must_be_a_file() {
    let tables = model("pipe", "pipe") + &model("zero", "zero") + &model("folder", "folder");
    let inputs = model("input", "mlp.onnx") + "inputs = { features = \"pipe\" }\n";
    let s = Sandbox::package(&(tables + &inputs));
    s.copy("mlp.onnx", "mlp.onnx");
    pipe(&s.path("pipe"));
    symlink("/dev/zero", s.path("zero")).expect("a link");
    fs::create_dir(s.path("folder")).expect("a folder");
    let no_file =
        |name: &str| format!("there is no file {}; what is there is no regular file", s.path(name).display());
    let says = [no_file("pipe"), no_file("zero"), no_file("folder")];
    ends(&s, &["run"], 2, &[&says[0], &says[1], &says[2], "for tensor `features`; what is there is no"]);
}

#[test]
fn the_event_of_a_ci_job_must_be_a_file() {
    let s = Sandbox::committed_mlp();
    pipe(&s.path("event"));
    let mut command = s.command(".", &["check"]);
    command.env("GITHUB_EVENT_NAME", "pull_request").env("GITHUB_EVENT_PATH", s.path("event"));
    Ran::of(command).says(2, &["event is a named pipe, so it is no CI event", "--base"]);
}

#[test]
fn weights_are_not_read_through_a_link_that_leaves_the_model_s_folder() {
    let s = Sandbox::new();
    s.copy("external.onnx", "models/external.onnx");
    s.copy("external.onnx.data", "outside.data");
    let link = s.path("models/external.onnx.data");
    let run = ["run", "models/external.onnx", "--shape", "x:1x64", "--processes", "1", "--measure", "5ms"];
    symlink(s.path("outside.data"), &link).expect("a link");
    let says =
        ["\"external.onnx.data\" are a link that leaves the model's own folder", "as a file of its own"];
    ends(&s, &run, 101, &says);
    // One that stays is a file like any other.
    fs::remove_file(&link).expect("removed");
    s.copy("external.onnx.data", "models/weights/data");
    symlink("weights/data", &link).expect("a link");
    ends(&s, &run, 0, &["external/default/latency"]);
    fs::remove_file(&link).expect("removed");
    pipe(&link);
    ends(&s, &run, 101, &["external.onnx.data is a named pipe, so it is no external weights"]);
}

#[test]
fn a_record_with_the_line_ends_of_another_system_is_read_and_told() {
    let (s, folder) = with_baseline();
    let path = s.baselines(".").remove(0);
    let (record, text) = (load(&path).expect("a record"), fs::read_to_string(&path).expect("text"));
    fs::write(&path, text.replace('\n', "\r\n")).expect("written");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let said = format!("{} has CRLF line ends", path.display());
    assert_eq!(load(&path).map(|r| r.id), Ok(record.id));
    s.run(".", &["run"]).says(0, &["change: ", &said, "`* -text` into baselines/.gitattributes"]);
    s.run(".", &["history", "mlp"]).says(0, &[&said]);
    let named = path.display().to_string();
    s.run(".", &["baseline", "show", &named]).says(0, &["has CRLF line ends"]).silent_on(&["was changed"]);
    // Any other change still is one.
    fs::write(&path, text.replace('\n', "\r\n").replacen("\"mean_ns\":", "\"mean_ns\": ", 1))
        .expect("written");
    s.run(".", &["baseline", "show", &named]).says(2, &[&name, "was changed after it was written"]);
    assert!(folder.is_dir());
}

#[test]
fn a_shape_whose_size_overflows_is_an_error_that_names_the_input() {
    let s = Sandbox::new();
    s.write("relu.onnx", relu());
    for shape in ["in:2147483647x2147483647x2147483647x4", "in:2147483647x2147483647x2147483647"] {
        let run = ["run", "relu.onnx", "--shape", shape, "--processes", "1", "--scenario", "latency"];
        ends(&s, &run, 101, &["input `in`", "has no room in memory", "next: give it a smaller shape"]);
    }
}
