#!/usr/bin/env python3
"""Write src/backend/tensorrt/sys/tables.rs: where TensorRT's virtual functions stand, per family, and enum values.

    generate.py TABLES_DIR > src/backend/tensorrt/sys/tables.rs
        from trt10.json, trt11.json and rtx1.json in TABLES_DIR, which hold the slots of every release's headers
    generate.py --check FAMILY INCLUDE_DIR STUB_DIR [RELEASE]
        reads NVIDIA's headers with clang and compares the committed constants of one family with them; of an older
        RELEASE of the family (such as 1.5), what the constants say is newer must be absent, and the rest equal

Itanium C++ ABI (Linux): a virtual destructor takes two slots (complete, deleting); a class's own virtual functions
follow those of its primary base, in declaration order; an override keeps its base's slot. STUB_DIR holds a
cuda_runtime_api.h that declares cudaEvent_t and cudaStream_t. No header is part of this repository.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

FAMILIES = ["trt10", "trt11", "rtx1"]
TABLES = os.path.join(os.path.dirname(__file__), "../../src/backend/tensorrt/sys/tables.rs")

# What is called, by interface. A name with "/void" or "/bool" is the variant that returns that type.
METHODS = {
    "VBuilder": """getNbDLACores setGpuAllocator createBuilderConfig createNetworkV2 createOptimizationProfile
        buildSerializedNetwork setMaxThreads getPluginRegistry""",
    "VBuilderConfig": """setAvgTimingIterations getAvgTimingIterations setFlag clearFlag getFlag setDLACore getDLACore
        setDefaultDeviceType getDefaultDeviceType setProfileStream addOptimizationProfile setProfilingVerbosity
        getProfilingVerbosity setTacticSources getTacticSources createTimingCache setTimingCache getTimingCache
        setMemoryPoolLimit getMemoryPoolLimit setPreviewFeature getPreviewFeature setBuilderOptimizationLevel
        getBuilderOptimizationLevel setHardwareCompatibilityLevel getHardwareCompatibilityLevel
        setPluginsToSerialize getNbPluginsToSerialize setMaxAuxStreams/void setMaxAuxStreams/bool getMaxAuxStreams
        setProgressMonitor setRuntimePlatform getRuntimePlatform setMaxNbTactics getMaxNbTactics
        setTilingOptimizationLevel setL2LimitForTiling setNbComputeCapabilities setComputeCapability""",
    "VNetworkDefinition": "getNbLayers getNbInputs getInput getNbOutputs getOutput",
    "VTensor": "getName getDimensions getType isShapeTensor",
    "VOptimizationProfile": "setDimensions isValid setShapeValues setShapeValuesV2",
    "VHostMemory": "data size",
    "VTimingCache": "serialize combine",
    "VSerializationConfig": "setFlags",
    "VRuntime": """deserializeCudaEngine setDLACore setGpuAllocator setMaxThreads getPluginRegistry
        setEngineHostCodeAllowed getEngineHeaderSize getEngineValidity""",
    "VRuntimeConfig": """setExecutionContextAllocationStrategy createRuntimeCache setRuntimeCache
        setDynamicShapesKernelSpecializationStrategy setCudaGraphStrategy""",
    "VRuntimeCache": "serialize deserialize",
    "VCudaEngine": """getNbLayers createExecutionContext getDeviceMemorySize getName getNbOptimizationProfiles
        createEngineInspector getTensorShape getTensorDataType getTensorLocation isShapeInferenceIO getTensorIOMode
        getTensorBytesPerComponent getTensorFormat getProfileShape getNbIOTensors getIOTensorName getNbAuxStreams
        createSerializationConfig serializeWithConfig getStreamableWeightsSize setWeightStreamingBudgetV2
        getWeightStreamingBudgetV2
        getDeviceMemorySizeV2 getProfileTensorValues getProfileTensorValuesV2 createExecutionContextWithRuntimeConfig createRuntimeConfig
        getEngineStat""",
    "VExecutionContext": """setProfiler setDeviceMemoryV2 setOptimizationProfileAsync setEnqueueEmitsProfile
        reportToProfiler allInputDimensionsSpecified setInputShape getTensorShape setTensorAddress inferShapes setInputConsumedEvent
        getMaxOutputSize setTemporaryStorageAllocator enqueueV3 setPersistentCacheLimit setNvtxVerbosity
        setAuxStreams updateDeviceMemorySizeForShapes isStreamCapturable setOutputAllocator""",
    "VEngineInspector": "setExecutionContext getLayerInformation getEngineInformation",
    "IPluginRegistry": "loadLibrary",
    "IParser": "parse getNbErrors getError setFlags getFlags ~deleting",
    "IParserError": "code desc node nodeName nodeOperator",
    "IVersionedInterface": "getAPILanguage getInterfaceInfo",
    "ILogger": "log getAPILanguage getInterfaceInfo",
    "IProfiler": "reportLayerTime getAPILanguage getInterfaceInfo",
    "IProgressMonitor": "phaseStart stepComplete phaseFinish",
    "IGpuAllocator": "allocate reallocate deallocate allocateAsync deallocateAsync",
    "IGpuAsyncAllocator": "allocate reallocate deallocate allocateAsync deallocateAsync",
    "IOutputAllocator": "reallocateOutput reallocateOutputAsync notifyShape",
    "IErrorRecorder": """getNbErrors getErrorCode getErrorDesc hasOverflowed clear reportError incRefCount
        decRefCount""",
}
ENUMS = """BuilderFlag MemoryPoolType ProfilingVerbosity TacticSource HardwareCompatibilityLevel ComputeCapability
    NetworkDefinitionCreationFlag OnnxParserFlag PreviewFeature Severity OptProfileSelector SerializationFlag
    EngineStat LayerInformationFormat DataType DeviceType RuntimePlatform ExecutionContextAllocationStrategy
    TensorIOMode TensorLocation TensorFormat DynamicShapesKernelSpecializationStrategy CudaGraphStrategy
    TilingOptimizationLevel nvonnxparser::ErrorCode""".split()
# The parser's header was first read in 10.14, but these functions are the same in the header of 10.0.
PARSER_SINCE_BASE = {"nvonnxparser::IParser": 16, "nvonnxparser::IParserError": 11}

PLAIN = {
    "void": "", "bool": "bool", "int32_t": "i32", "int": "i32", "int64_t": "i64", "uint64_t": "u64",
    "uint32_t": "u32", "size_t": "usize", "float": "f32", "char *": "Text", "char **": "Texts",
    "AsciiChar *": "Text", "Dims": "Dims", "Dims &": "*const Dims", "cudaStream_t": "StreamHandle", "cudaEvent_t": "StreamHandle",
    "void *": "Bytes", "int32_t *": "*const i32", "int64_t *": "*const i64", "uint64_t *": "*mut u64",
    "InterfaceInfo": "InterfaceInfo", "cudaStream_t *": "*mut StreamHandle", "void **": "*const Bytes",
    "IErrorRecorder::ErrorDesc": "Text", "IErrorRecorder::RefCount": "i32",
    "IPluginRegistry::PluginLibraryHandle": "Bytes",
}
FLAGS = re.compile(r"^(BuilderFlags|NetworkDefinitionCreationFlags|OnnxParserFlags|TacticSources|AllocatorFlags"
                   r"|SerializationFlags)$")


def rust_type(text, enums):
    text = re.sub(r"\b(const|nvinfer1::|nvonnxparser::|std::|v_1_0::|noexcept)\s*", "", text).strip()
    text = re.sub(r"\s+", " ", re.sub(r"\s*\*\s*\*", " **", text)).strip()
    if text in PLAIN:
        return PLAIN[text]
    if FLAGS.match(text):
        return "u32"
    if text in enums:
        return "i32"
    if re.match(r"^I\w+ (\*|&)$", text):
        return "ObjectPointer"
    raise SystemExit(f"no Rust type for `{text}`")


def signature(kind, enums):
    if not kind:
        return "fn()"
    head, tail = kind.split("(", 1)
    arguments = tail[: tail.rindex(")")]
    arguments = [rust_type(a, enums) for a in arguments.split(", ")] if arguments else []
    returned = rust_type(head, enums)
    return f"fn({', '.join(arguments)})" + (f" -> {returned}" if returned else "")


def constant(name):
    name = name.lstrip("~")
    if name.isupper() or re.fullmatch(r"[A-Z0-9_]+", name):
        return name
    # nbIOTensors -> NB_IO_TENSORS, getNbDLACores -> GET_NB_DLA_CORES, enqueueV3 -> ENQUEUE_V3
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).upper()


def short_enums(data):
    return {name.split("::")[-1] for name in data["enums"]} | {"ILogger::Severity"}


def find(data, interface):
    hits = [k for k in data["interfaces"] if k.split("::")[-1] == interface]
    return hits[0] if hits else None


def lookup(data, interface, wanted):
    """(slot, since, signature) of a method in one family, or None."""
    full = find(data, interface)
    if full is None:
        return None
    name, _, returns = wanted.partition("/")
    enums = short_enums(data)
    for slot in data["interfaces"][full]["slots"]:
        if slot["name"] != name:
            continue
        if returns and slot["type"].split(" ")[0] != returns:
            continue
        since = slot.get("since")
        if slot["slot"] <= PARSER_SINCE_BASE.get(full, -1):
            since = None
        return slot["slot"], since, signature(slot.get("type"), enums)
    return None


def cell(found):
    if found is None:
        return "-"
    slot, since, _ = found
    if since is None:
        return f"({slot})"
    major, minor = since.split(".")[:2]
    return f"({slot}, {major}, {minor})"


def enum_of(data, name):
    if "::" in name:
        return data["enums"].get(name)
    hits = [k for k in data["enums"] if k.split("::")[-1] == name and not k.startswith("nvonnxparser::ErrorCode")]
    return data["enums"][hits[0]] if hits else None


def method_lines(families):
    for interface, names in METHODS.items():
        counts = [len(f["interfaces"][find(f, interface)]["slots"]) if find(f, interface) else 0 for f in families]
        yield interface, counts, []
        for wanted in names.split():
            found = [lookup(f, interface, wanted) for f in families]
            signatures = {x[2] for x in found if x}
            if len(signatures) != 1:
                raise SystemExit(f"{interface}::{wanted} has the signatures {signatures or 'none'}; name one of them")
            name, _, returns = wanted.partition("/")
            rust = constant(name) + (f"_{returns.upper()}" if returns else "")
            yield interface, counts, [rust, name, signatures.pop(), found]


def generate(folder):
    families = [json.load(open(os.path.join(folder, f + ".json"))) for f in FAMILIES]
    print("//! The positions of TensorRT's virtual functions in their tables, and the values of its enums, per family: TensorRT 10,\n"
          "//! TensorRT 11, TensorRT-RTX 1. A function newer than its family's first release names the release.\n"
          "//!\n//! Generated by tests/abi/generate.py from NVIDIA's headers. Change that script, not this file.\n")
    print("use super::abi::{enums, methods};\n")
    last = None
    for interface, counts, line in method_lines(families):
        if interface != last:
            if last:
                print("}\n")
            print(f"methods! {{ {constant_module(interface)} \"{interface}\" {counts}")
            last = interface
        if line:
            rust, name, kind, found = line
            print(f"    {rust} \"{name}\" {kind} [{', '.join(cell(x) for x in found)}];")
    print("}\n")
    for name in ENUMS:
        values = [enum_of(f, name) or {} for f in families]
        print(f"enums! {{ {enum_module(name)} \"{name.split('::')[-1]}\"")
        for key in dict.fromkeys(k for v in values for k in v):
            if key == "kWEIGHTLESS":  # the older name of kSTRIP_PLAN
                continue
            cells = ", ".join(f"({v[key]})" if key in v else "-" for v in values)
            print(f"    {constant(key[1:])} \"{key}\" [{cells}];")
        print("}\n")
    print("/// Every method, for the test that compares them with the tables they were made from.\n#[cfg(test)]\n"
          "pub const METHODS: &[&[super::abi::TableRow]] = &[")
    for interface in METHODS:
        print(f"    {constant_module(interface)}::ROWS,")
    print("];\n\n/// Every enumeration, for the same test.\n#[cfg(test)]\npub const ENUMS: &[&[super::abi::EnumValue]] = &[")
    for name in ENUMS:
        print(f"    {enum_module(name)}::ALL,")
    print("];")


def enum_module(name):
    return constant_module(name.replace("nvonnxparser::", "Parser"))


def constant_module(name):
    return constant(name).lower()


# ---- Reading headers

classes, enums, fields = {}, {}, {}


def clang(include, stub):
    with tempfile.NamedTemporaryFile("w", suffix=".cpp", delete=False) as f:
        f.write("#include <NvInfer.h>\n#include <NvOnnxParser.h>\n")
    command = [os.environ.get("CLANG", "clang++"), "-std=c++17", "-Wno-everything", "-fsyntax-only", "-Xclang",
               "-ast-dump=json", "-I", include, "-I", stub, f.name]
    out = subprocess.run(command, capture_output=True, text=True)
    os.unlink(f.name)
    if out.returncode:
        raise SystemExit(out.stderr[:2000])
    return json.loads(out.stdout)


def value_of(node):
    for child in node.get("inner", []):
        found = child["value"] if "value" in child else value_of(child)
        if found is not None:
            return found
    return None


def walk(node, scope):
    kind, name, inner = node.get("kind"), node.get("name"), node.get("inner", [])
    if kind in ("NamespaceDecl", "TranslationUnitDecl", "LinkageSpecDecl"):
        for child in inner:
            walk(child, scope + [name] if kind == "NamespaceDecl" and name else scope)
        return
    if not name or scope[:1] not in (["nvinfer1"], ["nvonnxparser"]):
        return
    full = "::".join(scope + [name])
    if kind == "EnumDecl":
        last, values = -1, {}
        for child in inner:
            if child.get("kind") == "EnumConstantDecl":
                explicit = value_of(child)
                last = int(explicit) if explicit is not None else last + 1
                values[child["name"]] = last
        if values:
            enums[full] = values
        return
    if kind == "CXXRecordDecl" and node.get("completeDefinition"):
        for child in inner:
            if child.get("kind") in ("CXXRecordDecl", "EnumDecl"):
                walk(child, scope + [name])
        virtual = [("~", "") if c["kind"] == "CXXDestructorDecl" else (c["name"], c["type"]["qualType"])
                   for c in inner if c.get("virtual") and c.get("kind") in ("CXXDestructorDecl", "CXXMethodDecl")]
        classes[full] = ([b["type"]["qualType"] for b in node.get("bases", [])], virtual)
        fields[full] = [c.get("name") for c in inner if c.get("kind") == "FieldDecl"]


def resolve(base, derived):
    scope = derived.split("::")[:-1]
    while True:
        name = "::".join(scope + base.split("::"))
        if name in classes:
            return name
        if not scope:
            break
        scope.pop()
    last = base.split("::")[-1]
    return next((c for c in classes if c.split("::")[-1] == last), None)


def same(kind):
    return re.sub(r"\b(nvinfer1::|apiv::|v_\d_\d::|noexcept)\b", "", kind).replace(" ", "")


def slots(full):
    bases, virtual = classes[full]
    base = resolve(bases[0], full) if bases else None
    table = slots(base) if base and base != full else []
    for name, kind in virtual:
        if name == "~":
            if not any(n == "~complete" for n, _ in table):
                table += [("~complete", ""), ("~deleting", "")]
        elif not any(n == name and same(k) == same(kind) for n, k in table):
            table.append((name, kind))
    return table


def wrappers():
    """What every call relies on: a wrapper `IX` of `VX` is its own table, then the pointer to its implementation, and
    its table begins with the two destructors."""
    wrong = []
    for interface in (n for n in METHODS if n.startswith("V")):
        full = "nvinfer1::I" + interface[1:]
        if full not in classes:
            continue
        if [n for n, _ in slots(full)][:2] != ["~complete", "~deleting"] or fields[full] != ["mImpl"]:
            wrong.append(f"{full} is laid out differently: {slots(full)[:2]}, {fields[full]}")
    return wrong


def check(family, include, stub, release=None):
    """Compares one column of the committed constants with headers."""
    walk(clang(include, stub), [])
    data = {"enums": enums, "interfaces": {
        name: {"slots": [{"slot": i, "name": n, "type": k} for i, (n, k) in enumerate(slots(name))]} for name in classes}}
    column, wrong, compared = FAMILIES.index(family), wrappers(), 0
    limit = tuple(map(int, release.split("."))) if release else None
    interface = kind = None
    for line in open(TABLES):
        if head := re.match(r'(methods|enums)! \{ \w+ "(\w+)"(?: \[(.*)\])?', line):
            kind, interface = head[1], head[2]
            counts = head[3]
            if kind == "methods" and not limit:
                full = find(data, interface)
                there = len(data["interfaces"][full]["slots"]) if full else 0
                if there != int(counts.split(", ")[column]):
                    wrong.append(f"{interface} has {there} slots, not {counts.split(', ')[column]}")
            continue
        entry = re.match(r'    (\w+) "(~?\w+)" ?(.*?) \[(.*)\];$', line)
        if not entry:
            continue
        rust, name, signed, cells = entry.groups()
        mine = re.findall(r"\([^)]*\)|-", cells)[column]
        compared += 1
        if kind == "enums":
            values = enum_of(data, "nvonnxparser::ErrorCode" if interface == "ErrorCode" else interface) or {}
            theirs = f"({values[name]})" if name in values else "-"
            # An older release may lack newer values; those it has must agree.
            if theirs != mine and not (limit and theirs == "-"):
                wrong.append(f"{interface}::{name} is {theirs} in the headers, {mine} in the constants")
            continue
        suffix = rust[len(constant(name)):].strip("_").lower()
        found = lookup(data, interface, name + ("/" + suffix if suffix else ""))
        numbers = tuple(map(int, re.findall(r"\d+", mine)))
        newer = limit and len(numbers) == 3 and numbers[1:] > limit
        expected = None if not numbers or newer else numbers[0]
        if (found[0] if found else None) != expected:
            wrong.append(f"{interface}::{name} is {found and found[0]} in the headers, {expected} in the constants")
        elif found and found[2] != signed:
            wrong.append(f"{interface}::{name} is {found[2]} in the headers, {signed} in the constants")
    if wrong or compared < 300:
        raise SystemExit("\n".join(wrong + [f"{compared} constants compared"]))
    print(f"{family}{' ' + release if release else ''}: {compared} constants are those of the headers")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(*sys.argv[2:6])
    elif len(sys.argv) == 2 and os.path.isdir(sys.argv[1]):
        generate(sys.argv[1])
    else:
        raise SystemExit(__doc__)
