#!/usr/bin/env bash
# Two GPUs of one host, side by side: what neighbours do to each other, what lanes save, what a killed worker costs.
#     lanes.sh PROGRAM FOLDER LOG [LIBRARIES [NAMES]]
# PROGRAM: cargo-trt-perf; FOLDER: for models and projects; LOG: everything said, as it is said; LIBRARIES: the folder of
# TensorRT-RTX, for ResNet-50 too (then it needs what models.py needs); NAMES: of the workloads ("cuda-100us cuda-1000us
# resnet50"). DEVICES (0,1) names the GPUs. Further options of lanes.py come from OPTIONS. Ends with 1 where lanes were not what
# they are meant to be; that they disturb each other is a finding.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1") folder=$2 log=$3 libraries=${4:-} names=${5:-cuda-100us cuda-1000us resnet50}
mkdir -p "$folder"
folder=$(realpath "$folder")
exec >"$log" 2>&1
nvidia-smi --query-gpu=index,name,driver_version,power.limit,clocks.max.sm,pcie.link.gen.current --format=csv || true
nvidia-smi topo -m || true
nproc
wrong=0
# lanes NAME MODEL OPTIONS: everything with copies of one model.
lanes() {
    local name=$1 model=$2
    shift 2
    [[ " $names " == *" $name "* ]] || return 0
    date
    # shellcheck disable=SC2086 # several options
    python3 "$here/lanes.py" "$program" "$model" "$folder/$name" --devices "${DEVICES:-0,1}" ${OPTIONS:-} -- "$@" || wrong=1
    date
}
lanes cuda-100us "$here/kernel_100us.toml" --scenario latency
lanes cuda-1000us "$here/kernel_1000us.toml" --scenario latency
if [ -n "$libraries" ]; then
    TRT_PERF_TENSORRT=$(realpath "$libraries")
    export TRT_PERF_TENSORRT
    [ -e "$folder/models/resnet50_fp16.onnx" ] || python3 "$here/models.py" "$folder/models"
    lanes resnet50 "$folder/models/resnet50_fp16.onnx" --backend tensorrt --cuda-graph --scenario latency
fi
exit "$wrong"
