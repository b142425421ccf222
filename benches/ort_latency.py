#!/usr/bin/env python3
"""Measure the latency of one ONNX model in ONNX Runtime on the CPU.

    ort_latency.py --threads 1 --seconds 5 model.onnx --input features=features.npy

Prints one line of JSON: the model, the median and the mean of the wall time of one
inference in nanoseconds, the number of inferences timed, and the version of ONNX Runtime.
Needs `onnxruntime` and `numpy`. Each `--input` names a model input and a `.npy` file,
whose element type has to be the model's.
"""

import argparse
import json
import statistics
import sys
from time import perf_counter_ns

import numpy as np
import onnxruntime

WARM_UP_SECONDS = 1.0


def run_for(session, inputs, seconds):
    """Wall time in nanoseconds of each inference of a loop of `seconds`; at least one."""
    end = perf_counter_ns() + int(seconds * 1e9)
    times = []
    while True:
        start = perf_counter_ns()
        session.run(None, inputs)
        stop = perf_counter_ns()
        times.append(stop - start)
        if stop >= end:
            return times


def named_array(argument):
    name, separator, path = argument.partition("=")
    if not name or not separator or not path:
        raise argparse.ArgumentTypeError(f"expected NAME=FILE.npy, got {argument!r}")
    try:
        return name, np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {error}") from error


def at_least(kind, least):
    def parse(argument):
        value = kind(argument)
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"expected a number of at least {least}")
        return value

    parse.__name__ = kind.__name__
    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=at_least(int, 1), default=1, help="threads of one operator")
    parser.add_argument("--seconds", type=at_least(float, 0), default=5.0, help="time to measure for")
    parser.add_argument("model", metavar="MODEL.onnx")
    parser.add_argument(
        "--input", type=named_array, action="append", default=[], metavar="NAME=FILE.npy"
    )
    args = parser.parse_args()

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    try:
        session = onnxruntime.InferenceSession(
            args.model, options, providers=["CPUExecutionProvider"]
        )
        inputs = dict(args.input)
        run_for(session, inputs, WARM_UP_SECONDS)
        times = run_for(session, inputs, args.seconds)
    except Exception as error:  # ONNX Runtime's exceptions share no narrower base class.
        print(f"ort_latency.py: {args.model}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({
        "model": args.model,
        "p50_ns": statistics.median(times),
        "mean_ns": statistics.fmean(times),
        "n": len(times),
        "version": onnxruntime.__version__,
    }))
    return 0


if __name__ == "__main__":
    sys.exit(main())
