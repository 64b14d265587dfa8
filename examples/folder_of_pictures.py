"""
From a folder of pictures to a report
=====================================

Three hundred digits become PNG files with names, as they would come from a scanner, and the command clusters them.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from skdeepsc.__main__ import main

images = (load_digits().images[:300] * 255 / 16).round().astype(np.uint8)
place = Path(tempfile.mkdtemp(prefix="skdeepsc-"))
folder = place / "digits"
folder.mkdir()
for number, image in enumerate(images):
    Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"scan {number:03}.png")

# The same as: skdeepsc digits -k 10
status = main([str(folder), "-k", "10", "--out", str(place / "clusters")])
print(f"Open {place / 'clusters' / 'report.html'}")
raise SystemExit(status)
