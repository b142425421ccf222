//! The weights that a model keeps in files of their own: each beside the model, and long enough.
//!
//! Invariant: no file outside the model's folder is read, also not through a link.

use crate::error::{Failure, FailureKind, Result};
use crate::file;
use rten_onnx::onnx::{DataLocation, GraphProto, TensorProto};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The external weight files a graph names, subgraphs and constants included.
pub(super) fn files(graph: &GraphProto, model: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut tensors = Vec::new();
    collect_tensors(graph, &mut tensors);
    let mut ranges: BTreeMap<String, Vec<(u64, u64, String)>> = BTreeMap::new();
    for tensor in tensors.into_iter().filter(|t| t.data_location == Some(DataLocation::EXTERNAL)) {
        let entry = |key: &str| {
            tensor.external_data.iter().find(|e| e.key.as_deref() == Some(key)).and_then(|e| e.value.clone())
        };
        let number = |key: &str| entry(key).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
        let name = tensor.name.clone().unwrap_or_default();
        let location = entry("location").unwrap_or_default();
        ranges.entry(location).or_default().push((number("offset"), number("length"), name));
    }
    let dir = model.parent().unwrap_or(Path::new(""));
    let mut files = BTreeMap::new();
    for (location, tensors) in ranges {
        let refuse = |what: String| Failure::new(FailureKind::Build, format!("{}: {what}", model.display()));
        // A model is data from elsewhere: it may not name files outside its own folder.
        let plain =
            Path::new(&location).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if location.is_empty() || !plain {
            return Err(refuse(format!(
                "its weights point at \"{location}\", outside the model's own folder"
            ))
            .next("put the weight file beside the model and export again"));
        }
        let path = dir.join(&location);
        let beside = format!("put {location} beside {}", model.display());
        let inside = inside(dir, &path)
            .map_err(|e| Failure::io("read the external weights", &path, &e).next(&*beside))?
            .ok_or_else(|| {
                let what =
                    format!("its weights \"{location}\" are a link that leaves the model's own folder");
                refuse(what).next(format!("{beside}, as a file of its own"))
            })?;
        let bytes = file::read(&inside, &file::WEIGHTS)?;
        for (offset, length, name) in tensors {
            if offset.checked_add(length).is_none_or(|end| end > bytes.len() as u64) {
                return Err(refuse(format!(
                    "tensor `{name}` needs bytes {offset} to {} of {location}, which has {}",
                    offset.saturating_add(length),
                    bytes.len()
                )));
            }
        }
        files.insert(location, bytes);
    }
    Ok(files)
}

/// Where the path leads, if that is below `dir`, links followed.
fn inside(dir: &Path, path: &Path) -> std::io::Result<Option<PathBuf>> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let (dir, path) = (dir.canonicalize()?, path.canonicalize()?);
    Ok(path.starts_with(dir).then_some(path))
}

fn collect_tensors<'a>(graph: &'a GraphProto, into: &mut Vec<&'a TensorProto>) {
    into.extend(&graph.initializer);
    for attribute in graph.node.iter().flat_map(|n| &n.attribute) {
        into.extend(&attribute.t);
        if let Some(sub) = &attribute.g {
            collect_tensors(sub, into);
        }
    }
}
