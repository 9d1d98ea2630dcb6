"""One contestant of `cargo xtask bench peers`: the network of a weights file of ours by somebody else's hand.

    network.py export    WEIGHTS -      OUT.onnx BATCH SIDE THREADS
    network.py quantise  IN.onnx INPUT  OUT.onnx BATCH SIDE THREADS
    network.py peak      -       -      -        BATCH SIDE THREADS
    network.py CONTESTANT NETWORK INPUT OUTPUT   BATCH SIDE THREADS

A contestant computes once, writes the features to OUTPUT, prints a line of JSON that says so, and then for
every line `run K` prints the milliseconds of K forward passes, until its standard input ends. `peak` does
the same with a product of large matrices, and prints GFLOP a second.
"""

import argparse
import json
import sys
import time
from pathlib import Path

# Python's own modules come before files of the same name beside this one.
sys.path.append(sys.path.pop(0))

import numpy as np


def read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Header and tensors of a weights file of ours: safetensors with one entry of metadata."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    header = json.loads(entries.pop("__metadata__")["dfm-weights"])
    body = memoryview(data)[8 + length :]
    tensors = {}
    for name, entry in entries.items():
        assert entry["dtype"] == "F32", name
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(body[begin:end], dtype="<f4").reshape(entry["shape"])
    return header, tensors


def blocks(header: dict, tensors: dict) -> list[tuple[str | None, list[tuple[str, int]]]]:
    """For each residual block the projection, if it has one, and the branch; each convolution with its stride."""
    architecture = header["architecture"]
    count = 2 if architecture["block"] == "basic" else 3
    late = count == 3 and architecture["stride_placement"] == "spatial_convolution"
    found = []
    for stage, depth in enumerate(architecture["depths"], start=1):
        for index in range(depth):
            name = f"layer{stage}.{index}"
            if f"{name}.conv1.weight" not in tensors:
                return found
            stride = 2 if stage > 1 and index == 0 else 1
            halving = 2 if late else 1
            branch = [(f"{name}.conv{n}", stride if n == halving else 1) for n in range(1, count + 1)]
            projection = f"{name}.projection"
            found.append(((projection, stride) if f"{projection}.weight" in tensors else None, branch))
    return found


