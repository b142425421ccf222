//! Where libraries are found, on machines made of folders.

use super::super::sys::abi::Family;
use super::super::sys::search::{Surroundings, search};
use std::fs;
use std::path::{Path, PathBuf};

fn machine(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    dir
}

fn around(dir: &Path) -> Surroundings {
    Surroundings { python: vec![dir.join("venv")], home: None, root: dir.to_owned(), loader: None }
}

#[test]
fn places_are_looked_at_in_the_order_of_the_documentation() {
    let dir = machine(&[
        "opt/TensorRT-10.9/lib/libnvinfer.so.10",
        "usr/lib/x86_64-linux-gnu/libnvinfer.so.11",
        "usr/lib/x86_64-linux-gnu/libnvinfer.so.11.4.0",
        "venv/lib/python3.11/site-packages/tensorrt_rtx_libs/libtensorrt_rtx.so.1",
        "venv/lib/python3.11/site-packages/tensorrt_lean_libs/libnvinfer_lean.so.10",
    ]);
    let found = search(None, &around(dir.path()));
    let kinds: Vec<(Family, bool)> = found.candidates.iter().map(|c| (c.kind.family, c.kind.lean)).collect();
    let expected =
        [(Family::Rtx1, false), (Family::Trt10, true), (Family::Trt11, false), (Family::Trt10, false)];
    assert_eq!(kinds, expected);
    assert!(found.refused.is_empty());
    let aarch64 = found.looked.iter().find(|l| l.place.contains("aarch64")).unwrap();
    assert_eq!(aarch64.found, "no such folder");
}

#[test]
fn the_loaders_own_search_comes_first_where_nothing_is_named() {
    let dir = machine(&["opt/tensorrt/lib/libnvinfer.so.10"]);
    let loader = |file: &str| (file == "libnvinfer.so.11").then(|| PathBuf::from("/x/libnvinfer.so.11"));
    let found = search(None, &Surroundings { loader: Some(loader), ..around(dir.path()) });
    assert_eq!((found.candidates[0].kind.family, &found.candidates[0].folder), (Family::Trt11, &None));
    assert_eq!(found.looked[0].found, "/x/libnvinfer.so.11");
}

#[test]
fn a_named_folder_is_the_only_place() {
    let dir =
        machine(&["opt/tensorrt/lib/libnvinfer.so.10", "mine/lib/libtensorrt_rtx.so.1", "empty/readme"]);
    for name in ["mine", "mine/lib", "mine/lib/libtensorrt_rtx.so.1"] {
        let found = search(Some(&dir.path().join(name)), &around(dir.path()));
        assert_eq!(found.candidates.len(), 1, "{name}");
        assert_eq!(found.candidates[0].path(), dir.path().join("mine/lib/libtensorrt_rtx.so.1"));
    }
    let empty = dir.path().join("empty");
    let failure = search(Some(&empty), &around(dir.path())).first(Some(&empty)).unwrap_err();
    assert!(
        failure.message.contains("no TensorRT library in") && failure.message.contains("empty"),
        "{failure}"
    );
}

#[test]
fn versions_that_do_not_work_are_named_with_those_that_do() {
    let dir = machine(&["usr/lib/x86_64-linux-gnu/libnvinfer.so.8", "opt/tensorrt/lib/libnvinfer.so.12"]);
    let failure = search(None, &around(dir.path())).first(None).unwrap_err();
    for says in ["TensorRT 8 (", "TensorRT 12 (", "TensorRT 10.0 to 10.16", "TensorRT-RTX 1.5 to 1.7"] {
        assert!(failure.message.contains(says), "{says}: {failure}");
    }
    let looked = search(None, &around(dir.path())).looked;
    assert!(looked.iter().any(|l| l.found == "libnvinfer.so.8, which is too old"), "{looked:?}");
    assert!(looked.iter().any(|l| l.found == "libnvinfer.so.12, which is too new"), "{looked:?}");
}
