"""Writes what the fuzzer begins with of other people's formats: weights of the smallest network there
can be, as safetensors, PyTorch's two formats and ONNX, and lists and configuration files. Needs nothing
but Python; the same bytes every time. What formats of our own and pictures begin with is written by
tests/tests/data/foreign_bytes.rs.

Run:   python make_corpus.py
"""

import io
import json
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

HERE = Path(__file__).parent
CRATES = HERE.parent.parent

# As `SPECK` in src/lib.rs: basic blocks of two channels, up to layer1.
SHAPES = {"conv1": [2, 3, 7, 7], "layer1.0.conv1": [2, 2, 3, 3], "layer1.0.conv2": [2, 2, 3, 3]}
NORM = ["weight", "bias", "running_mean", "running_var"]


def count(shape):
    product = 1
    for side in shape:
        product *= side
    return product


def values(seed, number):
    """Numbers in [0.25, 1.25) by a congruential generator; positive, so that they may be variances."""
    state, drawn = seed * 2654435761 % 2**32, []
    for _ in range(number):
        state = (1664525 * state + 1013904223) % 2**32
        drawn.append(0.25 + (state >> 16) / 65536)
    return drawn


def state_dict():
    tensors = OrderedDict()
    for conv, shape in SHAPES.items():
        tensors[f"{conv}.weight"] = shape
        for part in NORM:
            tensors[f"{conv.replace('conv', 'bn')}.{part}"] = [shape[0]]
    return OrderedDict((name, (shape, values(len(name), count(shape)))) for name, shape in tensors.items())


def floats(numbers):
    return struct.pack(f"<{len(numbers)}f", *numbers)


def safetensors(tensors):
    header, data = {}, b""
    for name, (shape, numbers) in tensors.items():
        start = len(data)
        data += floats(numbers)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


# --- PyTorch, without it -------------------------------------------------------------------------

torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")


class FloatStorage:
    pass


def _rebuild_tensor_v2(*_):
    pass


FloatStorage.__module__, FloatStorage.__qualname__ = "torch", "FloatStorage"
_rebuild_tensor_v2.__module__ = "torch._utils"
torch.FloatStorage, utils._rebuild_tensor_v2, torch._utils = FloatStorage, _rebuild_tensor_v2, utils
sys.modules.update({"torch": torch, "torch._utils": utils})


class Storage:
    def __init__(self, key, number):
        self.key, self.number = key, number


class Tensor:
    def __init__(self, storage, shape):
        self.storage, self.shape = storage, shape

    def __reduce__(self):
        strides, step = [], 1
        for side in reversed(self.shape):
            strides.insert(0, step)
            step *= side
        return _rebuild_tensor_v2, (self.storage, 0, tuple(self.shape), tuple(strides), False, OrderedDict())


class Pickler(pickle.Pickler):
    legacy = False

    def persistent_id(self, value):
        if isinstance(value, Storage):
            identity = ("storage", FloatStorage, value.key, "cpu", value.number)
            return identity + (None,) if self.legacy else identity
        return None


def pickled(tensors, legacy):
    out = io.BytesIO()
    pickler = Pickler(out, protocol=2)
    pickler.legacy = legacy
    entries = enumerate(tensors.items())
    pickler.dump(
        OrderedDict(
            (name, Tensor(Storage(str(key), len(numbers)), shape)) for key, (name, (shape, numbers)) in entries
        )
    )
    return out.getvalue()


def pytorch_zip(tensors):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:

        def add(name, data):
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0)), data)

        add("data.pkl", pickled(tensors, legacy=False))
        add("byteorder", b"little")
        for key, (_, numbers) in enumerate(tensors.values()):
            add(f"data/{key}", floats(numbers))
        add("version", b"3\n")
    return out.getvalue()


def pytorch_legacy(tensors):
    out = b"".join(
        pickle.dumps(part, protocol=2)
        for part in (
            0x1950A86A20F9469CFC6C,
            1001,
            {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}},
        )
    )
    out += pickled(tensors, legacy=True)
    out += pickle.dumps([str(key) for key in range(len(tensors))], protocol=2)
    for _, numbers in tensors.values():
        out += struct.pack("<q", len(numbers)) + floats(numbers)
    return out


# --- ONNX ----------------------------------------------------------------------------------------


