//! Warns where a GPU shares the host's memory (Jetson, GB10) and there is little of it: what does not fit is swapped, or
//! the kernel ends the worker. Pure.

use super::{Warning, cpu};
use crate::units::bytes;

/// Below this a build of TensorRT hardly fits, whatever the model.
pub const LEAST_SHARED: u64 = 2 << 30;

/// What to do about it.
const RECIPE: &str = "add swap: `sudo fallocate -l 8G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && \
                      sudo swapon /swapfile`; on a Jetson switch zram off before, which takes of the same memory: `sudo \
                      systemctl disable --now nvzramconfig`, then reboot";

/// The warning that a text like `/proc/meminfo` gives rise to, where `needed` bytes are needed at once.
pub fn short_of_memory(meminfo: &str, needed: u64) -> Option<Warning> {
    let available = cpu::kib_field(meminfo, "MemAvailable")?;
    short(available, cpu::kib_field(meminfo, "SwapFree"), needed)
}

/// The same of numbers. Without swap, none is free.
pub(super) fn short(available: u64, swap_free: Option<u64>, needed: u64) -> Option<Warning> {
    let swap = swap_free.unwrap_or(0);
    let has = available.saturating_add(swap);
    (has < needed).then(|| Warning {
        what: format!(
            "the GPU shares the host's memory, of which {} are available and {} of swap are free: less than the {} that \
             may be needed",
            bytes(available),
            bytes(swap),
            bytes(needed)
        ),
        advice: RECIPE.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an Orin Nano says it, but for the numbers.
    fn meminfo(available_mib: u64, swap_free_mib: u64) -> String {
        format!(
            "MemTotal:        7802936 kB\nMemFree:          612344 kB\nMemAvailable:   {:8} kB\nBuffers:           90424 \
             kB\nSwapTotal:       3901452 kB\nSwapFree:       {:8} kB\n",
            available_mib * 1024,
            swap_free_mib * 1024
        )
    }

    #[test]
    fn memory_and_swap_count_together() {
        let warned = |available, swap| short_of_memory(&meminfo(available, swap), LEAST_SHARED).is_some();
        assert!(warned(1500, 500) && warned(0, 0) && !warned(1500, 548) && !warned(4000, 0));
        let warning = short_of_memory(&meminfo(1500, 200), 3 << 30).unwrap();
        assert!(warning.what.contains("1.46 GiB are available and 200.0 MiB of swap"), "{}", warning.what);
        assert!(warning.what.ends_with("less than the 3.00 GiB that may be needed"), "{}", warning.what);
        for step in ["fallocate", "mkswap", "swapon", "nvzramconfig"] {
            assert!(warning.advice.contains(step), "{}", warning.advice);
        }
    }

    #[test]
    fn what_the_kernel_does_not_say_is_no_warning_and_no_swap_is_none() {
        assert_eq!(short_of_memory("", LEAST_SHARED), None);
        assert_eq!(short_of_memory("MemAvailable: many kB\n", LEAST_SHARED), None);
        let no_swap = short_of_memory("MemAvailable:    1024 kB\n", LEAST_SHARED).unwrap();
        assert!(no_swap.what.contains("1.0 MiB are available and 0 B of swap"), "{}", no_swap.what);
    }
}
