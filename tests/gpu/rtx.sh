#!/usr/bin/env bash
# Real models on real TensorRT-RTX: outputs in every mode, what kept kernels save, and checks of real commits.
#     rtx.sh PROGRAM LIBRARIES FOLDER LOG [SECONDS]
# PROGRAM: cargo-trt-perf; LIBRARIES: the folder of TensorRT-RTX; FOLDER: for models and projects; LOG: everything said, as
# it is said. SECONDS: for the checks. Needs an NVIDIA GPU, python3 with torch, torchvision, onnx and onnxruntime, and cargo
# (CARGO names it). Ends with 1 where an output was wrong, beside the one case that is known to be (fp32 with a graph).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1") libraries=$(realpath "$2") folder=$3 log=$4 seconds=${5:-400}
mkdir -p "$folder"
folder=$(realpath "$folder")
exec >"$log" 2>&1
export TRT_PERF_TENSORRT=$libraries
nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.max.sm --format=csv
python3 "$here/models.py" "$folder/models"
mkdir -p "$folder/project/src"
printf '[package]\nname = "live"\nversion = "0.1.0"\nedition = "2024"\n' >"$folder/project/Cargo.toml"
touch "$folder/project/src/lib.rs"
wrong=0
# measured MODEL OPTIONS: one case, with its outputs compared with those of ONNX Runtime.
measured() {
    local model=$1
    shift
    echo "== $model $*"
    (cd "$folder/project" && timeout 90 "$program" trt-perf run "$folder/models/$model.onnx" --backend tensorrt \
        --input "input=$folder/models/$model/input.npy" --expect "output=$folder/models/$model/output.npy" \
        --rtol 0.05 --atol 0.1 --processes 1 --measure 1s -v "$@")
}
for model in resnet50_fp16 mobilenet_fp16; do
    for mode in "" "--cuda-graph" "--no-transfers" "--cuda-graph --no-transfers" "--wait block"; do
        # shellcheck disable=SC2086 # several options
        measured "$model" --scenario latency $mode || wrong=1
    done
    for mode in "--in-flight 1" "--in-flight 2" "--in-flight 2 --no-transfers" "--streams 4 --in-flight 2"; do
        # shellcheck disable=SC2086
        measured "$model" --scenario throughput --cuda-graph $mode || wrong=1
    done
    measured "$model" --scenario latency --cuda-graph --config build.runtime-cache=false || wrong=1
done
measured resnet50 --scenario latency || wrong=1
# Replays of this graph are wrong at times: then the case must fail, with the reason.
measured resnet50 --scenario latency --cuda-graph || echo "failed, as it may"
python3 "$here/verdicts.py" "$program" "$folder/models/resnet50_fp16.onnx" "$folder/checks" \
    --plan 2x2=1,4x2=1,6x2=1,1x2=1,aa=20 --seconds "$seconds" -- --backend tensorrt --cuda-graph --scenario latency
exit "$wrong"
