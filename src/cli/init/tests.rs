//! Tests `init` on packages in temporary folders.

use super::manifest::{configuration, parse};
use super::*;
use std::os::unix::fs::PermissionsExt;

const PACKAGE: &str = "[package]\nname = \"a\"   # kept as it is\nversion = \"0.1.0\"\n";

struct Package(tempfile::TempDir);

impl Package {
    fn new(manifest: &str) -> Self {
        let package = Self(tempfile::Builder::new().prefix("init é ").tempdir().unwrap());
        fs::write(package.manifest(), manifest).unwrap();
        package
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn manifest(&self) -> PathBuf {
        self.root().join("Cargo.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.manifest()).unwrap()
    }

    fn file(&self, path: &str) -> &Self {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
        self
    }

    fn init(&self) -> Result<Vec<String>> {
        write(&self.manifest(), self.root(), &find_models(self.root()), &|_| Ok(Vec::new()))
    }

    /// Every file below the root and its bytes.
    fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut out = Vec::new();
        let mut folders = vec![self.root().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    out.push((path.clone(), fs::read(path).unwrap()));
                }
            }
        }
        out.sort();
        out
    }
}

fn models_of(text: &str) -> Vec<(String, String)> {
    let table = parse(text).unwrap();
    let models = configuration(&table).unwrap().get("model").and_then(|m| m.as_array()).cloned();
    let word = |model: &toml::Value, key: &str| model[key].as_str().unwrap().to_owned();
    models.into_iter().flatten().map(|m| (word(&m, "name"), word(&m, "path"))).collect()
}

#[test]
fn a_package_without_models_gets_everything_commented() {
    let package = Package::new(PACKAGE);
    let done = package.init().unwrap();
    assert_eq!(done.len(), 3, "{done:?}");
    assert!(package.text().starts_with(&format!("{PACKAGE}\n[package.metadata.trt-perf]\n")));
    assert!(configuration(&parse(&package.text()).unwrap()).unwrap().as_table().unwrap().is_empty());
    let attributes = fs::read_to_string(package.root().join("baselines/.gitattributes")).unwrap();
    assert_eq!(attributes, "* -text -merge linguist-generated=true\n");
    assert_eq!(fs::read_to_string(package.root().join(".gitignore")).unwrap(), "/target\n");
    assert_eq!(package.everything().len(), 3, "no temporary file is left");
}

#[test]
fn every_key_is_explained_with_its_default() {
    let package = Package::new(PACKAGE);
    package.init().unwrap();
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let text: String = package.text().lines().map(|line| uncomment(line) + "\n").collect();
    let table = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut found = configuration(&table).unwrap().clone();
    let model = found.as_table_mut().unwrap().remove("model").unwrap();
    let expected = "
        backend = 'auto'
        tensorrt = '/opt/tensorrt/lib'
        scenarios = ['latency', 'throughput']
        batches = [1, 8]
        device = 0
        streams = 2
        in-flight = 1
        cuda-graph = false
        transfers = true
        wait = 'spin'
        threads = 1
        max-latency = '5ms'
        percentile = 99
        max-memory = '2GiB'
        budgets = ['2ms', '10ms']
        arrivals = 'poisson'
        batch-delay = '1ms'
        processes = 8
        builds = 1
        warm-up = '200ms'
        measure = '1s'
        time-limit = '10min'
        seed = 1
        rtol = 1e-3
        atol = 1e-4
        outputs = { rtol = 1e-2, atol = 1e-3 }
        allow-non-finite = false
        trust-plan = false
        build = { optimize = true, prepack-weights = true }
        margin = '1%'
        tail-margin = '3%'
        prepare = ['python3', 'export.py']
        prepare-time-limit = '10min'
        debug-extra-work = '2%'
    ";
    assert_eq!(found.as_table(), Some(&parse(expected).unwrap()));
    let keys = model[0].as_table().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    for key in ["name", "path", "shapes", "inputs", "expect", "variant"] {
        assert!(keys.contains(&key), "{key}: {keys:?}");
    }
    for key in ["name", "shapes", "batches"] {
        assert!(model[0]["variant"][0].get(key).is_some(), "{key}");
    }
    for key in ["name", "run", "build", "whole"] {
        assert!(model[1].get(key).is_some(), "{key}");
    }
}

