"""Sets a few synthetic defects above their masks: docs/synthetic.png.

Needs: pillow 13.0.0 (pip install pillow), and `dfm synthesise assets/demo -o DIR --seed 1`.
Run:   python docs/make_synthetic_picture.py DIR
"""

import sys
from pathlib import Path

from PIL import Image

GAP = 6

root = Path(sys.argv[1])
pictures = sorted((root / "test/synthetic").glob("*.png"))[:8]
side = Image.open(pictures[0]).width
sheet = Image.new("RGB", (len(pictures) * (side + GAP) - GAP, 2 * side + GAP), "white")
for column, picture in enumerate(pictures):
    mask = root / f"ground_truth/synthetic/{picture.stem}_mask.png"
    for row, path in enumerate((picture, mask)):
        sheet.paste(Image.open(path).convert("RGB"), (column * (side + GAP), row * (side + GAP)))
sheet.quantize(128).save(Path(__file__).parent / "synthetic.png", optimize=True)
