"""Samples on their way to a device: whole, block by block, or in batches cut from what may lie on disk."""

import math

import torch

from .._input import row_blocks
from .._mapped import require_unchanged, require_whole
from .._memory import available_bytes
from .._random import generator_for
from .._threads import one_core

# Share of the free memory of a device that samples may take as a whole.
_MEMORY_SHARE = 0.25
# Samples that a network encodes at once, as many as hold so many values: its layers make many times more of them.
_BLOCK_VALUES, _MOST_ROWS = 2**22, 4096


def resolve_device(device: str | torch.device) -> torch.device:
    """``torch.device`` for ``"auto"`` (CUDA if there is any, else the CPU) or a name."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device={device!r} cannot be used here: {error}") from error
    if found.type == "meta":
        raise ValueError("device='meta' computes nothing: choose 'cpu', 'cuda' or 'auto'.")
    return found


def to_device(samples, device):
    """A checked array as a tensor on `device`; memory is shared but where it is read-only, or read backwards."""
    is_as_torchs = samples.flags.writeable and min(samples.strides, default=0) >= 0
    return torch.from_numpy(samples if is_as_torchs else samples.copy()).to(device)


def collect(blocks, out):
    """Fill an array with consecutive blocks of rows, tensors; pieces that are kept until the end scatter the memory."""
    start = 0
    for block in blocks:
        out[start : start + len(block)] = block.cpu()
        start += len(block)
    return out


class Rows:
    """Samples that go to the device only when, and only as far as, they are asked for.

    It answers what the training asks of a tensor: its length, rows, blocks. A memory-mapped array is read row by row.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...)
    device : device
    """

    def __init__(self, samples, device):
        self.samples = samples
        self.device = torch.device(device)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        """Rows by a slice or by a tensor of indices, as a tensor on the device."""
        require_whole(self.samples)
        require_unchanged()
        return to_device(self.samples[index.cpu().numpy() if torch.is_tensor(index) else index], self.device)

    def split(self, size):
        """Consecutive blocks of `size` rows."""
        return (self[block] for block in row_blocks(len(self), size))


def rows_at_once(shape):
    """How many samples of a shape a network encodes at once."""
    return max(1, min(_MOST_ROWS, _BLOCK_VALUES // math.prod(shape)))


def in_blocks(rows, most=_MOST_ROWS):
    """Samples on the device, block by block, as a network encodes them."""
    return rows.split(min(most, rows_at_once(rows[:1].shape)))


def rows_for(samples, device):
    """Samples for the training: :class:`Rows`, or a tensor on a device that has memory of its own, and enough.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...)
        Never copied as a whole in the machine's memory.
    device : device

    Returns
    -------
    rows : Rows or tensor of shape (n_samples, ...)
    """
    rows = Rows(samples, device)
    if rows.device.type != "cuda" or samples.nbytes > _MEMORY_SHARE * available_bytes(device):
        return rows
    tensor = torch.empty(samples.shape, dtype=rows[:1].dtype, device=device)
    for block in row_blocks(len(samples)):
        tensor[block] = rows[block]
    return tensor


def n_batches(n_samples, batch_size):
    """How many batches there are; a last one of a single row, which has no variance, joins the one before."""
    n_full, n_left = divmod(n_samples, batch_size)
    is_joined = n_left == 1 and n_full > 0 and batch_size > 1
    return n_full + (n_left > 0) - is_joined


class Batches:
    """Iterator over ``({"x": samples, "index": rows}, None)``, the form that the trainer hands to the network.

    Whole blocks are indexed at once: collating row by row, as a DataLoader does, costs more than a small net's step.

    Parameters
    ----------
    samples : tensor of shape (n_samples, ...) or Rows
        On the device already, or on the way to it.
    batch_size : int
        Samples in a batch. At least n_samples: one batch that is `samples` itself, in order, without a copy. Else the
        rows are shuffled by the fit's generator in each epoch; the last batch may be smaller, but a single row,
        which has no variance, joins the batch before it.
    group : ProcessGroup or None, default=None
        Processes that share out the rows of each batch; this one's are handed out.
    """

    def __init__(self, samples, batch_size, group=None):
        self.samples = samples
        self.batch_size = batch_size
        self.group = group
        self.index = torch.arange(len(samples), device=samples.device)

    def __len__(self):
        return n_batches(len(self.samples), self.batch_size)

    def __iter__(self):
        if self.group is not None:  # Layers that draw have drawn for different numbers of rows.
            generator = generator_for("cpu") or torch.default_generator
            generator.set_state(self.group.agree(generator.get_state()))
        if self.batch_size < len(self.samples):
            return self._drawn()
        own = slice(None) if self.group is None else self.group.rows(len(self.index))
        return iter([({"x": self.samples[own], "index": self.index[own]}, None)])

    def _drawn(self):
        sizes = [self.batch_size] * (len(self) - 1)
        sizes.append(len(self.samples) - sum(sizes))
        for index in torch.randperm(len(self.samples), generator=generator_for("cpu")).split(sizes):
            index = index.to(self.samples.device)
            index = index if self.group is None else index[self.group.rows(len(index))]
            with one_core():  # Threads would wait for each other for longer than they copy.
                batch = {"x": self.samples[index], "index": index}
            yield batch, None
