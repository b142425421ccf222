"""Writes the real models that the GPU runs measure, and variants of one that are slower by a little.

    python3 models.py FOLDER        needs torch, torchvision, onnx and onnxruntime; a GPU is used where there is one

FOLDER then holds resnet50.onnx (fp32), resnet50_fp16.onnx, mobilenet_fp16.onnx, with `NAME/` beside each: the inputs
and the outputs of ONNX Runtime as .npy. Weights are random, of a fixed seed: times do not depend on them.
"""

import os
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

BATCH = 1


def export(folder):
    import torch
    import torchvision

    for name, make, half in [
        ("resnet50", torchvision.models.resnet50, False),
        ("resnet50_fp16", torchvision.models.resnet50, True),
        ("mobilenet_fp16", torchvision.models.mobilenet_v2, True),
    ]:
        torch.manual_seed(0)
        model = make(weights=None).eval()
        example = torch.randn(BATCH, 3, 224, 224)
        if half:
            model, example = model.half(), example.half()
        if torch.cuda.is_available():
            model, example = model.cuda(), example.cuda()
        path = os.path.join(folder, name + ".onnx")
        torch.onnx.export(
            model, (example,), path, dynamo=False, opset_version=17, input_names=["input"], output_names=["output"]
        )
        reference(path, example.cpu().numpy())


def reference(path, example):
    """What ONNX Runtime answers, in the model's own type. It computes on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    answers = session.run(None, {session.get_inputs()[0].name: example})
    beside = os.path.splitext(path)[0]
    os.makedirs(beside, exist_ok=True)
    np.save(os.path.join(beside, session.get_inputs()[0].name + ".npy"), example)
    for output, answer in zip(session.get_outputs(), answers):
        np.save(os.path.join(beside, output.name + ".npy"), answer)


def slower(path, out, extra, stage):
    """The model of `path` with `extra` further 1x1 convolutions (each with a Relu) behind the last Relu of a stage of
    the network, 0 to 3: the stages' tensors become smaller and deeper."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    graph = model.graph
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.value_info
    }
    kind = graph.input[0].type.tensor_type.elem_type
    relus = [n for n in graph.node if n.op_type == "Relu" and len(shapes.get(n.output[0], [])) == 4]
    sizes = sorted({shapes[n.output[0]][2] for n in relus}, reverse=True)
    # The first sizes belong to the stem; the last four are the stages.
    size = sizes[-4:][stage]
    last = [n for n in relus if shapes[n.output[0]][2] == size][-1]
    channels = shapes[last.output[0]][1]
    rng = np.random.default_rng(extra * 10 + stage)
    value, nodes = last.output[0], []
    for i in range(extra):
        weights = rng.standard_normal((channels, channels, 1, 1)) * (2.0 / channels) ** 0.5
        tensor = weights.astype(helper.tensor_dtype_to_np_dtype(kind))
        graph.initializer.append(numpy_helper.from_array(tensor, f"further_{i}_weights"))
        nodes += [
            helper.make_node(
                "Conv",
                [value, f"further_{i}_weights"],
                [f"further_{i}_conv"],
                name=f"further_{i}_conv",
                kernel_shape=[1, 1],
                strides=[1, 1],
                pads=[0, 0, 0, 0],
            ),
            helper.make_node("Relu", [f"further_{i}_conv"], [f"further_{i}"], name=f"further_{i}"),
        ]
        value = f"further_{i}"
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == last.output[0]:
                node.input[i] = value
    at = list(graph.node).index(last) + 1
    for offset, node in enumerate(nodes):
        graph.node.insert(at + offset, node)
    onnx.checker.check_model(model)
    onnx.save(model, out)


def same(path, out, words):
    """The very same model in another file: only a text that nobody reads differs."""
    model = onnx.load(path)
    model.doc_string = words
    onnx.save(model, out)


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    export(sys.argv[1])