#[test]
fn a_second_run_refuses_and_changes_no_byte() {
    let package = Package::new(PACKAGE);
    package.file("models/cnn.onnx").init().unwrap();
    let before = package.everything();
    let failure = package.init().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Usage);
    assert!(failure.message.contains("already") && !failure.next.is_empty(), "{failure}");
    assert_eq!(package.everything(), before);
}

#[test]
fn a_table_of_any_spelling_counts_as_there() {
    for rest in [
        "metadata.trt-perf.seed = 3\n",
        "metadata = { trt-perf = {} }\n",
        "\n[package.metadata.\"trt-perf\"]\n",
    ] {
        let package = Package::new(&format!("{PACKAGE}{rest}"));
        assert_eq!(package.init().unwrap_err().kind, FailureKind::Usage, "{rest}");
        assert_eq!(package.everything().len(), 1, "{rest}");
    }
}

#[test]
fn what_was_there_stays_byte_for_byte() {
    for (manifest, newline) in [
        (PACKAGE.replace('\n', "\r\n"), "\r\n"),
        (PACKAGE.trim_end().to_owned(), "\n"),
        (PACKAGE.replace('\n', "\r\n").trim_end().to_owned(), "\r\n"),
        (format!("{PACKAGE}\n[dependencies]\nserde = {{ version = \"1\" }}\n\n\n"), "\n"),
        (format!("{PACKAGE}metadata.docs.all = true\n"), "\n"),
        (format!("{PACKAGE}\n[package.metadata.docs]\nall = true"), "\n"),
        (format!("{PACKAGE}\n[workspace]\nmembers = [\"b\"]\n"), "\n"),
    ] {
        let package = Package::new(&manifest);
        package.file("m.onnx").init().unwrap();
        let text = package.text();
        let added = text.strip_prefix(&manifest).unwrap();
        assert_eq!(added.replace(newline, "").find(['\r', '\n']), None, "{manifest:?}: one kind of line end");
        assert!(added.trim_start().starts_with("[package.metadata.trt-perf]"));
        assert_eq!(models_of(&text), [("m".to_owned(), "m.onnx".to_owned())]);
    }
}

