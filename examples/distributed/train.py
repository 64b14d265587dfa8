"""Train NCSC in several processes, each of which works on its share of every batch.

    accelerate launch --multi_gpu --num_processes 4 --mixed_precision no examples/distributed/train.py
    ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes 2 --mixed_precision no \\
        examples/distributed/train.py
    python examples/distributed/train.py

The first takes four GPUs, the second two processes without any GPU, the last one process. Their costs are the same but
for rounding errors, which long training magnifies. The first process saves the estimator, which needs no Accelerate
from then on. --images reads images from an array on disk, which every process maps into memory.
"""

import argparse
import pickle
import time
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from sklearn.datasets import load_digits

from skdeepsc import NCSC
from skdeepsc.metrics import clustering_accuracy_score


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help=".npy file, (n, h, w) or (n, c, h, w), uint8 or float32")
    parser.add_argument("--n-clusters", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=1000, help="of all processes together")
    parser.add_argument("--epochs", type=int, default=30, help="of the joint stage")
    parser.add_argument("--output", type=Path, default=Path("ncsc.pkl"))
    options = parser.parse_args()

    process = Accelerator()
    digits = load_digits()
    images = np.load(options.images, mmap_mode="r") if options.images else digits.images.astype(np.uint8) * 15
    ncsc = NCSC(
        options.n_clusters,
        batch_size=options.batch_size,
        max_epochs=options.epochs,
        device="accelerate",
        verbose=1,  # The first process prints.
        random_state=0,  # An integer, so that all processes draw the same.
    )
    start = time.perf_counter()
    ncsc.fit(images)
    process.print(f"{process.num_processes} processes on {process.device.type}: {time.perf_counter() - start:.1f} s")
    if process.is_main_process:
        options.output.write_bytes(pickle.dumps(ncsc))
        print(f"the estimator is in {options.output}; clusters have {np.bincount(ncsc.labels_)} images")
        if not options.images:
            print(f"accuracy: {clustering_accuracy_score(digits.target, ncsc.labels_):.3f}")
    process.wait_for_everyone()
    process.end_training()


if __name__ == "__main__":
    main()
