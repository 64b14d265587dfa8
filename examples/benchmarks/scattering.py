"""Time of scattering coefficients of 32 x 32 images, in turn with kymatio's where that is installed and imports.

python examples/benchmarks/scattering.py --images 1024 --rounds 5
"""

import argparse
import statistics
import time

import numpy as np
import torch

from skdeepsc import Scattering


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()

    images = np.random.RandomState(0).uniform(size=(options.images, 32, 32)).astype(np.float32)
    scattering = Scattering(normalize=False, device=options.device).fit(images[:2])
    measured = {"Scattering": lambda: scattering.transform(images)}
    reference = kymatio(images, options.device)
    if reference is not None:
        measured["kymatio"] = reference

    seconds = {name: [] for name in measured}
    for _ in range(options.rounds):
        for name, transform in measured.items():
            start = time.perf_counter()
            transform()
            seconds[name].append(time.perf_counter() - start)
    for name, times in seconds.items():
        low, middle, high = (
            1e3 * value / options.images for value in (min(times), statistics.median(times), max(times))
        )
        print(f"{name:12} {middle:.3f} ms an image (from {low:.3f} to {high:.3f})")


def kymatio(images, device):
    """A function that transforms the images with kymatio, in blocks of 64; None without it."""
    try:
        from kymatio.torch import Scattering2D
    except ImportError as error:
        print(f"kymatio is not measured: {error}")
        return None
    transform = Scattering2D(J=3, shape=(32, 32), L=6).to(device)
    blocks = torch.from_numpy(images).to(device).split(64)
    return lambda: [transform(block).cpu() for block in blocks]


if __name__ == "__main__":
    main()
