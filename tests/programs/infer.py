"""A program that times itself, as src/guide/command.md describes it: a matrix product stands for an inference."""

import os
import time

import numpy

SIZE = 64


def wanted(name):
    return int(os.environ["TRT_PERF_" + name])


random = numpy.random.default_rng(wanted("SEED"))
left, right = random.random((2, SIZE, SIZE), dtype=numpy.float32)


def request():
    begin = time.perf_counter_ns()
    left @ right
    return time.perf_counter_ns() - begin


begin = time.perf_counter_ns()
while time.perf_counter_ns() - begin < wanted("WARM_UP_NS"):
    request()

latencies, begin = [], time.perf_counter_ns()
while True:
    took = time.perf_counter_ns() - begin
    enough = took >= wanted("MEASURE_NS") and len(latencies) >= wanted("LEAST_REQUESTS")
    if enough or took >= wanted("MOST_NS"):
        break
    latencies.append(request())

numpy.save(os.environ["TRT_PERF_SAMPLES"], numpy.array(latencies, dtype=numpy.uint64))
