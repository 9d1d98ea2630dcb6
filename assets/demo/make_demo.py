"""Makes the pictures that `dfm demo` carries.

Crops of one texture that scikit-image ships, with defects drawn by a seeded
generator. Training crops come from the upper part of the photograph, test crops
from the lower: no pixel is in both.

Needs: numpy 2.x, pillow 11+, scikit-image 0.25+ (pip install scikit-image pillow).
Run:   python make_demo.py
"""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

HERE = Path(__file__).parent
SIDE = 144
BORDER = 340  # first row of the test crops
TRAIN, GOOD, DEFECTS = 40, 12, 8
rng = np.random.default_rng(20261124)

good_texture = data.brick()
other_texture = data.gravel()


def crop(texture, top, bottom):
    """A square of the rows top..bottom, sometimes mirrored, a little brighter or darker."""
    y = rng.integers(top, bottom - SIDE + 1)
    x = rng.integers(0, texture.shape[1] - SIDE + 1)
    square = texture[y : y + SIDE, x : x + SIDE].astype(np.float64)
    if rng.random() < 0.5:
        square = square[:, ::-1]
    return np.clip(square * rng.uniform(0.96, 1.04), 0, 255)


def blurred(mask, radius):
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), np.float64) / 255


def scratch(square):
    """A thin bright line with a bend."""
    mask = Image.new("L", (SIDE, SIDE))
    x, y = rng.uniform(0.2, 0.8, 2) * SIDE
    angle = rng.uniform(0, np.pi)
    points = [(x, y)]
    for _ in range(5):
        angle += rng.uniform(-0.5, 0.5)
        step = rng.uniform(8, 14)
        x, y = x + step * np.cos(angle), y + step * np.sin(angle)
        points.append((x, y))
    ImageDraw.Draw(mask).line(points, fill=255, width=3)
    share = blurred(mask, 0.7)
    return square * (1 - share) + rng.uniform(215, 240) * share, mask


def stain(square):
    """A dark spot with a soft edge."""
    mask = Image.new("L", (SIDE, SIDE))
    x, y = rng.uniform(0.25, 0.75, 2) * SIDE
    width, height = rng.uniform(11, 20, 2)
    ImageDraw.Draw(mask).ellipse([x - width, y - height, x + width, y + height], fill=255)
    share = 0.7 * blurred(mask, 2.0)
    return square * (1 - share) + 35 * share, mask


def patch(square):
    """A piece of another material."""
    mask = Image.new("L", (SIDE, SIDE))
    x, y = rng.uniform(0.25, 0.75, 2) * SIDE
    corners = np.sort(rng.uniform(0, 2 * np.pi, 6))
    radius = rng.uniform(16, 24, 6)
    outline = [(x + r * np.cos(a), y + r * np.sin(a)) for a, r in zip(corners, radius)]
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    share = blurred(mask, 1.0)
    return square * (1 - share) + crop(other_texture, 0, 512) * share, mask


def save(square, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(square).astype(np.uint8)).save(path, quality=88)


for part in ("train", "test", "ground_truth"):
    shutil.rmtree(HERE / part, ignore_errors=True)
for index in range(TRAIN):
    save(crop(good_texture, 0, BORDER), HERE / f"train/good/{index:03}.jpg")
for index in range(GOOD):
    save(crop(good_texture, BORDER, 512), HERE / f"test/good/{index:03}.jpg")
for defect in (scratch, stain, patch):
    for index in range(DEFECTS):
        square, mask = defect(crop(good_texture, BORDER, 512))
        save(square, HERE / f"test/{defect.__name__}/{index:03}.jpg")
        truth = HERE / f"ground_truth/{defect.__name__}/{index:03}_mask.png"
        truth.parent.mkdir(parents=True, exist_ok=True)
        mask.point(lambda value: 255 if value > 127 else 0).save(truth, optimize=True)
