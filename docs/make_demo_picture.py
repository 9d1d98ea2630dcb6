"""Sets a few of the demo's pictures beside their overlays: docs/demo.png.

Needs: pillow 13.0.0 (pip install pillow), and a finished `dfm demo`.
Run:   python docs/make_demo_picture.py dfm-demo
"""

import sys
from pathlib import Path

from PIL import Image

SHOWN = ["good/000", "patch/004", "patch/005", "scratch/004", "stain/001", "stain/003"]
GAP = 6

root = Path(sys.argv[1])
pairs = [
    (root / f"pictures/test/{name}.jpg", root / f"maps/{name}.jpg-overlay.png") for name in SHOWN
]
side = Image.open(pairs[0][0]).width
sheet = Image.new("RGB", (len(pairs) * (side + GAP) - GAP, 2 * side + GAP), "white")
for column, pair in enumerate(pairs):
    for row, path in enumerate(pair):
        sheet.paste(Image.open(path).convert("RGB"), (column * (side + GAP), row * (side + GAP)))
sheet.save(Path(__file__).parent / "demo.png", optimize=True)
