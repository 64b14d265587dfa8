"""Batches cut from samples that lie on the device, or in memory or on disk and go there batch by batch."""

import torch

from .._device import to_device
from .._memory import available_bytes

# Share of the free memory of a device that samples may take as a whole.
_MEMORY_SHARE = 0.25
# Samples that are copied to a device at once.
_BLOCK_ROWS = 4096


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
        return to_device(self.samples[index.cpu().numpy() if torch.is_tensor(index) else index], self.device)

    def split(self, size):
        """Consecutive blocks of `size` rows."""
        return (self[start : start + size] for start in range(0, len(self), size))


def as_rows(samples, device):
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
    for start in range(0, len(samples), _BLOCK_ROWS):
        tensor[start : start + _BLOCK_ROWS] = rows[start : start + _BLOCK_ROWS]
    return tensor


class Batches:
    """Iterator over ``({"x": samples, "index": rows}, None)``, the form that the trainer hands to the network.

    Whole blocks are indexed at once: collating row by row, as a DataLoader does, costs more than a small net's step.

    Parameters
    ----------
    samples : tensor of shape (n_samples, ...) or Rows
        On the device already, or on the way to it.
    batch_size : int
        Samples in a batch. At least n_samples: one batch that is `samples` itself, in order, without a copy. Else the
        rows are shuffled by torch's generator in each epoch; the last batch may be smaller.
    blocks : sequence of tensors of int or None, default=None
        Rows of each batch, the same in every epoch; only the order of the batches is drawn. `batch_size` is not used.
    group : ProcessGroup or None, default=None
        Processes that share out the rows of each batch; this one's are handed out.
    """

    def __init__(self, samples, batch_size, blocks=None, group=None):
        self.samples = samples
        self.batch_size = batch_size
        self.blocks = blocks
        self.group = group
        self.index = torch.arange(len(samples), device=samples.device)

    def __len__(self):
        return -(-len(self.samples) // self.batch_size) if self.blocks is None else len(self.blocks)

    def __iter__(self):
        if self.group is not None:  # Layers that draw have drawn for different numbers of rows.
            torch.set_rng_state(self.group.agree(torch.get_rng_state()))
        if self.blocks is not None:
            batches = (self.blocks[number] for number in torch.randperm(len(self.blocks)).tolist())
        elif self.batch_size >= len(self.samples):
            own = slice(None) if self.group is None else self.group.rows(len(self.index))
            yield {"x": self.samples[own], "index": self.index[own]}, None
            return
        else:
            batches = torch.randperm(len(self.samples)).split(self.batch_size)
        for index in batches:
            index = index.to(self.samples.device)
            index = index if self.group is None else index[self.group.rows(len(index))]
            yield {"x": self.samples[index], "index": index}, None