#[test]
fn models_are_found_named_and_quoted() {
    let package = Package::new(PACKAGE);
    for path in [
        "a/b/c/four.onnx",
        "a/b/c/d/five.onnx",
        "target/debug/x.onnx",
        ".cache/x.onnx",
        "other/Cargo.toml",
        "other/x.onnx",
        "models/my \"net\" ü.ONNX",
        "models/twin.onnx",
        "other-twin/twin.onnx",
        "readme.txt",
    ] {
        package.file(path);
    }
    std::os::unix::fs::symlink(package.root(), package.root().join("loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", package.root().join("broken.onnx")).unwrap();
    package.init().unwrap();
    let pair = |name: &str, path: &str| (name.to_owned(), path.to_owned());
    let expected = [
        pair("four", "a/b/c/four.onnx"),
        pair("my--net--ü", "models/my \"net\" ü.ONNX"),
        pair("twin", "models/twin.onnx"),
        pair("twin-2", "other-twin/twin.onnx"),
    ];
    assert_eq!(models_of(&package.text()), expected);
}

#[test]
fn many_models_are_left_to_choose_from_and_odd_names_are_said() {
    use std::os::unix::ffi::OsStrExt;
    let package = Package::new(PACKAGE);
    for n in 0..7 {
        package.file(&format!("m{n}.onnx"));
    }
    package.file("z\n.onnx");
    fs::write(package.root().join(std::ffi::OsStr::from_bytes(b"z\xff.onnx")), "x").unwrap();
    let done = package.init().unwrap();
    assert_eq!(models_of(&package.text()).len(), 5);
    assert!(package.text().contains("2 more .onnx files, such as \"m5.onnx\""));
    assert_eq!(done.iter().filter(|line| line.contains("left out")).count(), 2, "{done:?}");
}

#[test]
fn files_that_are_there_are_left_alone() {
    let package = Package::new(PACKAGE);
    package.file("baselines/.gitattributes");
    for (before, after) in [
        ("/target\n", "/target\n"),
        ("a\r\n**/target/\r\n", "a\r\n**/target/\r\n"),
        ("#target\ntargets\n!x", "#target\ntargets\n!x\n/target\n"),
        ("a\r\nb", "a\r\nb\r\n/target\r\n"),
    ] {
        fs::write(package.manifest(), PACKAGE).unwrap();
        fs::write(package.root().join(".gitignore"), before).unwrap();
        let done = package.init().unwrap();
        assert!(done[0].contains("left alone"), "{done:?}");
        assert_eq!(done[1].contains("left alone"), before == after, "{done:?}");
        assert_eq!(fs::read_to_string(package.root().join(".gitignore")).unwrap(), after);
        assert_eq!(fs::read_to_string(package.root().join("baselines/.gitattributes")).unwrap(), "x");
    }
}

#[test]
fn mode_and_link_survive() {
    let package = Package::new(PACKAGE);
    fs::rename(package.manifest(), package.root().join("real.toml")).unwrap();
    std::os::unix::fs::symlink("real.toml", package.manifest()).unwrap();
    fs::set_permissions(package.manifest(), fs::Permissions::from_mode(0o640)).unwrap();
    package.init().unwrap();
    assert!(fs::symlink_metadata(package.manifest()).unwrap().is_symlink());
    assert_eq!(fs::metadata(package.manifest()).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(package.text().contains("trt-perf"));
}

#[test]
fn a_workspace_says_which_manifests_to_use() {
    let package = Package::new("[workspace]\nmembers = [\"crates/*\", \"tool\"]\n");
    package
        .file("crates/b/Cargo.toml")
        .file("crates/a/Cargo.toml")
        .file("crates/empty/readme")
        .file("tool/Cargo.toml");
    let before = package.everything();
    let failure = package.init().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Usage);
    let list = "crates/a/Cargo.toml, crates/b/Cargo.toml, tool/Cargo.toml";
    assert!(failure.next.ends_with(list), "{failure}");
    assert_eq!(package.everything(), before);
}

#[test]
fn what_cannot_be_appended_to_is_left_as_it_is() {
    let inline = format!("{PACKAGE}metadata = {{ docs = {{ all = true }} }}\n");
    for (manifest, kind) in [
        (inline.as_str(), FailureKind::Format),
        ("[package\n", FailureKind::Format),
        ("", FailureKind::Usage),
        ("package = 3\n", FailureKind::Format),
    ] {
        let package = Package::new(manifest);
        let failure = package.init().unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(!failure.next.is_empty(), "{failure}");
        assert_eq!(package.text(), manifest);
        assert_eq!(package.everything().len(), 1, "{manifest}");
    }
    let failure = Package::new("[package]\nname = \"ü\"\nversion = \n").init().unwrap_err();
    assert!(failure.message.contains("Cargo.toml, line 3: ") && !failure.message.contains('\n'), "{failure}");
    let package = Package::new(PACKAGE);
    fs::write(package.manifest(), b"[package]\nname = \"\xff\"\n").unwrap();
    assert_eq!(package.init().unwrap_err().kind, FailureKind::Format);
    fs::remove_file(package.manifest()).unwrap();
    assert_eq!(package.init().unwrap_err().kind, FailureKind::Io);
}

#[test]
fn a_read_only_manifest_is_not_replaced() {
    let package = Package::new(PACKAGE);
    fs::set_permissions(package.manifest(), fs::Permissions::from_mode(0o444)).unwrap();
    let failure = package.init().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Io);
    assert_eq!(package.text(), PACKAGE);
    fs::set_permissions(package.manifest(), fs::Permissions::from_mode(0o644)).unwrap();
    package.init().unwrap();
}
