//! The models and cases that a command line is about: configured ones that its filters take, and files that it names.

use super::{Case, CaseFilter, Host, cases, select};
use crate::config::{Model, Overrides, Project};
use crate::error::{Failure, Result};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What a command line names.
#[derive(Clone, Debug, Default)]
pub struct AskedCases {
    /// Model files, whatever is configured; configured cases are meant too only where the filter names some.
    pub files: Vec<PathBuf>,
    /// Which of the configured cases; what it skips is skipped of the files, too.
    pub filter: CaseFilter,
    /// Only models of these packages; all, if none is named.
    pub packages: Vec<String>,
}

impl AskedCases {
    /// The configured models, and those of the files.
    pub fn models(&self, project: &Project, overrides: &Overrides) -> Result<AskedModels> {
        let overrides = overrides.knowing(project, &self.files);
        let files = project.ad_hocs(&self.files, &overrides)?;
        Ok(self.configured(project, &overrides)?.with_files(files))
    }

    /// The configured models alone, as far as they are meant.
    pub fn configured(&self, project: &Project, overrides: &Overrides) -> Result<AskedModels> {
        let meant = self.files.is_empty() || !self.filter.names.is_empty();
        if !(meant || self.packages.is_empty()) {
            return Err(Failure::usage("--package selects configured models, and only files are named")
                .next("take --package out, or name the configured cases, too"));
        }
        let configured = meant.then(|| project.models(&self.packages, overrides)).transpose()?;
        Ok(AskedModels { configured, files: Vec::new(), filter: self.filter.clone() })
    }
}

/// Models that a command is about, and which of their cases.
#[derive(Clone, Debug)]
pub struct AskedModels {
    /// `None` where only files are named.
    pub configured: Option<Vec<Model>>,
    /// The files, in the order of the command line.
    pub files: Vec<Model>,
    filter: CaseFilter,
}

impl AskedModels {
    /// The same with these files.
    #[must_use]
    pub fn with_files(self, files: Vec<Model>) -> Self {
        Self { files, ..self }
    }

    /// Configured models and files, as far as they are meant, each with what takes their cases.
    pub fn parts(&self) -> Vec<(&[Model], CaseFilter)> {
        // A file is named by itself.
        let skipping = CaseFilter { names: Vec::new(), ..self.filter.clone() };
        let files = (!self.files.is_empty()).then_some((&self.files[..], skipping));
        let configured = self.configured.as_deref().map(|models| (models, self.filter.clone()));
        configured.into_iter().chain(files).collect()
    }

    /// The cases that are meant; of configured ones, and of those of files, there must be one.
    pub fn cases(&self, host: Host) -> Result<Vec<Case>> {
        let selected = |(models, filter): (&[Model], CaseFilter)| select(cases(models, host), &filter);
        unique(self.parts().into_iter().map(selected).collect::<Result<Vec<_>>>()?)
    }

    /// The same where there may be none.
    pub fn cases_there(&self, host: Host) -> Result<Vec<Case>> {
        let taken = |(models, filter): (&[Model], CaseFilter)| {
            cases(models, host).into_iter().filter(|case| filter.takes(&case.id)).collect()
        };
        unique(self.parts().into_iter().map(taken).collect())
    }
}

fn unique(parts: Vec<Vec<Case>>) -> Result<Vec<Case>> {
    let all = parts.concat();
    ensure_unique_ids(all.iter().map(|case| case.id.as_str()))?;
    Ok(all)
}

/// Fails where an id is there twice.
pub fn ensure_unique_ids<'a>(ids: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    match ids.into_iter().find(|id| !seen.insert(*id)) {
        None => Ok(()),
        Some(twice) => Err(Failure::usage(format!("two cases have the id {twice}"))
            .next("name a file once, or rename one of the models; ids must differ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_is_skipped_of_files_too_and_packages_are_of_configured_models() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("m.onnx");
        std::fs::write(&file, "").unwrap();
        let (project, overrides) = (Project::bare(dir.path()), Overrides::default());
        let host = Host { cpus: 2, gpu: false, tensorrt: false };
        let asked = |skip: &str, files: Vec<PathBuf>| AskedCases {
            filter: CaseFilter { skip: vec![skip.to_owned()], ..CaseFilter::default() },
            files,
            packages: Vec::new(),
        };
        let models = asked("throughput", vec![file.clone()]).models(&project, &overrides).unwrap();
        let ids = |cases: Vec<Case>| cases.into_iter().map(|case| case.id).collect::<Vec<_>>();
        assert_eq!(models.cases(host).map(ids), Ok(vec!["files/m/default/latency".to_owned()]));
        let none = asked("*", vec![file.clone()]).models(&project, &overrides).unwrap();
        assert!(none.cases(host).unwrap_err().message.contains("no case of 2 matches --skip *"));
        assert_eq!(none.cases_there(host).map(ids), Ok(Vec::new()));
        let packages = AskedCases { packages: vec!["shop".to_owned()], ..asked("", vec![file]) };
        let refused = packages.models(&project, &overrides).unwrap_err();
        assert!(refused.message.contains("--package selects configured models"), "{refused}");
    }
}
