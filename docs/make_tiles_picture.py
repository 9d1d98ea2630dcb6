"""A small defect in a large picture, as a model of whole pictures and one of tiles see it: docs/tiles.png.

Needs: numpy 2.x, pillow 13.0.0, scikit-image 0.26.0 (pip install pillow scikit-image), and the program.
Run:   python docs/make_tiles_picture.py target/release/dfm
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

SIDE, LEARNT, DEFECT, SHOWN, GAP = 1536, 24, 11, 340, 6
SHIFT, TURN, LIGHT, NOISE = 24, 1.0, 0.08, 3.0  # at most: pixels, degrees, share; grey levels
PLACE = (930, 610)
rng = np.random.default_rng(4)
wall = Image.fromarray(data.brick()).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def picture():
    """The wall before a camera, as in assets/demo, without its rim."""
    turned = wall.rotate(rng.uniform(-TURN, TURN), Image.Resampling.BICUBIC)
    left, top = 60 + rng.uniform(-SHIFT, SHIFT, 2)
    view = turned.resize((SIDE, SIDE), Image.Resampling.BICUBIC, (left, top, left + SIDE - 120, top + SIDE - 120))
    lit = np.asarray(view, np.float64) * rng.uniform(1 - LIGHT, 1 + LIGHT)
    return Image.fromarray(np.clip(lit + rng.normal(0, NOISE, lit.shape), 0, 255).round().astype(np.uint8))


def dfm(*arguments):
    run = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode in (0, 1), run.stderr
    return run.stdout


with tempfile.TemporaryDirectory() as folder:
    root = Path(folder)
    (root / "good").mkdir()
    for index in range(LEARNT):
        picture().save(root / f"good/{index:02}.jpg", quality=92)
    spot = Image.new("L", (SIDE, SIDE))
    x, y = PLACE
    ImageDraw.Draw(spot).ellipse((x - DEFECT, y - DEFECT, x + DEFECT, y + DEFECT), fill=200)
    chipped = picture()
    chipped.paste(30, mask=spot.filter(ImageFilter.GaussianBlur(2)))
    chipped.save(root / "chipped.png")
    shown = [chipped]
    for name, flags in (("whole", []), ("tiles", ["--tile", "512", "--stride", "384"])):
        print(dfm("fit", root / "good", "-o", root / f"{name}.dfm", "-q", *flags))
        print(dfm("predict", root / f"{name}.dfm", root / "chipped.png", "-q", "--maps", root / name))
        shown.append(Image.open(next((root / name).glob("chipped*overlay.png"))))
    sheet = Image.new("RGB", (3 * (SHOWN + GAP) - GAP, SHOWN), "white")
    for column, view in enumerate(shown):
        small = view.convert("RGB").resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
        sheet.paste(small, (column * (SHOWN + GAP), 0))
    sheet.quantize(160, kmeans=2).save(Path(__file__).parent / "tiles.png", optimize=True)
