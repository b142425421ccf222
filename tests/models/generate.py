#!/usr/bin/env python3
"""Write the ONNX models in this directory and their reference inputs and outputs.

    python3 -m venv .venv
    .venv/bin/pip install -r tests/models/requirements.txt
    .venv/bin/python tests/models/generate.py           # write the files
    .venv/bin/python tests/models/generate.py --check   # compare them with the committed ones

The weights are random; only shapes, types and operators matter here. Everything is
reproducible: the weights are uniform draws from NumPy's frozen `RandomState` (no libm
call, so no last-bit differences between platforms), the operator set and the IR version
are fixed, and no producer, version or date is recorded.

Good models, each with `reference/<case>/in_<name>.npy` and `out_<name>.npy`, where the
outputs are those of ONNX Runtime on one CPU thread:

    cnn       residual CNN, dynamic batch (cases `cnn` at batch 1 and `cnn_batch4`)
    mlp       MLP of fixed shapes
    mlp_slow  the same question as `mlp`, answered with far more work
    encoder   transformer encoder block, dynamic batch and sequence, integer inputs
              (cases `encoder` at batch 1 and `encoder_batch2` with padding)

    types     several element types and rank 0 among the inputs and the outputs
    half      float16 weights, input and output
    external  weights in `external.onnx.data`
    resize    the values of an input decide the shape of the output
    found     the values of the input decide how many elements an output has

`broken/` holds models that must be refused, at load or at the latest in the first inference,
each with its reason in `broken_models`. They have no reference tensors.

`--check` compares models and inputs byte by byte, and the outputs within a tolerance:
ONNX Runtime picks its kernels by the CPU, so the last bits depend on the machine.
"""

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
OPSET = 17
IR_VERSION = 8
# Of outputs made on different machines, by element type; the other types have to be equal.
OUTPUT_TOLERANCE = {"float32": 1e-4, "float16": 4e-3}
# Files of this directory that are not generated.
SOURCES = {".gitattributes", "generate.py", "requirements.txt"}

F32, F16 = TensorProto.FLOAT, TensorProto.FLOAT16
I32, I64, BOOL = TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL


