//! The state of a GPU at one moment, and what disturbed it between two.

use serde::{Deserialize, Serialize};

/// A clock that moves by more than this share makes the numbers in between a mixture of two GPUs. A GPU whose clock is
/// not locked moves by a few percent by itself: that is part of how much its numbers vary (of seven first runs on an
/// H100, four moved by more than 1 %).
const MAX_CLOCK_CHANGE_FRAC: f64 = 0.1;

/// A move that is worth a word.
const CLOCK_CHANGE_FRAC: f64 = 0.01;

/// Why a GPU's clocks are held down, as NVML tells it. Being idle and clocks that the user has set are no reasons.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, thiserror::Error,
)]
#[serde(rename_all = "kebab-case")]
pub enum Throttle {
    /// The hardware is too hot.
    #[error("too hot (hardware slowdown)")]
    HardwareThermal,
    /// The driver finds it too hot.
    #[error("too hot (driver slowdown)")]
    DriverThermal,
    /// The power supply asks for less.
    #[error("power brake of the power supply")]
    PowerBrake,
    /// The hardware slows down, for one of the reasons above or another.
    #[error("hardware slowdown")]
    Hardware,
    /// The highest clock would take more power than is allowed: usual under full load.
    #[error("power limit")]
    PowerLimit,
    /// It follows a slower GPU.
    #[error("sync boost with a slower GPU")]
    SyncBoost,
}

impl Throttle {
    /// Whether it is a fault of the machine, and not how the GPU works under load.
    pub fn is_fault(self) -> bool {
        match self {
            Self::HardwareThermal | Self::DriverThermal | Self::PowerBrake | Self::Hardware => true,
            Self::PowerLimit | Self::SyncBoost => false,
        }
    }
}

/// The state of a GPU at one moment; `None` is what NVML does not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GpuConditions {
    /// Clock of the multiprocessors, measured by the GPU itself over about a millisecond.
    pub sm_mhz: Option<f64>,
    /// The highest clock of the multiprocessors, as the driver gives it.
    #[serde(default)]
    pub max_sm_mhz: Option<f64>,
    /// Clock of the memory.
    pub memory_mhz: Option<u32>,
    /// Temperature of the chip, in °C.
    pub temperature_c: Option<u32>,
    /// Power draw of the whole board, in watts.
    pub power_w: Option<f64>,
    /// Why its clocks are held down; empty where they are not.
    pub throttled: Vec<Throttle>,
    /// Processes with a compute context beside this one.
    pub others: Option<u64>,
}

/// What disturbed a GPU while it was measured.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GpuDisturbance {
    /// Its clocks were held down by a fault of the machine.
    #[error("the GPU's clocks were held down: {0}")]
    Throttled(Throttle),
    /// The clock at the end is far from that of the start.
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
        let held = before.throttled.iter().chain(&after.throttled).find(|why| why.is_fault());
        if let Some(why) = held {
            return Some(GpuDisturbance::Throttled(*why));
        }
        if let (Some(before_mhz), Some(after_mhz)) = (before.sm_mhz, after.sm_mhz)
            && (after_mhz / before_mhz - 1.0).abs() > MAX_CLOCK_CHANGE_FRAC
        {
            return Some(GpuDisturbance::ClockMoved { before_mhz, after_mhz });
        }
        let others = before.others.max(after.others).filter(|n| *n > 0)?;
        Some(GpuDisturbance::Shared { others })
    }

    /// By which share of its clock at the start the GPU's clock moved, where that is worth a word; below 0: it fell.
    pub fn clock_change_frac(before: &Self, after: &Self) -> Option<f64> {
        let moved = after.sm_mhz? / before.sm_mhz? - 1.0;
        (moved.abs() > CLOCK_CHANGE_FRAC).then_some(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spoils_a_measurement_and_what_does_not() {
        let at = |mhz: f64| GpuConditions { sm_mhz: Some(mhz), others: Some(0), ..GpuConditions::default() };
        assert_eq!(
            GpuConditions::disturbance(&at(1980.0), &at(1800.0)),
            None,
            "clocks that are not locked move"
        );
        let change = |to: f64| GpuConditions::clock_change_frac(&at(2000.0), &at(to));
        assert_eq!((change(1990.0), change(1900.0).map(|x| (x * 1e3).round())), (None, Some(-50.0)));
        let moved = GpuConditions::disturbance(&at(1980.0), &at(1700.0)).unwrap().to_string();
        assert!(moved.contains("1980 to 1700 MHz"), "{moved}");
        let held = |why| GpuConditions { throttled: vec![Throttle::PowerLimit, why], ..at(1980.0) };
        for fault in
            [Throttle::HardwareThermal, Throttle::DriverThermal, Throttle::PowerBrake, Throttle::Hardware]
        {
            let found = GpuConditions::disturbance(&at(1980.0), &held(fault));
            assert_eq!(found, Some(GpuDisturbance::Throttled(fault)));
        }
        assert_eq!(GpuConditions::disturbance(&at(1980.0), &held(Throttle::SyncBoost)), None);
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
