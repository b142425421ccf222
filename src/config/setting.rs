//! Describes one setting, a row of the table of settings.
//!
//! `init` writes documentation from it, and the command line makes its options from it.

/// A key of the configuration.
#[derive(Debug)]
pub struct Setting {
    /// Its name in a table.
    pub key: &'static str,
    /// What it means, line by line, each after a blank.
    pub about: &'static [&'static str],
    /// The value that `init` shows, as TOML: the default, or an example where there is none.
    pub shown: &'static str,
    /// The option that is short for `--config KEY=VALUE`.
    pub flag: Option<Flag>,
}

/// An option of the command line.
#[derive(Debug)]
pub struct Flag {
    /// Its name without the two hyphens.
    pub name: &'static str,
    /// What follows it.
    pub takes: Takes,
    /// Its line in `--help`.
    pub help: &'static str,
}

/// What follows an option on the command line; the text is the value's name in `--help`.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// One value.
    One(&'static str),
    /// One value, the path of a folder.
    Folder(&'static str),
    /// It may be repeated, and the setting is the list.
    Many(&'static str),
    /// Nothing follows: naming the option sets this value.
    Nothing(bool),
}

impl Flag {
    pub(super) const fn new(name: &'static str, takes: Takes, help: &'static str) -> Self {
        Self { name, takes, help }
    }
}
