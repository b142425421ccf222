"""Unpacks the published models below the folder given and writes inputs and ONNX Runtime's outputs beside them."""

import pathlib
import sys
import zipfile

import numpy as np
import onnxruntime

work = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(1)
MODELS = {
    "magika": ("magika-*.whl", "magika/models/standard_v3_3/model.onnx", {"bytes": rng.integers(0, 256, (1, 2048)).astype(np.int32)}),
    "silero_vad": (
        "silero_vad-*.whl",
        "silero_vad/data/silero_vad.onnx",
        {
            "input": rng.uniform(-0.5, 0.5, (1, 512)).astype(np.float32),
            "state": np.zeros((2, 1, 128), np.float32),
            "sr": np.array(16000, np.int64),
        },
    ),
}
for name, (wheel, member, inputs) in MODELS.items():
    (path,) = (work / "wheels").glob(wheel)
    model = zipfile.ZipFile(path).read(member)
    (work / f"{name}.onnx").write_bytes(model)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs)))
    (work / name).mkdir(exist_ok=True)
    for tensor, values in {**inputs, **outputs}.items():
        np.save(work / name / f"{tensor}.npy", values)
    print(name, "inputs", {k: v.shape for k, v in inputs.items()}, "outputs", {k: v.shape for k, v in outputs.items()})
