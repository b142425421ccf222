#!/bin/sh
# Stands in for NVIDIA's nsys (or ncu) in tests: notes how it was called and with which environment, runs the worker, and
# writes a report that it was given. What it does wrong is what @MODE@ says.
echo "$*" >> "@LOG@"
report= end=nsys-rep
for arg in "$@"; do
  case "$arg" in
    --output=*) report=${arg#*=} ;;
    --export=*) report=${arg#*=} end=ncu-rep ;;
  esac
done
case "$1" in
  --version) echo "NVIDIA Nsight Systems version 2025.1.3.140-251335571"; exit ;;
  shutdown) exit ;;
  export)
    case @MODE@ in
      no-export) exit 0 ;;
      bad-export) echo '{"no": "database"}' > "$report"; exit ;;
    esac
    cp "@SQLITE@" "$report"; exit ;;
esac
case "$*" in
  "profile --help")
    [ @MODE@ = old ] || echo "--capture-range-end="
    printf '\t--gpu-metrics-devices=\n\t--accelerator-trace=\n\ttegra-accelerators\n'; exit ;;
  *=help) echo "Insufficient privilege, see https://developer.nvidia.com/ERR_NVGPUCTRPERM"; exit 1 ;;
esac

env | sort > "@LOG@.env"
case @MODE@ in
  fails) echo "The target application is not allowed here"; exit 3 ;;
  hangs) echo $$ > "@LOG@.pid"; sleep 600 & echo $! > "@LOG@.child"; wait ;;
  no-worker) ;;
  *)
    while [ "$2" != __worker ]; do shift; done
    # As the real one does it.
    [ -z "$TRT_PERF_STANDIN_NVTX" ] || export NVTX_INJECTION64_PATH="$TRT_PERF_STANDIN_NVTX"
    "$@" || exit ;;
esac
[ @MODE@ = silent ] || echo "a report" > "$report.$end"
