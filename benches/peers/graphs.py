"""The graph of a weights file of ours as a module of PyTorch, written as timm writes such networks."""

import torch
from torch import nn
from torch.nn import functional as F

ACTIVATIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "silu": F.silu,
    "gelu_erf": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
}


class Function(nn.Module):
    """A function without numbers of its own."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Constant(nn.Module):
    """A function of a value and of numbers of its own."""

    def __init__(self, function, constant: torch.Tensor) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("constant", constant)

    def forward(self, x):
        return self.function(x, self.constant)


class Response(nn.Module):
    """The global response norm of values whose channels come last."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, epsilon: float) -> None:
        super().__init__()
        self.weight, self.bias, self.epsilon = nn.Parameter(weight), nn.Parameter(bias), epsilon

    def forward(self, x):
        size = x.norm(p=2, dim=(1, 2), keepdim=True)
        relative = size / (size.mean(dim=-1, keepdim=True) + self.epsilon)
        return x + torch.addcmul(self.bias, self.weight, x * relative)


def convolution(fields: dict, weight: torch.Tensor, bias: torch.Tensor, sides: tuple[int, int]) -> nn.Module:
    window, out = fields["window"], fields["out"]
    kernel, stride = window["kernel"], window.get("stride", [1, 1])
    dilation = window.get("dilation", [1, 1])
    begin, end = padding(window, sides)
    layer = nn.Conv2d(
        weight.shape[1] * fields.get("groups", 1),
        out,
        kernel,
        stride,
        begin if begin == end else 0,
        dilation,
        fields.get("groups", 1),
    )
    layer.weight.data, layer.bias.data = weight, bias
    if begin == end:
        return layer
    return nn.Sequential(nn.ZeroPad2d((begin[1], end[1], begin[0], end[0])), layer)


