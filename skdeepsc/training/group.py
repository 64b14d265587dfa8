"""Processes that train one network together, each on its rows of every batch."""

import os

import torch
from torch import distributed


class ProcessGroup:
    """The processes that `accelerate launch` has started, as Accelerate knows them.

    All of them run the same program on the same samples and draw the same batches. Of each batch, a process encodes,
    decodes and classifies its own rows; pixels, codes, reconstructions and logits are then exchanged, so that every
    process has the costs of the whole batch, with the gradient that one process would have.

    Attributes
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes.
    device : torch.device
        Device of this process.
    """

    def __init__(self):
        try:
            from accelerate import Accelerator
        except ImportError as error:
            raise ImportError(
                "device='accelerate' needs the package accelerate: pip install 'skdeepsc[distributed]'"
            ) from error
        state = Accelerator().state
        self.rank, self.size, self.device = state.process_index, state.num_processes, state.device
        if state.distributed_type.name in ("FSDP", "DEEPSPEED", "MEGATRON_LM", "XLA"):
            raise RuntimeError(
                f"Networks are trained data-parallel, whole in each process; Accelerate is set to "
                f"{state.distributed_type.name}: launch with --multi_gpu."
            )
        launched = int(os.environ.get("WORLD_SIZE", 1))
        if launched != self.size:
            raise RuntimeError(
                f"{launched} processes were launched, but Accelerate works with {self.size}, on {self.device}. Without "
                "GPUs, set ACCELERATE_USE_CPU=true in the environment, and make no PartialState() before the first "
                "Accelerator() or fit."
            )

    def rows(self, n_rows):
        """Which of `n_rows` rows are this process's own, a slice."""
        return slice(self.rank * n_rows // self.size, (self.rank + 1) * n_rows // self.size)

    def batch(self, n_own):
        """The batch of which this process has `n_own` rows."""
        n_rows = torch.tensor(n_own, device=self.device)
        distributed.all_reduce(n_rows)
        return SharedBatch(self.rows(n_rows.item()), n_rows.item())

    def agree(self, value):
        """The first process's value of any object that can be pickled, in all processes."""
        values = [value]
        distributed.broadcast_object_list(values, device=self.device)
        return values[0]

    def gather(self, value):
        """The values of all processes, of any object that can be pickled, in all of them."""
        values = [None] * self.size
        distributed.all_gather_object(values, value)
        return values


class SharedBatch:
    """A batch of which each process has some rows.

    Parameters
    ----------
    rows : slice
        This process's own.
    n_rows : int
        Rows of all processes.
    """

    def __init__(self, rows, n_rows):
        self.rows = rows
        self.n_rows = n_rows

    def own(self, whole):
        """This process's rows of what is known of all."""
        return whole[self.rows]

    def whole(self, own):
        """What is known of all rows, from what each process has for its own; differentiable.

        Every process computes the same cost of the whole, and gradients are averaged over the processes. Here, the
        gradient of own rows is the sum of what all processes have for them: averaged, it is that of one process.
        """
        return _Whole.apply(own, self.rows, self.n_rows)


class _Whole(torch.autograd.Function):
    @staticmethod
    def forward(ctx, own, rows, n_rows):
        ctx.rows = rows
        whole = own.new_zeros((n_rows, *own.shape[1:]))
        whole[rows] = own
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(gradient)
        return gradient[ctx.rows], None, None
