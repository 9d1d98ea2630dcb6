"""Sets a few of the demo's pictures beside their overlays, above the legend: docs/demo.png.

Needs: pillow 13.0.0 (pip install pillow), and a finished `dfm demo`.
Run:   python docs/make_demo_picture.py dfm-demo
"""

import sys
from pathlib import Path

from PIL import Image

SHOWN = ["good/000", "patch/004", "patch/005", "scratch/007", "stain/001", "stain/007"]
GAP = 6

root = Path(sys.argv[1])
pairs = [
    (root / f"pictures/test/{name}.jpg", root / f"maps/{name}.jpg-overlay.png") for name in SHOWN
]
legend = Image.open(root / "maps/dfm-legend.png").convert("RGB")
side = Image.open(pairs[0][0]).width
width, height = len(pairs) * (side + GAP) - GAP, 2 * side + GAP
sheet = Image.new("RGB", (width, height + GAP + legend.height), "white")
for column, pair in enumerate(pairs):
    for row, path in enumerate(pair):
        sheet.paste(Image.open(path).convert("RGB"), (column * (side + GAP), row * (side + GAP)))
sheet.paste(legend, ((width - legend.width) // 2, height + GAP))
sheet.save(Path(__file__).parent / "demo.png", optimize=True)
