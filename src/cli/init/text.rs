//! The text of a first configuration: every setting explained, and the models that were found with their inputs.

use crate::config::{Home, SETTINGS, Setting};
use crate::onnx::{ModelDim, ModelInput};
use std::path::{Path, PathBuf};

/// The table of a package; in place of the line `SETTINGS` stands every setting, explained.
const TEMPLATE: &str = include_str!("template.toml");
/// The further keys of a model, explained.
const MODEL_KEYS: &str = include_str!("model.toml");
/// More models than this are for the user to choose from.
pub(super) const MODELS_WRITTEN: usize = 5;

/// A model as the configuration is to say it.
#[derive(Debug, PartialEq)]
pub(super) struct NamedModel {
    pub name: String,
    /// Relative to the configuration's folder where it is inside.
    pub path: String,
    /// What the file says it takes; `None` where it was not asked, or cannot be read.
    pub inputs: Option<Vec<ModelInput>>,
}

/// Names from file names, made unique; and the models whose paths TOML cannot hold (not UTF-8, control characters).
pub(super) fn name_models<'a>(folder: &Path, paths: &'a [PathBuf]) -> (Vec<NamedModel>, Vec<&'a Path>) {
    let (mut models, mut unwritable): (Vec<NamedModel>, Vec<&Path>) = (Vec::new(), Vec::new());
    for path in paths {
        let inner = path.strip_prefix(folder).unwrap_or(path);
        let stem = inner.file_stem().and_then(|stem| stem.to_str());
        let (Some(text), Some(stem)) = (inner.to_str().filter(|t| !t.contains(char::is_control)), stem)
        else {
            unwritable.push(path);
            continue;
        };
        // A case's id joins names with slashes, and people type it.
        let keep = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let plain: String = stem.chars().map(keep).collect();
        let taken = |name: &str| models.iter().any(|model| model.name == name);
        let name = if taken(&plain) {
            (2..).map(|n| format!("{plain}-{n}")).find(|name| !taken(name)).unwrap_or(plain)
        } else {
            plain
        };
        models.push(NamedModel { name, path: text.to_owned(), inputs: None });
    }
    (models, unwritable)
}

/// The text to append, with `\n` line ends.
pub(super) fn section(models: &[NamedModel], home: Home) -> String {
    let table = home.keys().join(".");
    let (open, of) = match home {
        Home::Package => (format!("[{table}]\n"), "this package's models"),
        _ => (String::new(), "these models"),
    };
    let head = TEMPLATE.replace("TABLE\n", &open).replace("MODELS", of);
    let mut out = head.replace("SETTINGS\n", &explained());
    let name_of = [home.keys(), &["model"]].concat().join(".");
    for model in models.iter().take(MODELS_WRITTEN) {
        let (name, path) = (quoted(&model.name), quoted(&model.path));
        out.push_str(&format!("\n[[{name_of}]]\nname = {name}\npath = {path}\n"));
        out.push_str(&model.inputs.as_deref().map(shapes).unwrap_or_default());
    }
    if models.is_empty() {
        out.push_str(&format!(
            "\n#[[{name_of}]]\n#name = \"classifier\"\n#path = \"models/classifier.onnx\"\n"
        ));
    }
    out.push_str(&MODEL_KEYS.replace("MODEL", &name_of));
    if let Some(more) = models.len().checked_sub(MODELS_WRITTEN).filter(|more| *more > 0) {
        out.push_str(&format!(
            "\n# Not listed above: {more} more .onnx files, such as {}\n",
            quoted(&models[MODELS_WRITTEN].path)
        ));
    }
    out
}

/// Every setting with what it means and its default, commented out.
fn explained() -> String {
    let about = |s: &Setting| s.about.iter().map(|line| format!("#{line}\n")).collect::<String>();
    SETTINGS.iter().map(|s| format!("\n{}#{} = {}\n", about(s), s.key, s.shown)).collect::<String>() + "\n"
}

/// What a model takes, and the shapes it leaves open: the first dimension is taken for the batch, others are for the user
/// to fill in, and commented out until then.
fn shapes(inputs: &[ModelInput]) -> String {
    let mut out = String::new();
    for input in inputs {
        let dims = input.dims.as_deref().map_or_else(|| " of any rank".into(), declared);
        out.push_str(&format!("# Input {}: {}{dims}\n", quoted(&input.name), input.dtype));
    }
    let open: Vec<OpenShape> = inputs.iter().filter_map(OpenShape::of).collect();
    if open.is_empty() {
        return out;
    }
    let said: Vec<String> =
        open.iter().map(|o| format!("{} = [{}]", quoted(&o.name), o.dims.join(", "))).collect();
    let line = format!("shapes = {{ {} }}\n", said.join(", "));
    if open.iter().all(|o| o.whole) {
        return out + &line;
    }
    out + "# Fill in a size for every ?, and take away the # before `shapes`.\n#" + &line
}

/// `[batch, 3, 224, 224]`, of dimensions that have a name or none.
fn declared(dims: &[ModelDim]) -> String {
    let dims: Vec<String> = dims
        .iter()
        .map(|dim| match dim {
            ModelDim::Fixed(n) => n.to_string(),
            ModelDim::Dynamic(name) if name.is_empty() => "?".into(),
            ModelDim::Dynamic(name) => crate::printable::line(name),
        })
        .collect();
    format!(" [{}]", dims.join(", "))
}

/// An input with dimensions that the model leaves open.
struct OpenShape {
    name: String,
    dims: Vec<String>,
    /// Nothing is left for the user to fill in.
    whole: bool,
}

impl OpenShape {
    fn of(input: &ModelInput) -> Option<Self> {
        let dims = input.dims.as_deref()?;
        if dims.iter().all(|dim| matches!(dim, ModelDim::Fixed(_))) {
            return None;
        }
        let written = |(at, dim): (usize, &ModelDim)| match dim {
            ModelDim::Fixed(n) => n.to_string(),
            ModelDim::Dynamic(_) if at == 0 => "\"batch\"".into(),
            ModelDim::Dynamic(_) => "?".into(),
        };
        let dims: Vec<String> = dims.iter().enumerate().map(written).collect();
        Some(Self { name: input.name.clone(), whole: !dims.contains(&"?".to_owned()), dims })
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
