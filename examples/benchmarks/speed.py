"""Time of a full-batch epoch beside a bare torch loop, and peak memory of fit beside what the arithmetic needs.

    python examples/benchmarks/speed.py

The trainer and the loop do the same arithmetic from the same start: DSC-Net's costs with a trained C, Adam, all rows at
once. They take turns in one run, so that a machine that speeds up or slows down does so for both.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from skdeepsc import AutoEncoder, DSCNet
from skdeepsc.deep import TrainedSolver
from skdeepsc.losses import coefficient_norm, squared_error
from skdeepsc.nn import ConvAutoEncoder, SubspaceNetwork, TrainedExpression
from skdeepsc.training import Phase, Trainer

NET = {"channels": (15,), "kernel_sizes": (3,)}
SIZE = 32


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[400, 1440, 2414], help="numbers of samples")
    parser.add_argument("--seconds", type=float, default=20, help="time for each size")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        return print(peak(options.peak_of))

    print(f"{'samples':>8}{'trainer, ms':>13}{'loop, ms':>10}{'ratio':>8}{'turns':>7}")
    for n_samples in options.sizes:
        ours, bare = turns(n_samples, options.seconds, options.device)
        ratio = np.median(np.array(ours) / np.array(bare))
        print(f"{n_samples:8}{1e3 * np.median(ours):13.2f}{1e3 * np.median(bare):10.2f}{ratio:8.3f}{len(ours):7}")

    if options.device == "cpu":
        print(f"\n{'samples':>8}{'peak of fit, MB':>17}{'arithmetic, MB':>16}{'ratio':>8}")
        for n_samples in options.sizes:
            command = [sys.executable, __file__, "--peak-of", str(n_samples)]
            measured = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            needed = arithmetic(n_samples)
            print(f"{n_samples:8}{measured / 1e6:17.0f}{needed / 1e6:16.0f}{measured / needed:8.2f}")


def costs(out):
    return {
        "reconstruction": squared_error(out.x, out.x_hat),
        "coef": coefficient_norm(out.coef),
        "expression": 75 * squared_error(out.z, out.z_hat),
    }


def network(n_samples, device):
    torch.manual_seed(0)
    autoencoder = ConvAutoEncoder((1, SIZE, SIZE), **NET)
    return SubspaceNetwork(autoencoder.encoder, autoencoder.decoder, TrainedExpression(n_samples)).to(device)


def images(n_samples):
    return torch.rand(n_samples, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def turns(n_samples, seconds, device):
    """Seconds per epoch of the trainer and of the loop, turn about."""
    x = images(n_samples).to(device)
    ours, bare = network(n_samples, device), network(n_samples, device)
    optimizer = torch.optim.Adam(bare.parameters(), 1e-3, fused=True)

    def loop(n_epochs):
        for _ in range(n_epochs):
            optimizer.zero_grad()
            loss = sum(costs(bare(x)).values())
            loss.backward()
            optimizer.step()
            loss.item()

    trainer = Trainer(ours, Phase("finetune", costs, 1, 1e-3), device=device, verbose=0).train_phase(x)
    loop(1)
    start = time.perf_counter()
    loop(1)
    n_epochs = max(1, round(0.5 / (time.perf_counter() - start)))
    times = [], []
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        for found, run in zip(
            times, (lambda: trainer.fit_loop(x, epochs=n_epochs), lambda: loop(n_epochs)), strict=True
        ):
            begin = time.perf_counter()
            run()
            found.append((time.perf_counter() - begin) / n_epochs)
    return times


def peak(n_samples):
    """Bytes by which a whole fit raises the peak of this process's memory."""
    x = images(n_samples).numpy()
    shared = {"autoencoder": AutoEncoder(**NET, max_epochs=1), "solver": TrainedSolver(epochs=0), "random_state": 0}
    DSCNet(2, max_epochs=1, **shared).fit(x[:60])
    Path("/proc/self/clear_refs").write_text("5")  # Peak and present memory are the same from here.
    before = high_water()
    DSCNet(20, latent_normalization="none", gamma_expression=75.0, max_epochs=3, affinity="symmetric", **shared).fit(x)
    return high_water() - before


def high_water():
    """Bytes of the largest resident set of this process so far (Linux)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


def arithmetic(n_samples):
    """Bytes that the arithmetic of fit needs, see docs/memory.md: pairs of samples, codes, pixels."""
    n_pixels, n_latent = SIZE**2, NET["channels"][0] * (SIZE // 2) ** 2
    return 16 * n_samples**2 + 4 * n_samples * (6 * n_latent + 4 * n_pixels)


if __name__ == "__main__":
    main()
