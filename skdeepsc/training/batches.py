"""Batches cut from one tensor that already lies on the device."""

import torch


class Batches:
    """Iterator over ``({"x": samples, "index": rows}, None)``, the form that the trainer hands to the network.

    Whole blocks are indexed at once: collating row by row, as a DataLoader does, costs more than a small net's step.

    Parameters
    ----------
    samples : tensor of shape (n_samples, ...)
        On the device already.
    batch_size : int
        Samples in a batch. At least n_samples: one batch that is `samples` itself, in order, without a copy. Else the
        rows are shuffled by torch's generator in each epoch; the last batch may be smaller.
    """

    def __init__(self, samples, batch_size):
        self.samples = samples
        self.batch_size = batch_size
        self.index = torch.arange(len(samples), device=samples.device)

    def __len__(self):
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self):
        if self.batch_size >= len(self.samples):
            yield {"x": self.samples, "index": self.index}, None
            return
        order = torch.randperm(len(self.samples)).to(self.samples.device)
        for index in order.split(self.batch_size):
            yield {"x": self.samples[index], "index": index}, None
