//! What a GPU can do at most, by its clocks, its width and its compute capability. Pure.

use super::work::{ArithmeticType, LayerWork};
use crate::trtexec::TrtexecOutput;
use serde::{Deserialize, Serialize};

/// The limits of one GPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GpuLimits {
    /// Compute capability, such as `9.0`.
    pub capability: String,
    /// How many multiprocessors (SMs) it has.
    pub multiprocessors: u64,
    /// Their highest clock, in Hz.
    pub sm_hz: f64,
    /// What its memory moves, in bytes per second.
    pub memory_bytes_per_s: f64,
}

/// Dense operations (a multiplication and an addition are two) of one multiprocessor in one cycle; 0 where it has no such
/// unit, or no figure is published.
struct SmRates {
    capability: &'static str,
    /// CUDA cores, by "Throughput of Native Arithmetic Instructions" of the CUDA C++ Programming Guide, times two.
    fp32: u32,
    /// Tensor cores, as the next ones: the peak of a data sheet without sparsity, divided by SMs and boost clock.
    tf32: u32,
    fp16: u32,
    fp8: u32,
    fp4: u32,
    int8: u32,
}

/// The source of each line is NVIDIA's paper on its architecture or board; in brackets a check: SMs × clock × rate.
const RATES: [SmRates; 9] = [
    // "NVIDIA Tesla V100 GPU Architecture": 125 TFLOPS (80 × 1.53 GHz × 1024).
    SmRates { capability: "7.0", fp32: 128, tf32: 0, fp16: 1024, fp8: 0, fp4: 0, int8: 0 },
    // "NVIDIA Turing GPU Architecture", T4: 65 TFLOPS, 130 TOPS (40 × 1.59 GHz × 1024, × 2048).
    SmRates { capability: "7.5", fp32: 128, tf32: 0, fp16: 1024, fp8: 0, fp4: 0, int8: 2048 },
    // "NVIDIA A100 Tensor Core GPU Architecture": 156, 312, 624 (108 × 1.41 GHz × 1024, × 2048, × 4096).
    SmRates { capability: "8.0", fp32: 128, tf32: 1024, fp16: 2048, fp8: 0, fp4: 0, int8: 4096 },
    // "NVIDIA A10" data sheet: 62.5, 125, 250 (72 × 1.695 GHz × 512, × 1024, × 2048).
    SmRates { capability: "8.6", fp32: 256, tf32: 512, fp16: 1024, fp8: 0, fp4: 0, int8: 2048 },
    // "Jetson AGX Orin Series Technical Brief": 42.5 and 85 without sparsity (16 × 1.3 GHz × 2048, × 4096).
    SmRates { capability: "8.7", fp32: 256, tf32: 0, fp16: 2048, fp8: 0, fp4: 0, int8: 4096 },
    // "NVIDIA L40S" data sheet: 183, 362, 733, 733 (142 × 2.52 GHz × 512, × 1024, × 2048).
    SmRates { capability: "8.9", fp32: 256, tf32: 512, fp16: 1024, fp8: 2048, fp4: 0, int8: 2048 },
    // "NVIDIA H100 Tensor Core GPU Architecture", SXM5: 495, 989, 1979, 1979 (132 × 1.83 GHz × 2048, × 4096, × 8192).
    SmRates { capability: "9.0", fp32: 256, tf32: 2048, fp16: 4096, fp8: 8192, fp4: 0, int8: 8192 },
    // "NVIDIA Blackwell Datasheet", HGX B200: 1.1, 2.25, 4.5, 9, 4.5 P (148 × 1.86 GHz × 4096, × 8192, × 16384, × 32768).
    SmRates { capability: "10.0", fp32: 256, tf32: 4096, fp16: 8192, fp8: 16384, fp4: 32768, int8: 16384 },
    // "NVIDIA RTX Blackwell GPU Architecture", RTX 5090: 419, 838, 1676, 838 (170 × 2.41 GHz × 1024, × 2048, × 4096).
    SmRates { capability: "12.0", fp32: 256, tf32: 512, fp16: 1024, fp8: 2048, fp4: 4096, int8: 2048 },
];

