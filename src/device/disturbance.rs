//! The state of a GPU at one moment, and what disturbed it between two.

use serde::{Deserialize, Serialize};

/// A clock that differs by more than this between start and end makes the numbers in between a mixture.
const CLOCK_CHANGE_FRAC: f64 = 0.01;

/// The state of a GPU at one moment; `None` is what NVML does not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GpuConditions {
    /// Clock of the multiprocessors, measured by the GPU itself over about a millisecond.
    pub sm_mhz: Option<f64>,
    /// Clock of the memory.
    pub memory_mhz: Option<u32>,
    /// Temperature of the chip, in °C.
    pub temperature_c: Option<u32>,
    /// Power draw of the whole board, in watts.
    pub power_w: Option<f64>,
    /// Why its clocks are held down, in words; empty where they are not.
    pub throttled: Vec<String>,
    /// Processes with a compute context beside this one.
    pub others: Option<u64>,
}

/// What disturbed a GPU while it was measured.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GpuDisturbance {
    /// Its clocks were held down, as [`GpuConditions::throttled`] says.
    #[error("the GPU's clocks were held down: {why}")]
    Throttled {
        /// The first reason, in words.
        why: String,
    },
    /// The clock at the end is not that of the start.
    #[error("the GPU's clock went from {before_mhz:.0} to {after_mhz:.0} MHz")]
    ClockMoved {
        /// Clock of the multiprocessors at the start.
        before_mhz: f64,
        /// The same at the end.
        after_mhz: f64,
    },
    /// Other processes computed on the GPU.
    #[error("{others} other {} used the GPU too", if *.others == 1 { "process" } else { "processes" })]
    Shared {
        /// How many processes.
        others: u64,
    },
}

impl GpuConditions {
    /// What about the time between two states makes the numbers in between invalid.
    pub fn disturbance(before: &Self, after: &Self) -> Option<GpuDisturbance> {
        let held = before.throttled.iter().chain(&after.throttled).next();
        if let Some(why) = held {
            return Some(GpuDisturbance::Throttled { why: why.clone() });
        }
        if let (Some(before_mhz), Some(after_mhz)) = (before.sm_mhz, after.sm_mhz)
            && (after_mhz / before_mhz - 1.0).abs() > CLOCK_CHANGE_FRAC
        {
            return Some(GpuDisturbance::ClockMoved { before_mhz, after_mhz });
        }
        let others = before.others.max(after.others).filter(|n| *n > 0)?;
        Some(GpuDisturbance::Shared { others })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spoils_a_measurement_and_what_does_not() {
        let at = |mhz: f64| GpuConditions { sm_mhz: Some(mhz), others: Some(0), ..GpuConditions::default() };
        assert_eq!(GpuConditions::disturbance(&at(1980.0), &at(1970.0)), None);
        let moved = GpuConditions::disturbance(&at(1980.0), &at(1900.0)).unwrap().to_string();
        assert!(moved.contains("1980 to 1900 MHz"), "{moved}");
        let hot = GpuConditions { throttled: vec!["too hot".into()], ..at(1980.0) };
        assert!(GpuConditions::disturbance(&at(1980.0), &hot).unwrap().to_string().contains("too hot"));
        let shared = GpuConditions { others: Some(2), ..at(1980.0) };
        assert!(
            GpuConditions::disturbance(&shared, &at(1980.0))
                .unwrap()
                .to_string()
                .contains("2 other processes")
        );
        let unknown = GpuConditions::default();
        assert_eq!(GpuConditions::disturbance(&unknown, &unknown), None);
    }
}
