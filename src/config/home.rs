//! The tables that models may be configured in, and how they are called in their files.

use std::path::Path;
#[cfg(feature = "cli")]
use std::path::PathBuf;

/// The file of a project without Cargo; its top level holds what a package's table would.
pub const OWN_FILE: &str = "trt-perf.toml";

/// Which table of which file a configuration stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// `[package.metadata.trt-perf]` of a Cargo.toml.
    Package,
    /// `[workspace.metadata.trt-perf]` of a Cargo.toml.
    Workspace,
    /// The top level of a [`OWN_FILE`].
    File,
    /// Options, and no file.
    CommandLine,
}

impl Home {
    /// The table of a project itself, not of one of its packages.
    pub(super) fn of_project(manifest: &Path) -> Self {
        if is_own(manifest) { Self::File } else { Self::Workspace }
    }

    /// The keys from the top of the file down to the table.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Package => &["package", "metadata", "trt-perf"],
            Self::Workspace => &["workspace", "metadata", "trt-perf"],
            Self::File | Self::CommandLine => &[],
        }
    }

    /// The table, as a reader would look for it.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Package => "[package.metadata.trt-perf]",
            Self::Workspace => "[workspace.metadata.trt-perf]",
            Self::File => "top level",
            Self::CommandLine => "command line",
        }
    }

    /// A model's table.
    pub(super) fn model(self, label: &str) -> String {
        format!("[[{}]] {label}", self.keys().iter().chain(&["model"]).copied().collect::<Vec<_>>().join("."))
    }
}

/// Whether a manifest is a file of ours, and not cargo's.
pub(super) fn is_own(manifest: &Path) -> bool {
    manifest.file_name().is_some_and(|name| name == OWN_FILE)
}

#[cfg(feature = "cli")]
/// The file of ours that counts in `folder`: the nearest, up to the root of the repository.
pub(super) fn nearest(folder: &Path) -> Option<PathBuf> {
    within_repository(folder).map(|d| d.join(OWN_FILE)).find(|file| file.is_file())
}

#[cfg(feature = "cli")]
/// `folder` and those above it, up to the root of the repository; all of them where there is none.
fn within_repository(folder: &Path) -> impl Iterator<Item = &Path> {
    let root = repository_around(folder);
    folder.ancestors().take_while(move |d| root.is_none_or(|root| d.starts_with(root)))
}

/// The root of the repository around `folder`, or `folder` itself.
pub(super) fn repository(folder: &Path) -> &Path {
    repository_around(folder).unwrap_or(folder)
}

fn repository_around(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|d| d.join(".git").exists())
}
