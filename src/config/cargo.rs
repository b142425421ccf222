//! What `cargo metadata` tells about the project.

use super::{Folders, Package, Project, Workspace};
use crate::error::{Failure, Result};
use std::path::Path;

impl Project {
    /// The Cargo workspace around `manifest` (or the current folder); a bare folder where there is none.
    pub fn find(manifest: Option<&Path>) -> Result<Self> {
        let cwd =
            std::env::current_dir().map_err(|e| Failure::io("find", Path::new("the current folder"), &e))?;
        let found = manifest.is_some() || cwd.ancestors().any(|d| d.join("Cargo.toml").is_file());
        if !found {
            return Ok(Self::bare(cwd));
        }
        Self::read(manifest, &cwd)
    }

    /// The Cargo workspace around `manifest` as cargo sees it from there: no `.cargo/config.toml` of another folder counts.
    pub fn at(manifest: &Path) -> Result<Self> {
        Self::read(Some(manifest), manifest.parent().unwrap_or(Path::new(".")))
    }

    fn read(manifest: Option<&Path>, cwd: &Path) -> Result<Self> {
        let mut command = cargo_metadata::MetadataCommand::new();
        command.no_deps().current_dir(cwd);
        if let Some(path) = manifest {
            command.manifest_path(path);
        }
        let metadata = match command.exec() {
            Ok(metadata) => metadata,
            // A machine that only measures has no toolchain; models named on the command line need none.
            Err(cargo_metadata::Error::Io(e))
                if manifest.is_none() && e.kind() == std::io::ErrorKind::NotFound =>
            {
                return Ok(Self::bare(cwd.to_owned()));
            }
            Err(e) => {
                return Err(Failure::usage(format!(
                    "cargo cannot read this project: {}",
                    e.to_string().trim()
                ))
                .next(
                    "run `cargo metadata --no-deps` to see the same error, and mend the manifest it names",
                ));
            }
        };
        Ok(Self {
            root: metadata.workspace_root.clone().into(),
            folders: Folders::below(metadata.target_directory.join("trt-perf").into()),
            workspace: Some(workspace(metadata)),
        })
    }
}

fn workspace(metadata: cargo_metadata::Metadata) -> Workspace {
    let members = metadata.workspace_packages().into_iter().map(|p| Package {
        name: p.name.to_string(),
        manifest: p.manifest_path.clone().into(),
        metadata: p.metadata.clone(),
    });
    Workspace { members: members.collect(), metadata: metadata.workspace_metadata }
}
