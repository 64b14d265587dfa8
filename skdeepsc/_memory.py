"""Memory that N x N matrices need, told before they are allocated."""

import os

# Bytes for each pair of samples while an affinity is segmented: the coefficients, the affinity, its checked copy, and
# the normalised copy that the eigensolver overwrites.
_SEGMENTATION_BYTES = 28


def available_bytes(device):
    """Free memory of a CUDA device, else memory of the machine that is not in use; None where it cannot be told."""
    if str(device).startswith("cuda"):
        import torch  # Not above: methods without a network must not cost its import.

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


def require_memory(n_rows, bytes_per_pair, device):
    """Raise MemoryError if the N x N matrices of a fit cannot fit the memory there is.

    Parameters
    ----------
    n_rows : int
        Samples that are clustered, N.
    bytes_per_pair : int
        What training needs on `device` for each of the N * N pairs.
    device : str
        Where C is trained; segmentation needs the memory of the machine, after that.
    """
    for place, bytes_ in ((device, bytes_per_pair), ("cpu", _SEGMENTATION_BYTES)):
        needed, available = n_rows**2 * bytes_, available_bytes(place)
        if available is not None and needed > available:
            fits = int((available / needed) ** 0.5 * n_rows)
            raise MemoryError(
                f"Self-expression of {n_rows} samples needs about {needed / 1e9:.1f} GB for its {n_rows} x {n_rows} "
                f"matrices; {available / 1e9:.1f} GB are available on {place!r}. Cluster a random part and label the "
                f"rest by nearest neighbours: subsample={min(5000, max(2, fits // 2))}."
            )


def require_batch_memory(n_samples, batch_size, bytes_per_pair, device):
    """Raise MemoryError if the matrices of a batch cannot fit the memory there is."""
    needed, available = bytes_per_pair * batch_size**2, available_bytes(device)
    if available is not None and needed > available:
        raise MemoryError(
            f"Self-expression of {n_samples} samples in batches of {batch_size} needs about {needed / 1e9:.1f} GB; "
            f"{available / 1e9:.1f} GB are available on {device!r}. Choose a smaller batch_size."
        )