class Graph:
    """Collects nodes and initializers; one seed per model keeps the models independent."""

    def __init__(self, name, seed):
        self.name = name
        self.random = np.random.RandomState(seed)
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []

    def input(self, name, dtype, shape):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, name, dtype, shape):
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def const(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def uniform(self, shape, bound):
        return uniform(self.random, shape, bound)

    def weight(self, name, shape, fan_in, dtype=np.float32):
        """A weight whose variance, 2/fan_in, keeps activations in range through ReLUs."""
        return self.const(name, self.uniform(shape, math.sqrt(6 / fan_in)).astype(dtype))

    def bias(self, name, size, dtype=np.float32):
        return self.const(name, self.uniform([size], 0.1).astype(dtype))

    def node(self, op, inputs, output, name=None, **attributes):
        outputs = output if isinstance(output, list) else [output]
        self.nodes.append(
            helper.make_node(op, inputs, outputs, name=name or f"{outputs[0]}/{op}", **attributes)
        )
        return outputs[0]

    def model(self):
        graph = helper.make_graph(
            self.nodes, self.name, self.inputs, self.outputs, self.initializers
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )


def uniform(random, shape, bound):
    return ((random.random_sample(shape) * 2 - 1) * bound).astype(np.float32)


def serialize(model):
    return model.SerializeToString(deterministic=True)


def cnn():
    g = Graph("cnn", 1)

    def conv(name, x, channels_in, channels_out, size=3):
        # Batch normalisation folded into the convolution, as exporters leave it.
        weight = g.uniform(
            [channels_out, channels_in, size, size], math.sqrt(6 / (channels_in * size * size))
        )
        gamma = 1 + g.uniform([channels_out], 0.25)
        beta = g.uniform([channels_out], 0.1)
        mean = g.uniform([channels_out], 0.1)
        variance = 1 + g.uniform([channels_out], 0.25)
        scale = gamma / np.sqrt(variance + np.float32(1e-5))
        weight = g.const(f"{name}.weight", weight * scale[:, None, None, None])
        bias = g.const(f"{name}.bias", beta - mean * scale)
        pad = size // 2
        return g.node(
            "Conv", [x, weight, bias], name, kernel_shape=[size, size], pads=[pad] * 4
        )

    def relu(name, x):
        return g.node("Relu", [x], name)

    def block(name, x, channels):
        y = relu(f"{name}.relu1", conv(f"{name}.conv1", x, channels, channels))
        y = conv(f"{name}.conv2", y, channels, channels)
        y = g.node("Add", [x, y], f"{name}.sum")
        return relu(f"{name}.relu2", y)

    def pool(name, x):
        return g.node("MaxPool", [x], name, kernel_shape=[2, 2], strides=[2, 2])

    x = g.input("image", F32, ["batch", 3, 32, 32])
    x = relu("stem.relu", conv("stem.conv", x, 3, 16))
    x = pool("pool1", block("stage1", x, 16))
    x = relu("widen.relu", conv("widen.conv", x, 16, 32))
    x = pool("pool2", block("stage2", x, 32))
    x = g.node("GlobalAveragePool", [x], "global_pool")
    x = g.node("Flatten", [x], "flat", axis=1)
    weight = g.weight("classifier.weight", [10, 32], 32)
    x = g.node("Gemm", [x, weight, g.bias("classifier.bias", 10)], "logits", transB=1)
    g.node("Softmax", [x], "probabilities", axis=-1)
    g.output("probabilities", F32, ["batch", 10])
    return g.model()


def mlp():
    g = Graph("mlp", 2)
    x = g.input("features", F32, [1, 64])
    sizes = [64, 128, 128, 128]
    for i, (size_in, size_out) in enumerate(zip(sizes, sizes[1:]), 1):
        weight = g.weight(f"layer{i}.weight", [size_in, size_out], size_in)
        x = g.node("Gemm", [x, weight, g.bias(f"layer{i}.bias", size_out)], f"layer{i}")
        x = g.node("Relu", [x], f"layer{i}.relu")
    weight = g.weight("head.weight", [sizes[-1], 16], sizes[-1])
    g.node("Gemm", [x, weight, g.bias("head.bias", 16)], "scores")
    g.output("scores", F32, [1, 16])
    return g.model()


def mlp_slow():
    """Asked like `mlp`, with some six hundred times its work: 64 copies of the input through twelve layers."""
    g = Graph("mlp_slow", 10)
    x = g.input("features", F32, [1, 64])
    rows, hidden = 64, 192
    x = g.node("Expand", [x, g.const("rows", np.array([rows, 64], dtype=np.int64))], "copies")
    weight = g.weight("first.weight", [64, hidden], 64)
    x = g.node("Gemm", [x, weight, g.bias("first.bias", hidden)], "first")
    # Tanh and variance 1/hidden keep activations neither growing nor fading.
    weight = g.weight("layer.weight", [hidden, hidden], 2 * hidden)
    bias = g.bias("layer.bias", hidden)
    for i in range(1, 13):
        x = g.node("Tanh", [x], f"layer{i}.tanh")
        x = g.node("Gemm", [x, weight, bias], f"layer{i}")
    x = g.node("ReduceMean", [x], "mean", axes=[0], keepdims=1)
    weight = g.weight("head.weight", [hidden, 16], hidden)
    g.node("Gemm", [x, weight, g.bias("head.bias", 16)], "scores")
    g.output("scores", F32, [1, 16])
    return g.model()


ENCODER_VOCABULARY = 128
ENCODER_MAX_SEQ = 128


def encoder():
    g = Graph("encoder", 3)
    hidden, heads, feed_forward = 64, 4, 128
    head_size = hidden // heads
    i64 = lambda name, values: g.const(name, np.array(values, dtype=np.int64))
    f32 = lambda name, value: g.const(name, np.array(value, dtype=np.float32))

    def linear(name, x, size_in, size_out):
        weight = g.weight(f"{name}.weight", [size_in, size_out], 2 * size_in)
        x = g.node("MatMul", [x, weight], f"{name}.product")
        return g.node("Add", [x, g.bias(f"{name}.bias", size_out)], name)

    def norm(name, x):
        gamma = g.const(f"{name}.gamma", 1 + g.uniform([hidden], 0.1))
        return g.node(
            "LayerNormalization", [x, gamma, g.bias(f"{name}.beta", hidden)], name,
            axis=-1, epsilon=1e-5,
        )

    tokens = g.input("token_ids", I64, ["batch", "seq"])
    mask = g.input("attention_mask", I64, ["batch", "seq"])

    table = g.const("embedding.weight", g.uniform([ENCODER_VOCABULARY, hidden], 1))
    x = g.node("Gather", [table, tokens], "embedding", axis=0)
    positions = g.const("position.weight", g.uniform([1, ENCODER_MAX_SEQ, hidden], 0.2))
    shape = g.node("Shape", [tokens], "tokens.shape")
    length = g.node("Slice", [shape, i64("one", [1]), i64("two", [2])], "seq_length")
    position = g.node(
        "Slice", [positions, i64("zero", [0]), length, "one"], "position"
    )
    x = g.node("Add", [x, position], "embedded")
    x = norm("embedding.norm", x)

    # 0 where a token counts, -10000 where it is padding, broadcast over heads and queries.
    keep = g.node("Cast", [mask], "mask.float", to=F32)
    keep = g.node("Unsqueeze", [keep, i64("mask.axes", [1, 2])], "mask.expanded")
    drop = g.node("Sub", [f32("mask.one", 1), keep], "mask.inverted")
    penalty = g.node("Mul", [drop, f32("mask.penalty", -10000)], "mask.additive")

    split = i64("heads.split", [0, 0, heads, head_size])

    def to_heads(name, perm):
        y = linear(name, x, hidden, hidden)
        y = g.node("Reshape", [y, split], f"{name}.heads")
        return g.node("Transpose", [y], f"{name}.transposed", perm=perm)

    query = to_heads("query", [0, 2, 1, 3])
    key = to_heads("key", [0, 2, 3, 1])
    value = to_heads("value", [0, 2, 1, 3])
    scores = g.node("MatMul", [query, key], "scores")
    scores = g.node("Div", [scores, f32("head_size.sqrt", math.sqrt(head_size))], "scores.scaled")
    scores = g.node("Add", [scores, penalty], "scores.masked")
    weights = g.node("Softmax", [scores], "attention", axis=-1)
    y = g.node("MatMul", [weights, value], "context")
    y = g.node("Transpose", [y], "context.transposed", perm=[0, 2, 1, 3])
    y = g.node("Reshape", [y, i64("heads.merge", [0, 0, hidden])], "context.merged")
    y = linear("attention.output", y, hidden, hidden)
    x = norm("attention.norm", g.node("Add", [x, y], "attention.residual"))

    y = linear("feed_forward.in", x, hidden, feed_forward)
    half = g.node("Mul", [y, f32("gelu.half", 0.5)], "gelu.x_half")
    scaled = g.node("Div", [y, f32("gelu.sqrt2", math.sqrt(2))], "gelu.x_scaled")
    erf = g.node("Erf", [scaled], "gelu.erf")
    erf = g.node("Add", [erf, f32("gelu.one", 1)], "gelu.erf_plus_one")
    y = g.node("Mul", [half, erf], "gelu")
    y = linear("feed_forward.out", y, feed_forward, hidden)
    y = g.node("Add", [x, y], "feed_forward.residual")
    norm("hidden", y)
    first = g.const("first", np.array(0, dtype=np.int64))
    x = g.node("Gather", ["hidden", first], "first_token", axis=1)
    weight = g.weight("pooler.weight", [hidden, hidden], hidden)
    x = g.node("Gemm", [x, weight, g.bias("pooler.bias", hidden)], "pooler")
    g.node("Tanh", [x], "pooled")
    g.output("hidden", F32, ["batch", "seq", hidden])
    g.output("pooled", F32, ["batch", hidden])
    return g.model()


def types():
    g = Graph("types", 4)
    floats = g.input("floats", F32, [2, 3])
    ints = g.input("ints", I32, [2, 3])
    longs = g.input("longs", I64, [4])
    flags = g.input("flags", BOOL, [2, 3])
    scale = g.input("scale", F32, [])

    scaled = g.node("Mul", [floats, scale], "scaled")
    as_floats = g.node("Cast", [ints], "ints.float", to=F32)
    g.node("Where", [flags, scaled, as_floats], "selected")
    g.node("Add", [ints, g.const("two", np.array(2, dtype=np.int32))], "ints_plus_two")
    g.node("Mul", [longs, g.const("three", np.array(3, dtype=np.int64))], "longs_times_three")
    g.node("ArgMax", [floats], "argmax", axis=1, keepdims=0)
    over = g.node("Greater", [floats, scale], "over")
    g.node("And", [over, flags], "over_and_flagged")
    g.node("ReduceSum", [scaled], "total", keepdims=0)
    g.output("selected", F32, [2, 3])
    g.output("ints_plus_two", I32, [2, 3])
    g.output("longs_times_three", I64, [4])
    g.output("argmax", I64, [2])
    g.output("over_and_flagged", BOOL, [2, 3])
    g.output("total", F32, [])
    return g.model()


def half():
    g = Graph("half", 5)
    x = g.input("x", F16, ["batch", 16])
    x = g.node("MatMul", [x, g.weight("hidden.weight", [16, 32], 16, np.float16)], "product")
    x = g.node("Add", [x, g.bias("hidden.bias", 32, np.float16)], "hidden")
    x = g.node("Relu", [x], "hidden.relu")
    weight = g.weight("head.weight", [32, 8], 32, np.float16)
    g.node("Gemm", [x, weight, g.bias("head.bias", 8, np.float16)], "y")
    g.output("y", F16, ["batch", 8])
    return g.model()


EXTERNAL_DATA = "external.onnx.data"


def external():
    """The model, and the contents of its data file."""
    g = Graph("external", 6)
    x = g.input("x", F32, ["batch", 64])
    w1, w2 = (g.uniform([64, 64], math.sqrt(6 / 64)) for _ in range(2))
    x = g.node("MatMul", [x, "hidden.weight"], "hidden")
    x = g.node("Relu", [x], "hidden.relu")
    g.node("MatMul", [x, "head.weight"], "y")
    g.output("y", F32, ["batch", 64])
    data = w1.tobytes() + w2.tobytes()
    g.initializers += [
        external_tensor("hidden.weight", w1.shape, EXTERNAL_DATA, 0),
        external_tensor("head.weight", w2.shape, EXTERNAL_DATA, w1.nbytes),
    ]
    return g.model(), data


def external_tensor(name, shape, location, offset):
    """A float32 initializer whose data are in another file."""
    tensor = TensorProto(name=name, data_type=F32, dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    length = 4 * math.prod(shape)
    for key, value in ("location", location), ("offset", offset), ("length", length):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def resize():
    """Its output's dimensions are called by the values that they are: `sizes[2]` is the third of `sizes`."""
    g = Graph("resize", 11)
    x = g.input("image", F32, [1, 3, 8, 8])
    sizes = g.input("sizes", I64, [4])
    x = g.node("Resize", [x, "", "", sizes], "resized", mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")
    g.node("Relu", [x], "y")
    g.output("y", F32, [1, 3, "sizes[2]", "sizes[3]"])
    return g.model()


def found():
    """Where something is, as detectors end, beside an output of a fixed shape."""
    g = Graph("found", 12)
    x = g.input("x", F32, [4, 8])
    x = g.node("Relu", [x], "kept")
    g.node("NonZero", [x], "places")
    g.output("places", I64, [2, ""])
    g.output("kept", F32, [4, 8])
    return g.model()


def models():
    """The good models by name."""
    return {
        "cnn": cnn(),
        "mlp": mlp(),
        "mlp_slow": mlp_slow(),
        "encoder": encoder(),
        "types": types(),
        "half": half(),
        "external": external()[0],
        "resize": resize(),
        "found": found(),
    }


def tiny(weight=None, location=None):
    """y = relu(x · w), which the broken models break; the weight is a file's if located."""
    g = Graph("tiny", 7)
    x = g.input("x", F32, [2, 3])
    weight = g.uniform([3, 4], 1) if weight is None else weight
    if location is None:
        g.const("w", weight)
    else:
        g.initializers.append(external_tensor("w", weight.shape, location, 0))
    x = g.node("MatMul", [x, "w"], "product", "product_node")
    g.node("Relu", [x], "y", "relu_node")
    g.output("y", F32, [2, 4])
    return g


# One flipped bit of the serialized `tiny` model each: a run of bytes that occurs there once,
# the byte within it, and the bit.
BIT_FLIPS = {
    # The length of a node's first input name, "x": now far beyond the end of the file.
    "length": (b"\x0a\x01x\x0a\x01w", 1, 7),
    # The key of the weight: a wire type that does not exist.
    "wire_type": (b"*;\x08\x03\x08\x04\x10\x01", 0, 2),
    # The weight's shape: [67, 4], with the data of [3, 4].
    "dimension": (b"*;\x08\x03\x08\x04\x10\x01", 3, 6),
    # The weight's element type: int16 for float32.
    "element_type": (b"*;\x08\x03\x08\x04\x10\x01", 7, 2),
}


def broken_models():
    """What must be refused: (name, contents of the file)."""

    def graph(nodes):
        g = Graph("broken", 8)
        x = g.input("x", F32, [2, 3])
        for op, inputs, output, name in nodes:
            g.node(op, inputs, output, name)
        g.output("y", F32, [2, 3])
        return serialize(g.model())

    # Two nodes that need each other's output.
    yield "cycle", graph([
        ("Add", ["x", "b"], "a", "first_node"),
        ("Relu", ["a"], "b", "second_node"),
        ("Relu", ["b"], "y", "last_node"),
    ])
    # A node reads a tensor that is no input, no weight and no node's output.
    yield "missing_tensor", graph([("Add", ["x", "nowhere"], "y", "add_node")])
    yield "unsupported_op", graph([
        ("Relu", ["x"], "a", "good_node"),
        ("NoSuchOp", ["a"], "y", "bad_node"),
    ])
    # [2, 3] times [4, 5].
    wrong = tiny(weight=np.zeros([4, 5], dtype=np.float32))
    del wrong.outputs[:]
    wrong.output("y", F32, [2, 5])
    yield "wrong_shape", serialize(wrong.model())
    # A transposition to a dimension that x does not have. A runtime that merges it into the
    # multiplication may find out only there: rten 0.27 panics in the first inference.
    g = Graph("broken", 8)
    x = g.input("x", F32, [2, 3])
    x_t = g.node("Transpose", [x], "x_t", "transpose_node", perm=[9, 0])
    g.node("MatMul", [x_t, x], "y", "product_node")
    g.output("y", F32, [3, 3])
    yield "bad_permutation", serialize(g.model())
    no_outputs = tiny()
    del no_outputs.outputs[:]
    yield "no_outputs", serialize(no_outputs.model())

    yield "missing_external", serialize(tiny(location="no_such_file.data").model())
    # Both files exist, but a model must not reach outside its own directory.
    yield "escaping_external", serialize(tiny(location=f"../{EXTERNAL_DATA}").model())
    yield "absolute_external", serialize(tiny(location="/etc/passwd").model())

    good = serialize(tiny().model())
    yield "truncated", good[: len(good) * 2 // 3]
    yield "empty", b""
    yield "garbage", np.random.RandomState(9).bytes(512)
    for name, (found, byte, bit) in BIT_FLIPS.items():
        assert good.count(found) == 1
        flipped = bytearray(good)
        flipped[good.index(found) + byte] ^= 1 << bit
        yield f"bitflip_{name}", bytes(flipped)


def reference_inputs():
    """The inputs of each reference case: (case, model, inputs)."""
    random = np.random.RandomState(100)
    f32 = lambda *shape: uniform(random, shape, 1)
    tokens = lambda *shape: random.randint(0, ENCODER_VOCABULARY, shape).astype(np.int64)
    yield "cnn", "cnn", {"image": f32(1, 3, 32, 32)}
    yield "cnn_batch4", "cnn", {"image": f32(4, 3, 32, 32)}
    yield "mlp", "mlp", {"features": f32(1, 64)}
    yield "encoder", "encoder", {
        "token_ids": tokens(1, 12),
        "attention_mask": np.ones([1, 12], dtype=np.int64),
    }
    yield "encoder_batch2", "encoder", {
        "token_ids": tokens(2, 7),
        "attention_mask": np.array([[1] * 7, [1] * 4 + [0] * 3], dtype=np.int64),
    }
    yield "types", "types", {
        "floats": f32(2, 3),
        "ints": random.randint(-100, 100, [2, 3]).astype(np.int32),
        "longs": random.randint(-100, 100, [4]).astype(np.int64),
        "flags": random.randint(0, 2, [2, 3]).astype(np.bool_),
        "scale": np.array(0.25, dtype=np.float32),
    }
    yield "half", "half", {"x": f32(1, 16).astype(np.float16)}
    yield "external", "external", {"x": f32(1, 64)}
    yield "mlp_slow", "mlp_slow", {"features": f32(1, 64)}
    yield "resize", "resize", {
        "image": f32(1, 3, 8, 8),
        "sizes": np.array([1, 3, 16, 24], dtype=np.int64),
    }
    yield "found", "found", {"x": f32(4, 8)}


def run_onnxruntime(path, inputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def generate(directory):
    (directory / EXTERNAL_DATA).write_bytes(external()[1])
    for name, model in models().items():
        path = directory / f"{name}.onnx"
        path.write_bytes(serialize(model))
        onnx.checker.check_model(path, full_check=True)

    (directory / "broken").mkdir(exist_ok=True)
    for name, data in broken_models():
        (directory / "broken" / f"{name}.onnx").write_bytes(data)

    for case, name, inputs in reference_inputs():
        folder = directory / "reference" / case
        folder.mkdir(parents=True, exist_ok=True)
        outputs = run_onnxruntime(directory / f"{name}.onnx", inputs)
        for prefix, tensors in ("in", inputs), ("out", outputs):
            for tensor, array in tensors.items():
                np.save(folder / f"{prefix}_{tensor}.npy", array)


def generated_files(directory):
    paths = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return {
        path.as_posix() for path in paths
        if path.as_posix() not in SOURCES and "__pycache__" not in path.parts
    }


def same(name, made, committed):
    if Path(name).name.startswith("out_"):
        a, b = np.load(made), np.load(committed)
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        tolerance = OUTPUT_TOLERANCE.get(a.dtype.name, 0)
        return np.allclose(a.astype(np.float64), b.astype(np.float64), tolerance, tolerance / 10)
    return made.read_bytes() == committed.read_bytes()


def check():
    """Lists how the files of this directory differ from newly made ones."""
    with tempfile.TemporaryDirectory() as made:
        made = Path(made)
        generate(made)
        names, committed = generated_files(made), generated_files(HERE)
        problems = [f"missing: {name}" for name in sorted(names - committed)]
        problems += [f"not made by generate.py: {name}" for name in sorted(committed - names)]
        problems += [
            f"differs: {name}"
            for name in sorted(names & committed)
            if not same(name, made / name, HERE / name)
        ]
    return problems


def main():
    parser = argparse.ArgumentParser(description="Write the test models, or check them.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args().check:
        generate(HERE)
        return 0
    problems = check()
    print("\n".join(problems) or "the test models are what generate.py makes")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