impl GpuLimits {
    /// By clocks in Hz and the width of the memory in bits; `None` where one is not known. Memory moves twice in each cycle
    /// of the clock that CUDA, NVML and trtexec tell, whatever it is made of (HBM2 to GDDR7).
    pub fn of(
        capability: &str,
        multiprocessors: u64,
        sm_hz: f64,
        memory_hz: f64,
        bus_bits: u64,
    ) -> Option<Self> {
        let memory_bytes_per_s = 2.0 * memory_hz * (bus_bits / 8) as f64;
        let all = multiprocessors > 0 && sm_hz > 0.0 && memory_bytes_per_s > 0.0;
        let known = all && sm_hz.is_finite() && memory_bytes_per_s.is_finite();
        let capability = capability.to_owned();
        known.then_some(Self { capability, multiprocessors, sm_hz, memory_bytes_per_s })
    }

    /// By what trtexec prints of the GPU that it uses.
    pub fn said_by(output: &TrtexecOutput) -> Option<Self> {
        // Version 10 tells application clocks instead. Behind numbers stand units and notes.
        let number = |key: &str| output.gpu_facts.get(key)?.split_whitespace().next()?.parse::<f64>().ok();
        let clock = |what: &str| {
            let found = number(&format!("{what} Clock Rate"));
            found.or_else(|| number(&format!("Application {what} Clock Rate"))).map(|ghz| ghz * 1e9)
        };
        let capability = output.gpu_facts.get("Compute Capability")?;
        let bits = number("Memory Bus Width")? as u64;
        Self::of(capability, output.multiprocessors?, clock("Compute")?, clock("Memory")?, bits)
    }

    /// The least time for this work, in nanoseconds; `None` where no rate is known for such arithmetic.
    pub fn allowed_ns(&self, work: &LayerWork) -> Option<f64> {
        let computing = match work.flops > 0.0 {
            true => work.flops / self.flops_per_s(work.dtype)?,
            false => 0.0,
        };
        Some(computing.max(work.bytes / self.memory_bytes_per_s) * 1e9)
    }

    /// Operations per second.
    fn flops_per_s(&self, dtype: ArithmeticType) -> Option<f64> {
        let rates = RATES.iter().find(|rates| rates.capability == self.capability)?;
        let each = match dtype {
            ArithmeticType::Fp32 => rates.tf32.max(rates.fp32),
            ArithmeticType::Fp16 => rates.fp16,
            ArithmeticType::Fp8 => rates.fp8,
            ArithmeticType::Fp4 => rates.fp4,
            ArithmeticType::Int8 => rates.int8,
            ArithmeticType::Other => 0,
        };
        (each > 0).then_some(f64::from(each) * self.multiprocessors as f64 * self.sm_hz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_those_of_data_sheets() {
        use ArithmeticType::{Fp8, Fp16, Fp32, Int8};
        // Capability, SMs, GHz; memory GHz, bits; TB/s; a type and its TFLOPS.
        for (capability, sms, ghz, memory_ghz, bits, tb, dtype, tflops) in [
            ("7.0", 80, 1.53, 0.876, 4096, 0.897, Fp16, 125.0),
            ("7.5", 40, 1.59, 5.001, 256, 0.320, Int8, 130.0),
            ("8.0", 108, 1.41, 1.512, 5120, 1.935, Fp16, 312.0),
            ("8.0", 108, 1.41, 1.215, 5120, 1.555, Fp32, 156.0),
            ("8.6", 82, 1.695, 9.751, 384, 0.936, Fp16, 142.0),
            ("8.9", 58, 2.04, 6.251, 192, 0.300, Fp8, 242.0),
            ("9.0", 132, 1.83, 2.619, 5120, 3.35, Fp16, 989.0),
            ("9.0", 132, 1.83, 3.201, 6144, 4.8, Fp8, 1979.0),
            ("10.0", 148, 1.86, 3.75, 8192, 7.7, Fp8, 4500.0),
            ("12.0", 170, 2.407, 14.001, 512, 1.792, Fp16, 419.0),
        ] {
            let limits = GpuLimits::of(capability, sms, ghz * 1e9, memory_ghz * 1e9, bits).unwrap();
            let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.03;
            assert!(near(limits.memory_bytes_per_s, tb * 1e12), "{capability}: {limits:?}");
            let flops = limits.flops_per_s(dtype).unwrap();
            assert!(near(flops, tflops * 1e12), "{capability} {dtype:?}: {flops:e}");
        }
        assert_eq!(GpuLimits::of("9.0", 132, 1.98e9, 0.0, 5120), None, "a clock that nobody tells");
        let old = GpuLimits::of("6.1", 20, 1.6e9, 5e9, 256).unwrap();
        assert_eq!((old.flops_per_s(Fp16), old.flops_per_s(Fp32)), (None, None));
    }
}
