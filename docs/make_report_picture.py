"""Shows the demo's report, its top and, in dark mode, its threshold: docs/report.png.

Needs: pillow 13.0.0 (pip install pillow), Chromium, and a finished `dfm demo`.
Run:   python docs/make_report_picture.py dfm-demo
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1040, 1310
# Where the threshold begins at this width.
FURTHER_DOWN = 1312
COLOURS = 160

page = (Path(sys.argv[1]) / "report/index.html").resolve().as_uri()
sheet = Image.new("RGB", (2 * WIDTH, HEIGHT))
with tempfile.TemporaryDirectory() as folder:
    for column, (top, extra) in enumerate([(0, []), (FURTHER_DOWN, ["--force-dark-mode"])]):
        shot = Path(folder) / f"{column}.png"
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            + [f"--window-size={WIDTH},{top + HEIGHT}", f"--screenshot={shot}", *extra, page],
            check=True,
        )
        part = Image.open(shot).convert("RGB").crop((0, top, WIDTH, top + HEIGHT))
        sheet.paste(part, (column * WIDTH, 0))
small = sheet.resize((WIDTH, HEIGHT // 2), Image.Resampling.LANCZOS)
small.quantize(COLOURS, kmeans=4).save(Path(__file__).parent / "report.png", optimize=True)
