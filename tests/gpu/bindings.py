"""NVIDIA's own bindings of TensorRT-RTX, from a folder with the unpacked wheel tensorrt-rtx-cu13-bindings."""

import ctypes
import importlib.util
import os


def load(folder, libraries):
    """The module, with the libraries of TensorRT-RTX in the folder `libraries`."""
    for name in ["libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1"]:
        ctypes.CDLL(os.path.join(libraries, name), mode=ctypes.RTLD_GLOBAL)
    file = os.path.join(folder, "tensorrt_rtx_bindings", "tensorrt_rtx.so")
    spec = importlib.util.spec_from_file_location("tensorrt_rtx", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(trt, logger, model):
    """The plan that TensorRT-RTX builds of an ONNX file."""
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    if not trt.OnnxParser(network, logger).parse_from_file(model):
        raise SystemExit(f"{model} is not parsed")
    return builder.build_serialized_network(network, builder.create_builder_config())