def padding(window: dict, sides: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Rows and columns before and behind a map."""
    chosen = window.get("padding", {"explicit": {"begin": [0, 0], "end": [0, 0]}})
    if chosen != "same":
        return chosen["explicit"]["begin"], chosen["explicit"]["end"]
    total = []
    for axis in range(2):
        stride = window.get("stride", [1, 1])[axis]
        extent = (window["kernel"][axis] - 1) * window.get("dilation", [1, 1])[axis] + 1
        total.append(max(0, (-(-sides[axis] // stride) - 1) * stride + extent - sides[axis]))
    return [side // 2 for side in total], [side - side // 2 for side in total]


def attention(heads: int):
    def forward(x):
        count, tokens, channels = x.shape
        queries, keys, values = x.reshape(count, tokens, 3, heads, channels // 3 // heads).permute(2, 0, 3, 1, 4)
        result = F.scaled_dot_product_attention(queries, keys, values)
        return result.transpose(1, 2).reshape(count, tokens, channels // 3)

    return Function(forward)


def positions(fields: dict, values: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    before, cells = values[: fields["prefix"]], values[fields["prefix"] :]
    if tuple(fields["grid"]) != grid:
        cells = cells.T.reshape(1, -1, *fields["grid"])
        antialias = fields["interpolation"] == "bicubic_antialiased"
        cells = F.interpolate(cells, grid, mode="bicubic", align_corners=False, antialias=antialias)
        cells = cells.flatten(2)[0].T
    return torch.cat([before, cells])[None]


class Network(nn.Module):
    """The network up to its deepest layer, for pictures of one size."""

    def __init__(self, header: dict, tensors: dict, side: int) -> None:
        super().__init__()
        graph = header["architecture"]["graph"]
        nodes = {node["name"]: node for node in graph["nodes"]}
        self.deepest = graph.get("taps", {}).get(header["deepest"], header["deepest"])
        needed, left = set(), [self.deepest]
        while left:
            name = left.pop()
            if name not in needed:
                needed.add(name)
                left.extend(nodes[name].get("inputs", []))
        self.steps = nn.ModuleList()
        # The name of each step's value, the names of its inputs, and how those must lie.
        self.places: list[tuple[str, list[str], list[bool]]] = []
        self.picture = graph["nodes"][0]["name"]
        # Maps lie as [N, C, H, W], or as [N, H, W, C] where a norm has put the channels last.
        self.last: dict[str, bool] = {self.picture: False}
        self.grids: dict[str, tuple[int, int]] = {self.picture: (side, side)}
        values = {self.picture: torch.zeros(1, 3, side, side)}
        for name, node in nodes.items():
            if name in needed and name != self.picture:
                self.append(node, tensors, values)

    def append(self, node: dict, tensors: dict, values: dict) -> None:
        name, inputs, operation = node["name"], node["inputs"], node["operation"]
        kind, fields = (operation, None) if isinstance(operation, str) else next(iter(operation.items()))
        numbers = {
            suffix: torch.from_numpy(tensors[f"{name}.{suffix}"].copy())
            for suffix in ["weight", "bias", "tokens", "positions"]
            if f"{name}.{suffix}" in tensors
        }
        first = inputs[0]
        is_map = values[first].dim() == 4
        goes_last = kind in ["layer_norm", "linear", "global_response_norm"] and is_map
        stays_last = kind in ["activation", "scale"] and self.last[first]
        last = goes_last or stays_last
        step = self.step(kind, fields, numbers, values[first], self.grids[first], last)
        wanted = [last] * len(inputs)
        self.steps.append(step)
        self.places.append((name, inputs, wanted))
        self.last[name] = last
        with torch.no_grad():
            values[name] = step(*(self.laid(values[it], it, way) for it, way in zip(inputs, wanted)))
        value = values[name]
        is_map = value.dim() == 4
        self.grids[name] = tuple(value.shape[1:3] if last else value.shape[2:]) if is_map else self.grids[first]

    def step(self, kind: str, fields, numbers: dict, x, grid: tuple[int, int], last: bool) -> nn.Module:
        channels = x.shape[1] if x.dim() == 4 and not last else x.shape[-1]
        if kind == "convolution":
            return convolution(fields, numbers["weight"], numbers["bias"], grid)
        if kind == "linear":
            layer = nn.Linear(numbers["weight"].shape[1], fields["out"])
            layer.weight.data, layer.bias.data = numbers["weight"], numbers["bias"]
            return layer
        if kind == "layer_norm":
            layer = nn.LayerNorm(len(numbers["weight"]), fields["epsilon"])
            layer.weight.data, layer.bias.data = numbers["weight"], numbers["bias"]
            return layer
        if kind == "global_response_norm":
            return Response(numbers["weight"], numbers["bias"], fields["epsilon"])
        if kind == "scale":
            at_end = last or x.dim() == 3
            factors = numbers["weight"] if at_end else numbers["weight"].reshape(1, channels, 1, 1)
            return Constant(torch.mul, factors)
        if kind == "max_pool":
            begin, end = padding(fields, grid)
            assert begin == end, "a maximum padded on both sides alike"
            return nn.MaxPool2d(fields["kernel"], fields.get("stride", [1, 1]), begin)
        if kind == "average_pool":
            window = fields["window"]
            begin, end = padding(window, grid)
            assert begin == end, "an average padded on both sides alike"
            counted = fields.get("count_padding", False)
            stride = window.get("stride", [1, 1])
            return nn.AvgPool2d(window["kernel"], stride, begin, count_include_pad=counted)
        if kind == "attention":
            return attention(fields["heads"])
        if kind == "prefix_tokens":
            before = numbers["tokens"][None]
            return Constant(lambda x, tokens: torch.cat([tokens.expand(len(x), -1, -1), x], 1), before)
        if kind == "positions":
            return Constant(torch.add, positions(fields, numbers["positions"], grid))
        functions = {
            "global_average": lambda x: x.mean((2, 3), keepdim=True),
            "add": torch.add,
            "multiply": torch.mul,
            "concatenate": lambda *parts: torch.cat(parts, 1 if parts[0].dim() == 4 else 2),
            "mean": lambda *parts: torch.stack(parts).mean(0),
            "to_tokens": lambda x: x.flatten(2).transpose(1, 2),
            "to_map": lambda x: tokens_to_map(x, grid),
        }
        return Function(ACTIVATIONS[fields] if kind == "activation" else functions[kind])

    def laid(self, x, name: str, last: bool):
        """The value of a node with its channels where a step wants them."""
        if x.dim() != 4 or self.last[name] == last:
            return x
        return x.permute(0, 2, 3, 1) if last else x.permute(0, 3, 1, 2)

    def forward(self, pictures):
        values = {self.picture: pictures}
        for step, (name, inputs, wanted) in zip(self.steps, self.places):
            values[name] = step(*(self.laid(values[it], it, way) for it, way in zip(inputs, wanted)))
        value = values[self.deepest]
        if value.dim() == 3:
            return tokens_to_map(value, self.grids[self.deepest])
        return self.laid(value, self.deepest, False)


def tokens_to_map(x, grid: tuple[int, int]):
    """The cells of the grid as a map, without the tokens before them."""
    cells = x[:, x.shape[1] - grid[0] * grid[1] :].transpose(1, 2)
    return cells.reshape(len(x), -1, *grid)
