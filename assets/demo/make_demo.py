"""Makes the pictures that `dfm demo` carries.

One wall before one camera, as a part comes to its place on a line: every picture is the
same part of a photograph that scikit-image ships, a little shifted and turned, in its own
light and with its own noise. Pictures to learn and to judge are drawn alike; into some of
the latter a seeded generator draws defects.

Needs: numpy 2.x, pillow 11+, scikit-image 0.25+ (pip install scikit-image pillow).
Run:   python make_demo.py
"""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

HERE = Path(__file__).parent
SIDE = 144  # of a picture
VIEW = 216  # what it shows of the photograph, in pixels
SHIFT, TURN, LIGHT, NOISE = 12, 1.5, 0.08, 3.0  # at most: pixels, degrees, share; grey levels
TRAIN, GOOD, DEFECTS = 40, 12, 8
rng = np.random.default_rng(20261124)

good_texture = data.brick()
other_texture = data.gravel()


def picture(texture):
    """The middle of the photograph as one picture of it shows."""
    turned = Image.fromarray(texture).rotate(rng.uniform(-TURN, TURN), Image.Resampling.BICUBIC)
    left, top = (512 - VIEW) / 2 + rng.uniform(-SHIFT, SHIFT, 2)
    view = turned.resize((SIDE, SIDE), Image.Resampling.BICUBIC, (left, top, left + VIEW, top + VIEW))
    return np.asarray(view, np.float64) * rng.uniform(1 - LIGHT, 1 + LIGHT)


def blurred(mask, radius):
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), np.float64) / 255


def scratch(good):
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
    return good * (1 - share) + rng.uniform(180, 240) * share, mask


def stain(good):
    """A dark spot with a soft edge."""
    mask = Image.new("L", (SIDE, SIDE))
    x, y = rng.uniform(0.25, 0.75, 2) * SIDE
    width, height = rng.uniform(8, 18, 2)
    ImageDraw.Draw(mask).ellipse([x - width, y - height, x + width, y + height], fill=255)
    share = rng.uniform(0.45, 0.7) * blurred(mask, 2.0)
    return good * (1 - share) + 35 * share, mask


def patch(good):
    """A piece of another material."""
    mask = Image.new("L", (SIDE, SIDE))
    x, y = rng.uniform(0.25, 0.75, 2) * SIDE
    corners = np.sort(rng.uniform(0, 2 * np.pi, 6))
    radius = rng.uniform(10, 24) * rng.uniform(0.7, 1.0, 6)
    outline = [(x + r * np.cos(a), y + r * np.sin(a)) for a, r in zip(corners, radius)]
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    share = blurred(mask, 1.0)
    return good * (1 - share) + picture(other_texture) * share, mask


def save(shown, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    noisy = np.clip(shown + rng.normal(0, NOISE, shown.shape), 0, 255)
    Image.fromarray(np.round(noisy).astype(np.uint8)).save(path, quality=88)


for part in ("train", "test", "ground_truth"):
    shutil.rmtree(HERE / part, ignore_errors=True)
for index in range(TRAIN):
    save(picture(good_texture), HERE / f"train/good/{index:03}.jpg")
for index in range(GOOD):
    save(picture(good_texture), HERE / f"test/good/{index:03}.jpg")
for defect in (scratch, stain, patch):
    for index in range(DEFECTS):
        spoilt, mask = defect(picture(good_texture))
        save(spoilt, HERE / f"test/{defect.__name__}/{index:03}.jpg")
        truth = HERE / f"ground_truth/{defect.__name__}/{index:03}_mask.png"
        truth.parent.mkdir(parents=True, exist_ok=True)
        mask.point(lambda value: 255 if value > 127 else 0).save(truth, optimize=True)
