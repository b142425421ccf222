#!/usr/bin/env bash
# What models take of memory on a GPU: traced by our allocator, of the process by NVML, and the rest; then once more, which
# must be the same to the byte.
#     memory.sh PROGRAM LIBRARIES MODEL.onnx...
# PROGRAM: cargo-trt-perf; LIBRARIES: the folder of TensorRT or TensorRT-RTX. Needs an NVIDIA GPU. Ends with 1 where a model
# leaks, frees what it has not, or takes another amount the second time.
set -euo pipefail
program=$(realpath "$1") libraries=$(realpath "$2")
shift 2
models=()
for model in "$@"; do models+=("$(realpath "$model")"); done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
touch trt-perf.toml
nvidia-smi --query-gpu=name,driver_version,memory.used --format=csv || true
wrong=0
for model in "${models[@]}"; do
    for point in "--scenario latency" "--scenario latency --cuda-graph" "--scenario throughput --streams 2 --in-flight 2"; do
        # shellcheck disable=SC2206 # several options
        options=("$model" --backend tensorrt --tensorrt "$libraries" $point)
        echo "== $model $point"
        "$program" trt-perf memory "${options[@]}" --trace-build | tee first.txt || wrong=1
        grep -qE 'leaked|double free|that it never had' first.txt && wrong=1
        # shellcheck disable=SC2012 # names that we gave
        record=$(ls -dt .trt-perf/memory/*/ | head -1)
        "$program" trt-perf memory "${options[@]}" --compare "$record" | tee second.txt || wrong=1
        grep -q 'to the byte' second.txt || wrong=1
    done
done
exit "$wrong"
