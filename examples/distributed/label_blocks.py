"""Label an array that is larger than the memory of all workers, block by block.

    python examples/distributed/label_blocks.py --rows 10000000
    python examples/distributed/label_blocks.py --rows 100000000 --scheduler tcp://HOST:8786

NCSC is trained on 2000 images and goes to each worker once. The workers make the blocks, here from scikit-learn's
handwritten digits, and send back labels only, which are written to a memory-mapped file. For images on disk, a function
that reads a block takes the place of `make`, such as `numpy.load(path, mmap_mode="r")[start:stop]`.
"""

import argparse
import os
import time
from pathlib import Path

import dask.array as da
import numpy as np
from dask.utils import format_bytes, parse_bytes
from distributed import Client, as_completed
from sklearn.datasets import load_digits

from skdeepsc import NCSC, AutoEncoder
from skdeepsc.metrics import clustering_accuracy_score

# Dask's workers give memory back to the system at once, which makes networks slow; see docs/distributed.md.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
SIZE = 32
N_TRAIN = 2000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000, help="images to label, 1 KiB each")
    parser.add_argument("--block", type=int, default=2048, help="images in a block")
    parser.add_argument("--workers", type=int, default=2, help="workers to start on this machine")
    parser.add_argument("--memory", default="900 MB", help="limit of each worker that is started; Dask ends it above")
    parser.add_argument("--scheduler", help="address of an existing cluster; starts none")
    parser.add_argument("--output", type=Path, default=Path("labels.npy"), help="file of the labels, int64")
    options = parser.parse_args()

    start = time.perf_counter()
    autoencoder = AutoEncoder(network="dense", max_epochs=10)
    method = NCSC(10, autoencoder=autoencoder, batch_size=500, max_epochs=5, random_state=0)
    method.fit(make(-N_TRAIN, 0, load_digits())[0])
    print(f"trained on {N_TRAIN} images in {time.perf_counter() - start:.1f} s")
    with connect(options) as client:
        images = lazy_images(options.rows, options.block, client.scatter(load_digits(), broadcast=True))
        print(f"{len(images)} images, {format_bytes(images.nbytes)}, in {images.numblocks[0]} blocks")
        labels = images.map_blocks(
            label,
            client.scatter(method, broadcast=True),
            drop_axis=[1, 2],
            dtype=np.int64,
            meta=np.empty(0, np.int64),
        )
        start = time.perf_counter()
        write(labels, client, options.output)
        print(f"{len(labels) / (time.perf_counter() - start):.0f} rows/s; the labels are in {options.output}")
        peaks = [format_bytes(peak) for peak in client.run(high_water).values()]
    print(f"peak memory: {', '.join(peaks)} of the workers, {format_bytes(high_water())} of this process")
    first = np.load(options.output, mmap_mode="r")[: options.block]
    _, digits = make(0, len(first), load_digits())
    print(f"accuracy on the first block: {clustering_accuracy_score(digits, first):.3f}")


def connect(options):
    if options.scheduler:
        return Client(options.scheduler)
    total = options.workers * parse_bytes(options.memory)
    print(f"{options.workers} workers of {options.memory}, together {format_bytes(total)}")
    os.environ.update(KEEP_MEMORY)
    return Client(n_workers=options.workers, threads_per_worker=1, memory_limit=options.memory, dashboard_address=":0")


def lazy_images(n_rows, block, digits):
    """A dask array whose blocks are made where and when they are labelled."""
    return da.map_blocks(
        lambda digits, block_info: make(*block_info[None]["array-location"][0], digits)[0],
        digits,
        chunks=da.core.normalize_chunks((block, -1, -1), (n_rows, SIZE, SIZE), dtype=np.uint8),
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )


def make(start, stop, digits):
    """Images (n, 32, 32), uint8, and their classes; the same for the same `start`."""
    random = np.random.default_rng(abs(start))
    rows = random.integers(len(digits.images), size=stop - start)
    images = 15 * digits.images[rows].astype(np.uint8).repeat(SIZE // 8, 1).repeat(SIZE // 8, 2)
    images += random.integers(16, size=images.shape, dtype=np.uint8)
    return images, digits.target[rows]


def label(block, method):
    return method.predict(block)


def write(labels, client, path):
    """Write blocks of labels in the order in which they are done."""
    file = np.lib.format.open_memmap(path, mode="w+", dtype=labels.dtype, shape=labels.shape)
    stops = np.cumsum(labels.chunks[0])
    places = [slice(stop - n, stop) for stop, n in zip(stops, labels.chunks[0], strict=True)]
    places = dict(zip(client.compute(labels.to_delayed().tolist()), places, strict=True))
    tenth = -(-len(places) // 10)
    for n_done, (block, found) in enumerate(as_completed(list(places), with_results=True), 1):
        file[places.pop(block)] = found
        if n_done % tenth == 0:
            print(f"  {n_done} blocks of {len(stops)}")
    file.flush()


def high_water():
    """Bytes of the largest resident set of this process so far (Linux)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


if __name__ == "__main__":
    main()
