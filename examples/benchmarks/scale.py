"""Time and peak memory of fit and of predict against the number of rows, as a table and as a picture.

    python examples/benchmarks/scale.py --sizes 1000 3000 10000 30000 --json scale.json --picture scale.png
    python examples/benchmarks/scale.py --from-json scale.json --picture scale.png

Rows are uint8 images in a memory-mapped file, written block by block: near ten five-dimensional subspaces of smooth
images, or with --images the images of an .npz file (`X`, classes `y`), shifted by up to a pixel and with noise. Each
fit runs in a process of its own and saves the estimator; predict runs in another, which loads it, on the same rows.
The picture shows all that the file of results holds.

By default NCSC's stages take 10, 20 and 100 steps, or one epoch where that is more: only from there on, the time of a
fit is proportional to the rows. It is seen at smaller sizes with --epochs 1, and in the time of one joint epoch; below
the size of a batch, 5000, that grows faster. Time is proportional to --batch-size as well, memory to its square.
"""

import argparse
import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np

METHODS = ("NCSC", "PSSC", "SubspaceClustering")
SIZES = [1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
SIDE, N_CLUSTERS, SUBSPACE_DIM = 28, 10, 5
BLOCK_ROWS = 4096
STAGES = ("subspace_epochs", "classifier_epochs", "max_epochs")
# Seconds between two looks at the memory of a process.
INTERVAL = 0.02
HEADER = (
    *("method", "rows", "fit, s", "pretrain, s", "epoch, s", "fit, MB"),
    *("predict, s", "rows/s", "predict, MB", "imports, MB", "ACC"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of rows")
    parser.add_argument("--methods", nargs="+", default=["NCSC", "PSSC"], choices=METHODS)
    parser.add_argument("--subsample", type=int, default=5000, help="rows that PSSC and SubspaceClustering cluster")
    parser.add_argument("--epochs", type=int, help="epochs of each stage of NCSC and PSSC after pre-training")
    parser.add_argument("--batch-size", type=int, default=5000, help="of NCSC")
    parser.add_argument("--images", type=Path, help=".npz file with square images `X`, uint8, and classes `y`")
    parser.add_argument("--folder", type=Path, help="where the rows are kept; by default they are removed at the end")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=math.inf, help="a process that takes longer is given up")
    parser.add_argument("--json", type=Path, help="file to which results are added")
    parser.add_argument("--from-json", type=Path, help="draw these results, measure nothing")
    parser.add_argument("--picture", type=Path, help="file of the picture")
    parser.add_argument("--process", nargs=4, metavar=("STEP", "METHOD", "ROWS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.process:
        step, method, n_rows, folder = options.process
        return print(json.dumps({"fit": fit, "predict": predict}[step](method, int(n_rows), Path(folder), options)))
    results = read(options.from_json) if options.from_json else measure(options)
    if options.picture and results:
        draw(results, options.picture)


def measure(options):
    """Print a line for each method and size; all results, with those that the file of results had before."""
    results = read(options.json) if options.json and options.json.exists() else []
    keep = nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory()
    with keep as folder:
        folder = Path(folder)
        write_rows(folder, max(options.sizes), options.images)
        print(explanation(options.device))
        print(line(HEADER))
        for n_rows in sorted(options.sizes):
            for method in options.methods:
                result = measure_one(method, n_rows, folder, options)
                if result is None:
                    continue
                results.append(result)
                print(table_line(result), flush=True)
                if options.json:
                    options.json.write_text(json.dumps(results, indent=1))
    return results


def measure_one(method, n_rows, folder, options):
    """Results of a fit and of a predict; None, after saying why, if a process fails."""
    fitted = in_process("fit", method, n_rows, folder, options)
    predicted = fitted and in_process("predict", method, n_rows, folder, options)
    (folder / "estimator.pickle").unlink(missing_ok=True)
    if predicted is None:
        return None
    about = {"method": method, "n_rows": n_rows, "row_bytes": read_rows(folder, 1)[0].nbytes}
    about |= {"batch_size": options.batch_size} if method == "NCSC" else {}
    epochs = None if method == "SubspaceClustering" else options.epochs
    return about | {"device": options.device, "epochs": epochs, "fit": fitted, "predict": predicted}


# The rows


def write_rows(folder, n_rows, images):
    """Write the rows to a file of the folder, block by block, and their classes."""
    folder.mkdir(parents=True, exist_ok=True)
    source = str(images.resolve()) if images else "subspaces"
    about, wanted = folder / "rows.json", {"n_rows": n_rows, "source": source}
    if about.exists() and read(about) == wanted:
        return
    about.unlink(missing_ok=True)
    generator = np.random.default_rng(0)
    draw_block = image_blocks(images, generator) if images else subspace_blocks(generator)
    classes = np.empty(n_rows, dtype=np.int64)
    rows = None
    for start in range(0, n_rows, BLOCK_ROWS):
        block = slice(start, min(start + BLOCK_ROWS, n_rows))
        pixels, classes[block] = draw_block(block.stop - block.start)
        if rows is None:
            shape = (n_rows, pixels.shape[1])
            rows = np.lib.format.open_memmap(folder / "rows.npy", mode="w+", dtype=np.uint8, shape=shape)
        rows[block] = np.clip(np.round(pixels), 0, 255)
    rows.flush()
    np.save(folder / "classes.npy", classes)
    about.write_text(json.dumps(wanted))


def subspace_blocks(generator):
    """A function that draws rows near a union of subspaces of smooth images, and their classes."""
    from scipy.ndimage import gaussian_filter

    bases = generator.normal(size=(N_CLUSTERS, SUBSPACE_DIM, SIDE, SIDE))
    bases = gaussian_filter(bases, (0, 0, 2, 2)).reshape(N_CLUSTERS, SUBSPACE_DIM, -1).astype(np.float32)
    bases /= bases.std(axis=2, keepdims=True)

    def draw_block(n_rows):
        classes = generator.integers(N_CLUSTERS, size=n_rows)
        pixels = generator.normal(scale=5, size=(n_rows, SIDE**2)).astype(np.float32) + 128
        for k, basis in enumerate(bases):
            members = np.flatnonzero(classes == k)
            pixels[members] += 20 * generator.normal(size=(len(members), SUBSPACE_DIM)).astype(np.float32) @ basis
        return pixels, classes

    return draw_block


def image_blocks(path, generator):
    """A function that draws images of a file, shifted and with noise, and their classes."""
    with np.load(path) as arrays:
        images, classes = arrays["X"], arrays["y"]
    side = math.isqrt(images[0].size)
    padded = np.pad(images.reshape(-1, side, side), ((0, 0), (1, 1), (1, 1)), mode="edge")
    shifted = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))

    def draw_block(n_rows):
        picked = generator.integers(len(images), size=n_rows)
        pixels = shifted[picked, *generator.integers(3, size=(2, n_rows))].reshape(n_rows, -1)
        return pixels + generator.normal(scale=3, size=pixels.shape), classes[picked]

    return draw_block


def read_rows(folder, n_rows):
    """The first rows of the file, not in memory, and the shape of an image."""
    rows = np.load(folder / "rows.npy", mmap_mode="r")[:n_rows]
    side = math.isqrt(rows.shape[1])
    return rows, (side, side)


# What a process of its own does


def fit(method, n_rows, folder, options):
    import skdeepsc

    rows, image_shape = read_rows(folder, n_rows)
    classes = np.load(folder / "classes.npy", mmap_mode="r")[:n_rows]
    epochs = "auto" if options.epochs is None else options.epochs
    settings = {
        "NCSC": {"batch_size": options.batch_size, **dict.fromkeys(STAGES, epochs)},
        "PSSC": {"subsample": options.subsample, "max_epochs": 20 if epochs == "auto" else epochs},
        "SubspaceClustering": {"subsample": options.subsample},
    }[method]
    estimator = getattr(skdeepsc, method)(
        int(classes.max()) + 1, image_shape=image_shape, device=options.device, random_state=0, **settings
    )
    result = observed(lambda: estimator.fit(rows), options.device)
    result["accuracy"] = skdeepsc.metrics.clustering_accuracy_score(classes, estimator.labels_)
    result["phases"] = phases(getattr(estimator, "history_", ()))
    with (folder / "estimator.pickle").open("wb") as file:
        pickle.dump(estimator, file, protocol=5)
    return result


def predict(method, n_rows, folder, options):
    with (folder / "estimator.pickle").open("rb") as file:
        estimator = pickle.load(file)
    rows, _ = read_rows(folder, n_rows)
    return observed(lambda: estimator.predict(rows), options.device)


def observed(function, device):
    """Seconds of the wall and of the processors, memory before, and the peak that the system has kept."""
    result = {"before": anonymous_bytes(os.getpid())}
    wall, processors = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function()
    result |= {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - processors}
    result["resident_peak"] = resident_peak()
    if device.startswith("cuda"):
        import torch

        result["device_peak"] = torch.cuda.max_memory_allocated(device)
    return result


def phases(history):
    """Epochs and seconds of each phase."""
    found = {}
    for row in history:
        phase = found.setdefault(row["phase"], {"epochs": 0, "seconds": 0.0})
        phase["epochs"] += 1
        phase["seconds"] += row["seconds"]
    return found


# Memory


def in_process(step, method, n_rows, folder, options):
    """What a step gives in a process of its own, and the peak of that process's memory; None if it fails."""
    command = [sys.executable, __file__, *sys.argv[1:], "--process", step, method, str(n_rows), str(folder)]
    with (folder / "errors.txt").open("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            peak = watch(process, options.seconds)
            output = process.stdout.read()
        errors.seek(0)
        reason = (errors.read().splitlines() or [""])[-1]
    if process.returncode:
        print(f"{method:20}{n_rows:9}  {step} ended with exit status {process.returncode}. {reason}", flush=True)
        return None
    result = json.loads(output)
    return result | {"peak": peak or result["resident_peak"]}


def watch(process, limit):
    """The most memory that a process had, 0 if the system does not tell; it is ended after so many seconds."""
    peak, start = 0, time.perf_counter()
    while process.poll() is None:
        peak = max(peak, anonymous_bytes(process.pid) or 0)
        if time.perf_counter() - start > limit:
            process.kill()
        time.sleep(INTERVAL)
    return peak


def anonymous_bytes(pid):
    """Memory of a process without the pages of files that it has mapped; None where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    sizes = [row.split()[1] for row in status.splitlines() if row.startswith("RssAnon:")]
    return 1024 * int(sizes[0]) if sizes else None


def resident_peak():
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


# Table


def explanation(device):
    memory = (
        f"largest RssAnon in /proc, read every {1000 * INTERVAL:.0f} ms from outside, without the pages of the file"
    )
    if anonymous_bytes(os.getpid()) is None:
        memory = "ru_maxrss, with those pages of the file that are in memory"
    return (
        f"device: {device}\n"
        "s: wall clock; epoch: one epoch of the joint stage, of PSSC over the subsample\n"
        f"MB: peak of a process of its own, imports included: {memory}\n"
    )


def table_line(result):
    fitted, predicted = result["fit"], result["predict"]
    pretraining = fitted["phases"].get("pretrain")
    return line(
        (
            result["method"],
            str(result["n_rows"]),
            f"{fitted['seconds']:.1f}",
            f"{pretraining['seconds']:.1f}" if pretraining else "-",
            f"{epoch_seconds(result):.2f}" if epoch_seconds(result) else "-",
            f"{fitted['peak'] / 1e6:.0f}",
            f"{predicted['seconds']:.2f}",
            f"{result['n_rows'] / predicted['seconds']:.0f}",
            f"{predicted['peak'] / 1e6:.0f}",
            f"{fitted['before'] / 1e6:.0f}" if fitted["before"] else "-",
            f"{fitted['accuracy']:.3f}",
        )
    )


def line(cells):
    return f"{cells[0]:20}{cells[1]:>9}" + "".join(f"{cell:>13}" for cell in cells[2:])


def epoch_seconds(result):
    """Seconds of an epoch of the last phase in which all is trained together; None without one."""
    for name in ("joint", "finetune"):
        if phase := result["fit"]["phases"].get(name):
            return phase["seconds"] / phase["epochs"]
    return None


# Picture


def draw(results, path):
    """Time and memory of fit and of predict; of equal measurements, the last."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(10, 7.5), sharex=True, layout="constrained")
    lines = series(results)
    for column, step in enumerate(("fit", "predict")):
        times, memory = axes[:, column]
        times.set_title(step)
        for number, (name, points) in enumerate(lines.items()):
            style = {"color": f"C{number}", "marker": "o", "markersize": 5}
            sizes = [point["n_rows"] for point in points]
            times.plot(sizes, [point[step]["seconds"] for point in points], label=name, **style)
            memory.plot(sizes, [point[step]["peak"] / 1e9 for point in points], **style)
            epochs = [epoch_seconds(point) for point in points]
            if step == "fit" and points[0]["method"] == "NCSC" and all(epochs):
                label = f"{name}, one joint epoch"
                times.plot(sizes, epochs, label=label, **style, linestyle=":", markerfacecolor="white")
        times.set(xscale="log", yscale="log", ylabel="seconds")
        draw_proportional(times)
        draw_floor(memory, results)
        memory.set(xlabel="rows", ylabel="peak memory, GB", ylim=(0, None))
        for ax in (times, memory):
            ax.grid(color="0.92")
            ax.spines[["top", "right"]].set_visible(False)
    for row in axes:
        share_limits(row)
    labelled = [curve for ax in axes[:, 0] for curve in ax.get_legend_handles_labels()[0]]
    figure.legend(handles=labelled, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def series(results):
    """Results in the order of their sizes, by method, and by device and epochs where these are not the same."""
    devices = {result["device"] for result in results}
    found = {}
    for result in sorted(results, key=lambda result: result["method"]):
        name = result["method"]
        name += f", {result['device']}" if len(devices) > 1 else ""
        name += f", epochs {result['epochs']}" if result["epochs"] is not None else ""
        name += f", batch {result['batch_size']}" if result.get("batch_size", 5000) != 5000 else ""
        found.setdefault(name, {})[result["n_rows"]] = result
    return {name: [points[size] for size in sorted(points)] for name, points in found.items()}


def draw_proportional(ax):
    """A line of slope 1 above the upper ends of the curves."""
    (low, high), limits = ax.get_xlim(), ax.get_ylim()
    ends = 2 * max((curve.get_ydata()[-1] / curve.get_xdata()[-1] for curve in ax.lines), default=1)
    ax.plot([low, high], [ends * low, ends * high], "--", color="0.6", zorder=0, label="proportional to the rows")
    ax.set(xlim=(low, high), ylim=limits)


def draw_floor(ax, results):
    """What is no merit or fault of the methods: the imports, and for comparison the size of the file."""
    sizes = sorted({result["n_rows"] for result in results})
    imports = [result["fit"]["before"] for result in results if result["fit"]["before"]]
    if imports:
        ax.axhline(np.median(imports) / 1e9, color="0.6", linestyle="-.", zorder=0, label="imports")
    sizes = np.geomspace(sizes[0], sizes[-1])
    ax.plot(
        sizes, results[0]["row_bytes"] * sizes / 1e9, color="0.6", linestyle=":", zorder=0, label="file of the rows"
    )


def share_limits(axes):
    limits = [ax.get_ylim() for ax in axes]
    for ax in axes:
        ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def read(path):
    return json.loads(path.read_text())


if __name__ == "__main__":
    main()
