"""Where TensorRT-RTX takes back the kernels that it compiled, through NVIDIA's own bindings: on the same GPU, and on others.

    python3 kept_kernels.py BINDINGS LIBRARIES MODEL.onnx

BINDINGS: a folder with the unpacked wheel tensorrt-rtx-cu13-bindings; LIBRARIES: the folder of TensorRT-RTX. No line of this
project runs. Needs two NVIDIA GPUs; each try is a process of its own.
"""

import ctypes
import os
import subprocess
import sys

import bindings

TRIES = {
    "GPU 0, the same": {},
    "GPU 0, as CUDA's device 1": {"CUDA_VISIBLE_DEVICES": "1,0", "DEVICE": "1"},
    "GPU 1": {"DEVICE": "1"},
    "GPU 1, as CUDA's device 0": {"CUDA_VISIBLE_DEVICES": "1"},
}


def use(device):
    """Makes a device the current one, as a host program does that uses the driver."""
    cuda, context = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
    assert cuda.cuInit(0) == 0
    assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device) == 0
    assert cuda.cuCtxSetCurrent(context) == 0


def main():
    folder, libraries, model, *made = sys.argv[1:]
    use(int(os.environ.get("DEVICE", "0")))
    trt = bindings.load(folder, libraries)
    logger = trt.Logger(trt.Logger.WARNING)
    plan_file, kernels_file = made or (f"/tmp/{os.getpid()}.plan", f"/tmp/{os.getpid()}.kernels")
    if not made:
        with open(plan_file, "wb") as file:
            file.write(bindings.build(trt, logger, model))
    with open(plan_file, "rb") as file:
        engine = trt.Runtime(logger).deserialize_cuda_engine(file.read())
    config = engine.create_runtime_config()
    cache = config.create_runtime_cache()
    if made:
        with open(kernels_file, "rb") as file:
            print("taken" if cache.deserialize(file.read()) else "refused", flush=True)
        return
    config.set_runtime_cache(cache)
    config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
    context = engine.create_execution_context(config)
    with open(kernels_file, "wb") as file:
        file.write(cache.serialize())
    print(f"{os.path.getsize(kernels_file)} bytes of kernels from GPU 0", flush=True)
    del context
    for name, environment in TRIES.items():
        words = [sys.executable, *sys.argv, plan_file, kernels_file]
        ran = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True)
        print(f"{name}: {ran.stdout.strip()} {ran.stderr.strip()}", flush=True)


main()
