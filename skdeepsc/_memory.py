"""Memory that matrices of pairs need, told before they are allocated, and what to do where it was not foretold."""

import os
from contextlib import contextmanager
from pathlib import Path

# Bytes for each pair of samples while coefficients of four, or of eight, bytes become an affinity that is segmented,
# measured: the coefficients themselves, the affinity, its checked copy, and the normalised one that the eigensolver
# overwrites, or what the affinity is made by.
_SEGMENTATION_BYTES = {"thresholded": (37, 65), "enhanced": (37, 65), "low_rank": (32, 64), "top": (20, 32)}
_OTHER_SEGMENTATION_BYTES = (32, 40)

# Where the kernel tells of control groups, and which is this process's own.
_CGROUPS, _OWN_CGROUPS = Path("/sys/fs/cgroup"), "/proc/self/cgroup"
# Limit, use, and what of the use is given up on demand, in the two versions of control groups.
_CGROUP_FILES = {
    "v2": ("memory.max", "memory.current", "inactive_file"),
    "v1": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
# How torch says, as a RuntimeError, that there is no memory left.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class TooLarge(MemoryError):
    """Memory is too small for what was asked; the message says what would fit."""


def available_bytes(device):
    """Free memory of a CUDA device, else what this process may still take of the machine's; None if it cannot be told.

    Limits of control groups, as of containers and batch systems, and of the address space count.
    """
    if str(device).startswith("cuda"):
        import torch  # Not above: methods without a network must not cost its import.

        return torch.cuda.mem_get_info(device)[0]
    known = [_of_machine(), *_left_in_cgroups(), _left_of_address_space()]
    return min((left for left in known if left is not None), default=None)


def _of_machine():
    try:
        with open("/proc/meminfo") as lines:
            kilobytes = dict(line.split(":") for line in lines)["MemAvailable"].split()[0]
        return 1024 * int(kilobytes)
    except (OSError, KeyError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _left_in_cgroups():
    """Memory that is left to this process's control groups and to those above them, as far as they have limits."""
    groups = {("v2", _CGROUPS), ("v1", _CGROUPS / "memory")}  # In a container, its own is mounted as the root.
    for line in _text(_OWN_CGROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            kind, root = ("v1", _CGROUPS / "memory") if controllers else ("v2", _CGROUPS)
            own = root / path.lstrip("/")
            groups |= {(kind, group) for group in (own, *own.parents) if group.is_relative_to(root)}
    for kind, group in groups:
        limit, use, spare = _CGROUP_FILES[kind]
        bound = _text(group / limit).strip()
        if bound.isdecimal():
            used, stat = _text(group / use).strip(), dict(map(str.split, _text(group / "memory.stat").splitlines()))
            yield max(int(bound) - int(used or 0) + int(stat.get(spare, 0)), 0)


def _left_of_address_space():
    try:
        import resource  # Not on Windows.

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        pages = int(_text("/proc/self/statm").split()[0])
        return max(limit - pages * os.sysconf("SC_PAGE_SIZE"), 0)
    except (ImportError, AttributeError, ValueError, IndexError, OSError):
        return None


def _text(path):
    """What a file of the kernel says; nothing where there is none."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


@contextmanager
def way_out(advice):
    """A context in which every failing allocation, NumPy's or torch's, becomes a MemoryError that ends with advice."""
    try:
        yield
    except TooLarge:
        raise
    except (MemoryError, RuntimeError) as error:
        said = str(error)
        if not isinstance(error, MemoryError) and not any(words in said.lower() for words in _NO_MEMORY):
            raise
        raise TooLarge(
            f"Memory has run out: {said.strip().splitlines()[0] if said else 'no more'}. {advice}"
        ) from error


def require_bytes(needed, what, advice, device="cpu"):
    """Raise MemoryError if there is not as much memory as something needs."""
    available = available_bytes(device)
    if available is not None and needed > available:
        raise TooLarge(
            f"{what} needs about {needed / 1e9:.1f} GB; {available / 1e9:.1f} GB are available on {device!r}. {advice}"
        )


def segmentation_bytes(affinity, bytes_per_coef):
    """Bytes for each pair of samples at the peak of the segmentation of dense coefficients."""
    named = affinity if isinstance(affinity, str) else ""
    return _SEGMENTATION_BYTES.get(named, _OTHER_SEGMENTATION_BYTES)[bytes_per_coef > 4]


def require_memory(n_rows, bytes_per_pair, segmentation_bytes, device):
    """Raise MemoryError if the N x N matrices of a fit cannot fit the memory there is.

    Parameters
    ----------
    n_rows : int
        Samples that are clustered, N.
    bytes_per_pair : int
        What training needs on `device` for each of the N * N pairs.
    segmentation_bytes : int
        What segmentation needs, after that, of the memory of the machine.
    device : str
        Where C is trained.
    """
    for place, bytes_ in ((device, bytes_per_pair), ("cpu", segmentation_bytes)):
        needed, available = n_rows**2 * bytes_, available_bytes(place)
        if available is not None and needed > available:
            fits = int((available / needed) ** 0.5 * n_rows)
            raise TooLarge(
                f"Self-expression of {n_rows} samples needs about {needed / 1e9:.1f} GB for its {n_rows} x {n_rows} "
                f"matrices; {available / 1e9:.1f} GB are available on {place!r}. Cluster a random part and label the "
                f"rest by nearest neighbours: subsample={min(5000, max(2, fits // 2))}."
            )


def require_batch_memory(n_samples, batch_size, bytes_per_pair, device):
    """Raise MemoryError if the matrices of a batch cannot fit the memory there is."""
    what = f"Self-expression of {n_samples} samples in batches of {batch_size}"
    require_bytes(bytes_per_pair * batch_size**2, what, "Choose a smaller batch_size.", device)
