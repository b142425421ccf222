#!/bin/sh
# Stands in for NVIDIA's trtexec in tests: knows the options of one version and no others, prints what it prints, and
# measures nothing. Everything it does wrong, it does because STANDIN says so.
version=@VERSION@
echo "$*" >> "@LOG@"
# Three processes in a row differ a little.
times=@TIMES@.$(($(wc -l < "@LOG@") % 3))

case "$STANDIN" in
  no-version) echo "usage: trtexec [OPTIONS]"; exit 1 ;;
  old) version=8401 ;;
  new) version=120000 ;;
esac
echo "&&&& RUNNING TensorRT.trtexec [TensorRT v$version] # trtexec $*"

refuse() {
  echo "[11/22/2026-10:00:00] [E] $1"
  echo "&&&& FAILED TensorRT.trtexec [TensorRT v$version] # trtexec"
  exit 1
}

onnx= plan= save= export= stop= dma=Disabled streams=1 duration=3 warm=200 shapes=
transfers=Enabled spin=Disabled graph=Disabled
case "$version" in 11*) transfers=Disabled spin=Enabled graph=Enabled ;; esac

for arg in "$@"; do
  value=${arg#*=}
  case "$version:$arg" in
    *:--onnx=*) onnx=$value ;;
    *:--saveEngine=*) save=$value ;;
    *:--loadEngine=*) plan=$value ;;
    *:--exportTimes=*) export=$value ;;
    *:--device=*) device=$value ;;
    *:--minShapes=* | *:--optShapes=* | *:--maxShapes=*) ;;
    *:--shapes=*) shapes=$value ;;
    *:--loadInputs=*) ;;
    *:--duration=*) duration=$value ;;
    *:--warmUp=*) warm=$value ;;
    *:--iterations=* | *:--sleepTime=* | *:--idleTime=*) ;;
    *:--exposeDMA) dma=Enabled ;;
    850*:--buildOnly | 8601:--skipInference | 1*:--skipInference) stop=1 ;;
    850*:--streams=* | 8601:--infStreams=* | 1*:--infStreams=*) streams=$value ;;
    8*:--noDataTransfers | 10*:--noDataTransfers) transfers=Disabled ;;
    8*:--useSpinWait | 10*:--useSpinWait) spin=Enabled ;;
    8*:--useCudaGraph | 10*:--useCudaGraph) graph=Enabled ;;
    11*:--includeDataTransfers) transfers=Enabled ;;
    11*:--noSpinWait) spin=Disabled ;;
    11*:--noCudaGraph) graph=Disabled ;;
    8*:--fp16 | 10*:--fp16) ;;
    1104*:--greenContext=* | *:--useDLACore=*) ;;
    *) refuse "Unknown option: $arg" ;;
  esac
done
[ "$STANDIN" = other-settings ] && graph=Enabled

say() { echo "[11/22/2026-10:00:00] [I] $1"; }
say "=== Model Options ==="
if [ -n "$onnx" ]; then say "Format: ONNX"; else say "Format: *"; fi
say "=== Inference Options ==="
say "Batch: Explicit"
say "Duration: ${duration}s (+ ${warm}ms warm up)"
say "Idle time: 0ms"
say "Inference Streams: $streams"
say "ExposeDMA: $dma"
say "Data transfers: $transfers"
say "Spin-wait: $spin"
say "CUDA Graph: $graph"
say "=== Device Information ==="
say "Selected Device: NVIDIA Test GPU"
say "Compute Capability: 8.6"
say "Device Global Memory: 24268 MiB"

if [ -n "$onnx" ]; then
  [ -f "$onnx" ] || refuse "Could not open file $onnx"
  case "$STANDIN" in
    build-fails) refuse "ModelImporter.cpp:949: While parsing node number 0 [Gemm -> \"y\"]: no such operator" ;;
    no-plan) exit 0 ;;
  esac
  [ -n "$stop" ] || refuse "asked to build and measure in one process"
  echo "plan of version $version" > "$save"
  exit 0
fi

[ -f "$plan" ] || refuse "Error opening engine file: $plan"
grep -q "plan of version $version" "$plan" || refuse "The engine plan file is not compatible with this version"
case "$STANDIN" in
  crash) kill -SEGV $$ ;;
  hang) echo $$ > "@LOG@.pid"; sleep 600 & echo $! > "@LOG@.child"; wait ;;
  no-graph) echo "[W] The built engine contains operations that are not permitted under CUDA graph capture mode." ;;
  loud) i=0; while [ $i -lt 20000 ]; do say "a line that nobody reads"; i=$((i + 1)); done ;;
esac
say "Engine deserialized in 0.0125 sec."
case "$STANDIN" in
  no-export) ;;
  bad-json) head -c 1000 "$times" > "$export" ;;
  *) cp "$times" "$export" ;;
esac
echo "&&&& PASSED TensorRT.trtexec [TensorRT v$version] # trtexec"