def by_torch(path: Path, side: int):
    """The network as a module of PyTorch; its batch norms are in the weights already."""
    import torch

    header, tensors = read(path)
    if "graph" in header["architecture"]:
        import graphs

        return graphs.Network(header, tensors, side).eval()

    def convolution(name: str, stride: int) -> torch.nn.Conv2d:
        weight = torch.from_numpy(tensors[f"{name}.weight"].copy())
        out, inputs, side, _ = weight.shape
        layer = torch.nn.Conv2d(inputs, out, side, stride, side // 2)
        layer.weight.data = weight
        layer.bias.data = torch.from_numpy(tensors[f"{name}.bias"].copy())
        return layer

    class Block(torch.nn.Module):
        def __init__(self, projection, branch) -> None:
            super().__init__()
            self.projection = convolution(*projection) if projection else None
            self.branch = torch.nn.ModuleList(convolution(*one) for one in branch)
            self.relu = torch.nn.ReLU(inplace=True)

        def forward(self, x):
            shortcut = x if self.projection is None else self.projection(x)
            for layer in self.branch[:-1]:
                x = self.relu(layer(x))
            return self.relu(self.branch[-1](x).add_(shortcut))

    symmetric = header["architecture"]["max_pool_padding"] == "symmetric"
    # On sides divisible by 4 rounding up does what a border at the end does.
    pool = torch.nn.MaxPool2d(3, 2, padding=1) if symmetric else torch.nn.MaxPool2d(3, 2, ceil_mode=True)
    parts = [convolution("stem", 2), torch.nn.ReLU(inplace=True), pool]
    return torch.nn.Sequential(*parts, *(Block(*block) for block in blocks(header, tensors))).eval()


def export(path: Path, output: Path, batch: int, side: int) -> None:
    """The network as ONNX, for a batch of one size: a ResNet written node by node, others by PyTorch."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    header, tensors = read(path)
    if "graph" in header["architecture"]:
        import torch

        pictures = torch.zeros(batch, 3, side, side)
        torch.onnx.export(
            by_torch(path, side), (pictures,), output, dynamo=False, opset_version=17, input_names=["input"]
        )
        return
    nodes = []

    def node(kind: str, inputs: list[str], name: str, **attributes) -> str:
        nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def convolution(x: str, name: str, stride: int) -> str:
        side = tensors[f"{name}.weight"].shape[2]
        attributes = {"kernel_shape": [side] * 2, "strides": [stride] * 2, "pads": [side // 2] * 4}
        return node("Conv", [x, f"{name}.weight", f"{name}.bias"], name, **attributes)

    x = node("Relu", [convolution("input", "stem", 2)], "stem.relu")
    before = 1 if header["architecture"]["max_pool_padding"] == "symmetric" else 0
    x = node("MaxPool", [x], "stem.pool", kernel_shape=[3, 3], strides=[2, 2], pads=[before, before, 1, 1])
    left = side // 4
    for projection, branch in blocks(header, tensors):
        shortcut = convolution(x, *projection) if projection else x
        left //= max(stride for _, stride in branch)
        for name, stride in branch[:-1]:
            x = node("Relu", [convolution(x, name, stride)], f"{name}.relu")
        name, stride = branch[-1]
        total = node("Add", [convolution(x, name, stride), shortcut], f"{name}.add")
        x = node("Relu", [total], f"{name}.relu")
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [batch, len(tensors[f"{name}.bias"]), left, left])],
        [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, output)


def quantise(path: Path, x: np.ndarray, output: Path) -> None:
    """The ONNX file in eight bits, by ONNX Runtime's static quantisation: weights per channel, ranges from
    the pictures."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    import onnx

    batch = onnx.load(path, load_external_data=False).graph.input[0].type.tensor_type.shape.dim[0].dim_value

    class Pictures(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(x[place : place + batch] for place in range(0, len(x), batch))

        def get_next(self):
            pictures = next(self.left, None)
            return None if pictures is None else {"input": pictures}

    prepared = output.with_suffix(".prepared.onnx")
    quant_pre_process(str(path), str(prepared))
    quantize_static(
        str(prepared),
        str(output),
        Pictures(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )


def serve(forward, output: Path | None, version: str, measure=None) -> None:
    """Says that all is ready, and times as often as asked."""
    result = np.ascontiguousarray(forward(), dtype="<f4")
    if output is not None:
        result.tofile(output)
    print(json.dumps({"ready": True, "version": version}), flush=True)

    def times(count: int) -> list[float]:
        taken = []
        for _ in range(count):
            start = time.perf_counter()
            forward()
            taken.append(1e3 * (time.perf_counter() - start))
        return taken

    for line in sys.stdin:
        print(json.dumps((measure or times)(int(line.removeprefix("run ")))), flush=True)


def pytorch(flags: argparse.Namespace, x: np.ndarray) -> None:
    """Eager, eager in channels_last, or compiled with the weights frozen into the code; in f32, or in bf16
    where autocast takes it."""
    import contextlib

    import torch

    torch.set_num_threads(flags.threads)
    network, x = by_torch(flags.network, flags.side), torch.from_numpy(x)
    if flags.contestant != "eager":
        network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    small = flags.contestant == "compile-bf16"
    cast = torch.autocast("cpu", dtype=torch.bfloat16) if small else contextlib.nullcontext()
    with torch.no_grad(), cast:
        if flags.contestant.startswith("compile"):
            import torch._inductor.config

            torch._inductor.config.freezing = True
            network = torch.compile(network)
            network(x)
        serve(lambda: network(x).float().numpy(), flags.output, f"torch {torch.__version__.split('+')[0]}")


def onnxruntime(flags: argparse.Namespace, x: np.ndarray) -> None:
    """ONNX Runtime's processor provider with every optimisation."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = flags.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(str(flags.network), options, providers=["CPUExecutionProvider"])
    serve(lambda: session.run(None, {"input": x})[0], flags.output, f"onnxruntime {ort.__version__}")


def openvino(flags: argparse.Namespace, x: np.ndarray) -> None:
    """OpenVINO, one request after the other, or as many pictures at once as it thinks best; in f32, or in the
    numbers that it takes by itself."""
    import openvino as ov

    hint = "THROUGHPUT" if flags.contestant.endswith("throughput") else "LATENCY"
    settings = {"PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": flags.threads}
    if not flags.contestant.startswith("openvino-default"):
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    model = ov.Core().compile_model(str(flags.network), "CPU", settings)
    version = f"openvino {ov.__version__.split('-')[0]}"
    if hint == "LATENCY":
        request = model.create_infer_request()
        serve(lambda: request.infer(x, share_inputs=True)[0], flags.output, version)
        return
    queue = ov.AsyncInferQueue(model)
    pictures = [x[place : place + 1] for place in range(len(x))]
    results = [None] * len(x)

    def keep(request, place: int) -> None:
        results[place] = request.get_output_tensor(0).data.copy()

    queue.set_callback(keep)

    def forward(times: int = 1) -> np.ndarray:
        for _ in range(times):
            for place, picture in enumerate(pictures):
                queue.start_async([picture], place, share_inputs=True)
        queue.wait_all()
        return np.concatenate(results)

    def measure(count: int) -> list[float]:
        # Requests follow each other without a gap, so there is one time for all.
        start = time.perf_counter()
        forward(count)
        return [1e3 * (time.perf_counter() - start) / count]

    serve(forward, flags.output, version, measure)


def peak(flags: argparse.Namespace) -> None:
    """GFLOP a second of a product of large matrices, on as many threads."""
    import torch

    torch.set_num_threads(flags.threads)
    side = 4096
    left, right = torch.rand(side, side), torch.rand(side, side)
    out = torch.empty(side, side)

    def measure(count: int) -> list[float]:
        rates = []
        for _ in range(count):
            start = time.perf_counter()
            torch.mm(left, right, out=out)
            rates.append(2e-9 * side**3 / (time.perf_counter() - start))
        return rates

    serve(lambda: torch.mm(left, right, out=out).numpy(), None, "matrix product of torch", measure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ["eager", "channels-last", "compile", "compile-bf16", "onnxruntime"]
    names += ["openvino", "openvino-throughput", "openvino-default", "openvino-default-throughput"]
    parser.add_argument("contestant", choices=["export", "quantise", "peak", *names])
    parser.add_argument("network", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("batch", type=int)
    parser.add_argument("side", type=int)
    parser.add_argument("threads", type=int)
    flags = parser.parse_args()
    if flags.contestant == "export":
        export(flags.network, flags.output, flags.batch, flags.side)
    elif flags.contestant == "peak":
        peak(flags)
    else:
        picture = 3 * flags.side * flags.side
        x = np.fromfile(flags.input, dtype="<f4", count=flags.batch * picture)
        x = x.reshape(flags.batch, 3, flags.side, flags.side)
        if flags.contestant == "quantise":
            quantise(flags.network, x, flags.output)
        elif flags.contestant == "onnxruntime":
            onnxruntime(flags, x)
        elif flags.contestant.startswith("openvino"):
            openvino(flags, x)
        else:
            pytorch(flags, x)
