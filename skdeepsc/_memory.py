"""Memory that N x N matrices need, told before they are allocated."""

import os

import torch

# Bytes per pair of samples at the peak of fit. Trained: C, its gradient and Adam's two moments, float32. Ridge: C,
# the hat matrix and the factor, float64. Segmentation: affinity, its normalised copy and the solver's, float64.
BYTES_PER_PAIR = {"trained": 16, "ridge": 24, "segmentation": 24}


def needed_bytes(n_rows, solver):
    """Bytes of all N x N matrices at the peak of fit.

    Parameters
    ----------
    n_rows : int
        Samples that are clustered, N.
    solver : {"trained", "ridge"}

    Returns
    -------
    n_bytes : int
    """
    return n_rows**2 * max(BYTES_PER_PAIR[solver], BYTES_PER_PAIR["segmentation"])


def available_bytes(device):
    """Free memory of a CUDA device, else memory of the machine that is not in use; None where it cannot be told."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
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


def check_fits(n_rows, solver, device):
    """Raise MemoryError if the N x N matrices of a fit cannot fit the memory there is.

    Parameters
    ----------
    n_rows : int
        Samples that are clustered, N.
    solver : {"trained", "ridge"}
    device : str
    """
    needed, available = needed_bytes(n_rows, solver), available_bytes(device)
    if available is not None and needed > available:
        fits = int((available / needed) ** 0.5 * n_rows)
        raise MemoryError(
            f"Self-expression of {n_rows} samples needs about {needed / 1e9:.1f} GB for its {n_rows} x {n_rows} "
            f"matrices; {available / 1e9:.1f} GB are available on {device!r}. Cluster a random part and label the rest "
            f"by nearest neighbours: subsample={min(5000, max(2, fits // 2))}."
        )
