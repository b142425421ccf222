"""Whether replays of a CUDA graph answer what the engine does without one, through NVIDIA's own bindings of TensorRT-RTX.

    python3 replays.py BINDINGS LIBRARIES MODEL        MODEL.onnx, with MODEL/input.npy and MODEL/output.npy (models.py)

BINDINGS: a folder with the unpacked wheel tensorrt-rtx-cu13-bindings; LIBRARIES: the folder of TensorRT-RTX. No line of this
project runs: what differs here is the library's. Needs numpy, torch and an NVIDIA GPU.
"""

import sys

import bindings
import numpy as np
import torch

folder, libraries, path = sys.argv[1:4]
trt = bindings.load(folder, libraries)
logger = trt.Logger(trt.Logger.WARNING)
plan = bindings.build(trt, logger, path + ".onnx")
engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
context = engine.create_execution_context()
expected = np.load(path + "/output.npy").astype(np.float64)
image = torch.from_numpy(np.load(path + "/input.npy")).cuda()
output = torch.zeros(expected.shape, dtype=image.dtype, device="cuda")
context.set_tensor_address(engine.get_tensor_name(0), image.data_ptr())
context.set_tensor_address(engine.get_tensor_name(1), output.data_ptr())
stream = torch.cuda.Stream()


def answer(run, times):
    output.zero_()
    torch.cuda.synchronize()
    for _ in range(times):
        run()
    torch.cuda.synchronize()
    return output.cpu().numpy().astype(np.float64)


def report(what, answers, right):
    errors = [np.abs(a - right).max() / np.abs(right).max() for a in answers]
    print(f"{what}: {sum(e > 1e-3 for e in errors)} of {len(errors)} wrong, worst {max(errors):.1e}")


def plain():
    context.execute_async_v3(stream.cuda_stream)


report("plain, against ONNX Runtime", [answer(plain, 1) for _ in range(20)], expected)
right = answer(plain, 1)
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph, stream=stream, capture_error_mode="relaxed"):
    context.execute_async_v3(torch.cuda.current_stream().cuda_stream)
report("single replays, against plain", [answer(graph.replay, 1) for _ in range(200)], right)
report("50 replays back to back", [answer(graph.replay, 50) for _ in range(100)], right)
report("plain afterwards", [answer(plain, 1) for _ in range(200)], right)
