#!/usr/bin/env bash
# Everything that a machine with a GPU and without Rust needs to run the GPU tests and the GPU figures, in one folder:
#     tests/gpu/bundle.sh FOLDER        on any x86-64 Linux machine with Rust
#     FOLDER/run.sh                     on the machine with the GPU
#     FOLDER/rtx.sh FOLDER/cargo-trt-perf LIBRARIES /tmp/rtx log.txt     there, with the libraries of TensorRT-RTX
#     FOLDER/lanes.sh FOLDER/cargo-trt-perf /tmp/lanes log.txt LIBRARIES     there, with two GPUs
#     FOLDER/memory.sh FOLDER/cargo-trt-perf LIBRARIES FOLDER/models/*.onnx     there, too
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?name a folder for the bundle}
mkdir -p "$folder"
# built NAME ARGUMENTS: the file that cargo says it made for the target of this name.
built() {
    local name=$1
    shift
    cargo "$@" --message-format json 2>/dev/null |
        python3 -c 'import json, sys
made = [m for m in map(json.loads, sys.stdin) if m.get("reason") == "compiler-artifact" and m["target"]["name"] == sys.argv[1]]
# A library is no executable.
print(made[-1]["executable"] or made[-1]["filenames"][0])' "$name"
}
cargo build --release --locked
install -s -m 755 "$(built cargo-trt-perf build --release --locked --bin cargo-trt-perf)" "$folder/cargo-trt-perf"
install -s -m 755 "$(built it test --release --locked --no-run --test it)" "$folder/tests"
install -s -m 755 "$(built gpu bench --locked --no-run --bench gpu)" "$folder/gpu-bench"
install -s -m 755 "$(built live_capacity bench --locked --no-run --bench live_capacity)" "$folder/live-capacity"
# What takes TensorRT's place in the tests, and the models they load with it.
install -s -m 644 "$(built trt_perf_testlib build --release --locked --example trt_perf_testlib)" "$folder/libtrt_perf_testlib.so"
rm -rf "$folder/models"
mkdir -p "$folder/models/reference"
cp tests/models/*.onnx tests/models/*.onnx.data "$folder/models/"
cp -r tests/models/reference/{mlp,resize,found} "$folder/models/reference/"
cp tests/gpu/models.py tests/gpu/verdicts.py tests/gpu/rtx.sh tests/gpu/memory.sh \
    tests/gpu/lanes.py tests/gpu/lanes.sh tests/gpu/kernel_100us.toml tests/gpu/kernel_1000us.toml "$folder/"
cat >"$folder/run.sh" <<'RUN'
#!/usr/bin/env bash
# The GPU tests, then the figures. Arguments name other tests, or options of the test harness.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export TRT_PERF_BIN=$here/cargo-trt-perf TRT_PERF_REQUIRE_GPU=1
export TRT_PERF_TESTLIB=$here/libtrt_perf_testlib.so TRT_PERF_MODELS=$here/models
"$TRT_PERF_BIN" doctor
# One after the other: two tests on one GPU would disturb each other.
[ $# -gt 0 ] || set -- gpu::
"$here/tests" --test-threads 1 "$@"
"$here/gpu-bench" --bench
RUN
chmod +x "$folder/run.sh"
du -sh "$folder"
