"""ResNet-50 in PyTorch, as a program that times itself (src/guide/command.md): `eager`, or one CUDA graph.

    run = ["python3", "torch_resnet50.py", "graph"]        needs torch, torchvision and a GPU
"""

import os
import sys
import time

import numpy
import torch
import torchvision


def wanted(name):
    return int(os.environ["TRT_PERF_" + name])


torch.manual_seed(wanted("SEED"))
model = torchvision.models.resnet50(weights=None).eval().half().cuda()
image = torch.randn(1, 3, 224, 224).half().cuda()

with torch.inference_mode():
    forward = lambda: model(image)
    if sys.argv[1] == "graph":
        # Everything is loaded and chosen before it is captured.
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(3):
                model(image)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            model(image)
        forward = graph.replay

    def request():
        begin = time.perf_counter_ns()
        forward()
        torch.cuda.synchronize()
        return time.perf_counter_ns() - begin

    begin = time.perf_counter_ns()
    while time.perf_counter_ns() - begin < wanted("WARM_UP_NS"):
        request()
    latencies, begin = [], time.perf_counter_ns()
    while True:
        took = time.perf_counter_ns() - begin
        if took >= wanted("MOST_NS") or (took >= wanted("MEASURE_NS") and len(latencies) >= wanted("LEAST_REQUESTS")):
            break
        latencies.append(request())

numpy.save(os.environ["TRT_PERF_SAMPLES"], numpy.array(latencies, dtype=numpy.uint64))
