//! Finds the project: its own file, or what `cargo metadata` tells.

use super::{Folders, Package, Project, Workspace, home, part};
use crate::error::{Failure, Result};
use std::path::Path;

impl Project {
    /// The project of `manifest`. Without: what the nearest `trt-perf.toml` of the repository configures, or the Cargo
    /// workspace around the current folder, or a bare folder where there is neither.
    pub fn find(manifest: Option<&Path>) -> Result<Self> {
        let cwd =
            std::env::current_dir().map_err(|e| Failure::io("find", Path::new("the current folder"), &e))?;
        if let Some(path) = manifest.filter(|path| !path.exists()) {
            let near = part::nearby(&cwd.join(path));
            return Err(Failure::usage(format!(
                "--manifest-path: there is no file {}{near}",
                path.display()
            )));
        }
        let own = match manifest {
            Some(path) => home::is_own(path).then(|| cwd.join(path)),
            None => home::nearest(&cwd),
        };
        if let Some(own) = own {
            return Self::own(&own);
        }
        let found = manifest.is_some() || cwd.ancestors().any(|d| d.join("Cargo.toml").is_file());
        if !found {
            return Ok(Self::bare(&cwd));
        }
        match Self::read(manifest, &cwd)? {
            Some(project) => Ok(project),
            // A machine that only measures has no toolchain; models named on the command line need none.
            None if manifest.is_none() => Ok(Self::bare(&cwd)),
            None => {
                Err(Failure::usage("--manifest-path names a Cargo.toml, and there is no cargo to read it")
                    .next("install cargo; or configure the models in a trt-perf.toml, which needs none"))
            }
        }
    }

    /// The project of `folder` in another tree of the same repository, as it is seen from there: no
    /// `.cargo/config.toml` of another folder counts. `None` where nothing is configured, or only cargo could tell and there
    /// is none.
    pub fn at(folder: &Path) -> Result<Option<Self>> {
        let (own, cargo) = (folder.join(super::OWN_FILE), folder.join("Cargo.toml"));
        if own.is_file() {
            return Self::own(&own).map(Some);
        }
        if cargo.is_file() { Self::read(Some(&cargo), folder) } else { Ok(None) }
    }

    /// What cargo tells; `None` where there is no cargo.
    fn read(manifest: Option<&Path>, cwd: &Path) -> Result<Option<Self>> {
        let mut command = cargo_metadata::MetadataCommand::new();
        command.no_deps().current_dir(cwd);
        if let Some(path) = manifest {
            command.manifest_path(path);
        }
        let metadata = match command.exec() {
            Ok(metadata) => metadata,
            Err(cargo_metadata::Error::Io(e)) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => {
                let said = e.to_string();
                let lines = said.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
                return Err(Failure::usage("cargo cannot read this project").parts(lines).next(
                    "run `cargo metadata --no-deps` to see the same error, and mend the manifest it names",
                ));
            }
        };
        Ok(Some(Self {
            root: metadata.workspace_root.clone().into(),
            folders: Folders::below(metadata.target_directory.join("trt-perf").into()),
            workspace: Some(workspace(metadata)),
        }))
    }
}

fn workspace(metadata: cargo_metadata::Metadata) -> Workspace {
    let members = metadata.workspace_packages().into_iter().map(|p| Package {
        name: p.name.to_string(),
        manifest: p.manifest_path.clone().into(),
        metadata: p.metadata.clone(),
    });
    Workspace {
        manifest: metadata.workspace_root.join("Cargo.toml").into(),
        members: members.collect(),
        metadata: metadata.workspace_metadata,
    }
}