def varint(number):
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def field(tag, value):
    if isinstance(value, int):
        return varint(tag << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(tag << 3 | 2) + varint(len(value)) + value


def node(kind, inputs, outputs, **attributes):
    out = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    out += field(3, outputs[0]) + field(4, kind)
    for name, numbers in attributes.items():
        body = field(1, name) + (
            field(3, numbers) + field(20, 2)
            if isinstance(numbers, int)
            else field(8, b"".join(varint(number) for number in numbers)) + field(20, 7)
        )
        out += field(5, body)
    return field(1, out)


def onnx():
    graph, constants = b"", b""
    convolutions = {
        "conv1": ("pixels", {"kernel_shape": [7, 7], "strides": [2, 2], "pads": [3, 3, 3, 3]}),
        "layer1.0.conv1": ("pooled", {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]}),
        "layer1.0.conv2": ("inside", {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]}),
    }
    for name, (given, attributes) in convolutions.items():
        for part, shape in (("weight", SHAPES[name]), ("bias", [2])):
            numbers = values(len(name) + len(part), count(shape))
            tensor = b"".join(field(1, side) for side in shape) + field(2, 1)
            constants += field(5, tensor + field(8, f"{name}.{part}") + field(9, floats(numbers)))
        attributes = dict(attributes, dilations=[1, 1], group=1)
        graph += node("Conv", [given, f"{name}.weight", f"{name}.bias"], [f"{name}.out"], **attributes)
        if name == "conv1":
            graph += node("Relu", ["conv1.out"], ["stem"])
            pool = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
            graph += node("MaxPool", ["stem"], ["pooled"], **pool)
        elif name == "layer1.0.conv1":
            graph += node("Relu", ["layer1.0.conv1.out"], ["inside"])
    graph += node("Add", ["layer1.0.conv2.out", "pooled"], ["sum"]) + node("Relu", ["sum"], ["features"])
    graph += constants + field(11, field(1, "pixels"))
    return field(1, 8) + field(7, graph)


# --- text ----------------------------------------------------------------------------------------

CSV = {
    "plain.csv": "path,label,split\na.png,good,train\na.png,scratch,test\nb.png,0,\n",
    "masks.csv": 'image,label,mask,split,extra\na.png,1,m.png;n.png,test,x\n"a.png","a, b",,test,\n',
    "visa.csv": "object,split,label,image,mask\ncandle,train,normal,a.png,\n",
    "none.csv": "name\nx\n",
}
JSONL = {
    "plain.jsonl": '{"path": "a.png", "label": "good", "split": "train"}\n\n{"path": "a.png", "label": "1"}\n',
    "masks.jsonl": '{"image": "a.png", "label": "x", "mask": ["m.png"], "split": "test"}\n'
    '{"path": "a.png", "label": "y", "mask": "m.png"}\n',
    "broken.jsonl": '{"path": "a.png"\n',
}
LINES = {
    "verdicts.jsonl": '{"path": "a", "score": 1.5, "label": "good"}\n{"score": -2e3, "regions": [{"x": 1}]}\n',
    "all.jsonl": '[null, true, "\\u00e9\\n", {"a": {"b": []}}]\n\n  \n0\n',
}
TOML = {
    "fit.toml": '[fit]\nfolder = "parts"\noutput = "parts.dfm"\nlayer = ["layer2", "layer3"]\npca = 0.97\nslim = true\n',
    "more.toml": '[predict]\nfalse-alarm = 0.01\nformat = "json"\n\n[evaluate]\nbootstrap = 100\n[fit]\nseed = 7\nthreshold = -1e-7\n',
    "roi.toml": "[fit]\nroi = [1, 2, 30, 40]\ntile = 64\nstride = 48\nmax-memory = '4GiB'\n",
    "wrong.toml": "[fit]\npca = \"many\"\n[nothing]\n",
}


def write(package, target, files):
    folder = CRATES / package / "fuzz" / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def main():
    tensors = state_dict()
    write("dfm", "safetensors", {"speck.safetensors": safetensors(tensors)})
    pickles = {"zip.pth": pytorch_zip(tensors), "legacy.pth": pytorch_legacy(tensors)}
    write("dfm", "pickle", pickles)
    # Whole networks, which tests/fixtures/backbone/make_onnx.py made.
    networks = CRATES.parent / "tests" / "fixtures" / "backbone" / "onnx"
    described = {name: (networks / name).read_bytes() for name in ("nhwc.onnx", "decomposed.onnx")}
    write("dfm", "onnx", {"speck.onnx": onnx(), **described})
    write("dfm", "config", TOML)
    write("dfm-data", "manifest_csv", CSV)
    write("dfm-data", "manifest_jsonl", JSONL)
    write("dfm-data", "json_lines", LINES)


main()
