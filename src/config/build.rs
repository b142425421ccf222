//! Holds the settings of how an engine is made: one layer of them as written, and what all layers come to.

use super::program::ProgramOptions;
use super::table::{Table, boolean, list, text};
use super::tensorrt::TensorrtOptions;
use crate::units::parse_percent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What trtexec has an option for, and people write as a key.
const PRECISIONS: [&str; 4] = ["fp16", "bf16", "fp8", "int8"];

/// How the engine is made; part of the engine inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct BuildOptions {
    /// Graph optimisation (fusion, constant folding). Default on.
    pub optimize: bool,
    /// Weights copied into the layout the matrix kernels like. Default on.
    pub prepack_weights: bool,
    /// Test only: real extra work of this share of the inference time after every request, to see whether a
    /// slowdown is caught. Part of the engine inputs and named in every report, so that nobody takes the numbers for
    /// real ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debug_extra_work_frac: Option<f64>,
    /// Left out where nothing is set, so that engines of other backends keep their hashes.
    #[serde(default, skip_serializing_if = "TensorrtOptions::is_default")]
    pub tensorrt: TensorrtOptions,
    /// Further arguments that `trtexec` builds and runs with; those that change only how it runs are part of the
    /// definition. Of an imported run, what its log says of the build. Left out where
    /// there are none, so that engines of other backends keep their hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trtexec_args: Vec<String>,
    /// The program that is measured, where it is no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramOptions>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            optimize: true,
            prepack_weights: true,
            debug_extra_work_frac: None,
            tensorrt: TensorrtOptions::default(),
            trtexec_args: Vec::new(),
            program: None,
        }
    }
}

/// What one table says of the build.
#[derive(Clone, Debug, Default)]
pub(super) struct BuildLayer {
    optimize: Option<bool>,
    prepack_weights: Option<bool>,
    debug_extra_work_frac: Option<f64>,
    tensorrt: TensorrtOptions,
    trtexec_args: Option<Vec<String>>,
}

impl BuildLayer {
    /// Reads `debug-extra-work` and the table `build` out of `table`.
    pub fn read(table: &mut Table) -> Self {
        let debug_extra_work_frac = table.get("debug-extra-work", extra_work);
        let Some(mut map) = table.sub("build") else {
            return Self { debug_extra_work_frac, ..Self::default() };
        };
        let place = table.place.table(format!("{} build", table.place.table));
        for word in PRECISIONS.into_iter().filter(|word| map.remove(*word).is_some()) {
            table.problems.add(
                &place,
                word,
                format!(
                    "is no key; write precisions = [\"{word}\"] for TensorRT 10. TensorRT 11 and RTX are strongly typed: \
                     export the model in that precision"
                ),
            );
        }
        let mut build = Table::new(map, place, table.problems);
        let layer = Self {
            optimize: build.get("optimize", boolean),
            prepack_weights: build.get("prepack-weights", boolean),
            debug_extra_work_frac,
            tensorrt: TensorrtOptions::read(&mut build),
            trtexec_args: build.get("trtexec-args", list(text)),
        };
        build.finish();
        layer
    }

    /// The same without the options of builders, which a program has not.
    pub fn of_programs(self) -> Self {
        Self { tensorrt: TensorrtOptions::default(), trtexec_args: None, ..self }
    }

    /// This layer where it says something, otherwise the one `below`.
    pub fn over(self, below: Self) -> Self {
        Self {
            optimize: self.optimize.or(below.optimize),
            prepack_weights: self.prepack_weights.or(below.prepack_weights),
            debug_extra_work_frac: self.debug_extra_work_frac.or(below.debug_extra_work_frac),
            tensorrt: self.tensorrt.over(below.tensorrt),
            trtexec_args: self.trtexec_args.or(below.trtexec_args),
        }
    }

    /// The built-in values where no layer says anything.
    pub fn resolve(self) -> BuildOptions {
        let built_in = BuildOptions::default();
        BuildOptions {
            optimize: self.optimize.unwrap_or(built_in.optimize),
            prepack_weights: self.prepack_weights.unwrap_or(built_in.prepack_weights),
            debug_extra_work_frac: self.debug_extra_work_frac.filter(|f| *f > 0.0),
            tensorrt: self.tensorrt,
            trtexec_args: self.trtexec_args.unwrap_or(built_in.trtexec_args),
            program: None,
        }
    }
}

fn extra_work(value: &Value) -> Result<f64, String> {
    match parse_percent(&text(value)?)? {
        f if f <= 10.0 => Ok(f),
        _ => Err(format!("is {}; extra work is at most 1000%", text(value)?)),
    }
}
