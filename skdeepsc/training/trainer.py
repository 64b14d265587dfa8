"""The only training loop, and it is skorch's."""

import math
from contextlib import nullcontext

import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, PrintLog
from skorch.exceptions import SkorchException
from skorch.hf import AccelerateMixin

from .._threads import FEW_MULTIPLICATIONS, one_core
from .batches import Batches
from .callbacks import EpochSeconds, StopTraining
from .checkpoints import open_step
from .optimizer import Adam
from .resume import KeptPhase

# Weights that no training of samples of unit scale comes to; three layers of them are more than float32 holds.
_MOST = 1e12


class Diverged(FloatingPointError):
    """Training has met numbers that are none; the message says in which phase, and what to change."""


def run_phase(phase, network, samples, *, keeps=(), callbacks=(), device="cpu", verbose=0, group=None):
    """Train `network` in place for one phase and return its history, one dict an epoch.

    Where the fit has a checkpoint, a phase that has ended is not run again, and one that was interrupted goes on.

    Parameters
    ----------
    phase : Phase
    network : SubspaceNetwork
    samples : tensor of shape (n_samples, ...) or Rows
        On `device`, or on the way to it.
    keeps : sequence of (object, str), default=()
        Attributes that the costs or callbacks of the phase change beside the network, for a checkpoint.
    callbacks : sequence of skorch callbacks, default=()
    device : device, default="cpu"
    verbose : int, default=0
        Above 0: skorch's table, one line an epoch; of several processes the first prints it.
    group : ProcessGroup or None, default=None
        Processes that share out batches that are drawn anew in each epoch; other phases, all run alike.

    Returns
    -------
    history : list of dict
        ``phase``, ``epoch`` (from 1), every cost under its name, ``train_loss``, ``seconds``, and what the callbacks
        recorded.
    """
    if phase.epochs == 0:
        return []
    verbose = verbose if group is None or group.rank == 0 else 0
    step = open_step(phase.name)
    kept = [] if step is None else [KeptPhase(step, network, keeps, device)]
    if kept and kept[0].rows is not None:
        return kept[0].rows
    # What an epoch of the phase ends with is done before a user's callback may end the phase.
    settings = {"callbacks": [*phase.callbacks, *callbacks, *kept], "device": str(device), "verbose": verbose}
    if group is not None and phase.batch_size > 0:
        trainer = SharedTrainer(network, phase, group, **settings)
    else:
        trainer = Trainer(network, phase, **settings)
    trainer.train_phase(samples)
    rows = [_row(phase.name, entry) for entry in trainer.history if "train_loss" in entry]
    if kept:
        kept[0].end(rows)
    return rows


def _row(phase, entry):
    recorded = {
        name: value for name, value in entry.items() if name not in ("batches", "dur", "epoch", "train_batch_count")
    }
    recorded = {name: value for name, value in recorded.items() if not name.endswith("_best")}
    return {"phase": phase, "epoch": entry["epoch"], **recorded, "seconds": entry.get("dur", math.nan)}


class Trainer(NeuralNet):
    """A skorch net that minimises a dict of named costs and hands whole blocks of rows to the network.

    Parameters
    ----------
    module : SubspaceNetwork
        Trained in place.
    phase : Phase
        What to minimise and how.
    **kwargs
        Further parameters of :class:`skorch.NeuralNet`: ``device``, ``callbacks``, ``verbose``.
    """

    def __init__(self, module, phase, **kwargs):
        self.phase = phase
        self.term_names_, self.last_terms_ = (), {}
        super().__init__(
            module,
            criterion=kwargs.pop("criterion", torch.nn.Module),  # Without parameters: the costs are the phase's.
            optimizer=Adam,
            optimizer__fused=torch.device(kwargs.get("device", "cpu")).type in ("cpu", "cuda"),
            optimizer__param_groups=[(f"{part}.*", {"lr": lr}) for part, lr in phase.part_lrs.items()],
            lr=phase.lr,
            max_epochs=phase.epochs,
            batch_size=phase.batch_size,
            iterator_train=Batches,
            train_split=None,
            **kwargs,
        )

    def get_default_callbacks(self):
        return [("timer", EpochSeconds())] + ([("print", PrintLog())] if self.verbose else [])

    def get_dataset(self, X, y=None):
        return X

    def check_data(self, X, y=None):
        pass

    def notify(self, method_name, **cb_kwargs):
        """Call the trainer and its callbacks; one of skorch's that asks for what is not here is refused."""
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except (AttributeError, LookupError, TypeError, ValueError, NotImplementedError, SkorchException) as error:
                if not type(callback).__module__.startswith("skorch."):
                    raise
                raise ValueError(
                    f"callbacks: {type(callback).__name__} cannot work in phase {self.phase.name!r}: {error} There are "
                    "no y and no validation samples; monitor 'train_loss', 'train_loss_best' or a cost, and score by a "
                    "function of (net, X, y)."
                ) from error

    def get_all_learnable_params(self):
        return ((name, value) for name, value in super().get_all_learnable_params() if value.requires_grad)

    def train_step(self, batch, **fit_params):
        """A step of the optimizer; on one core where it has little to compute."""
        shape = batch[0]["x"].shape
        has_few = torch.get_num_threads() > 1 and _multiplications(self.module, shape) <= FEW_MULTIPLICATIONS
        with one_core() if has_few else nullcontext():
            return super().train_step(batch, **fit_params)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Sum of the phase's costs; each is recorded under its name, one that is not finite ends the fit."""
        terms = self.phase.costs(y_pred)
        if not terms:
            raise ValueError(f"Phase {self.phase.name!r} has nothing to learn: all weights are 0. Set its epochs to 0.")
        self.term_names_ = tuple(terms)
        total = sum(terms.values())
        values = torch.stack([value.detach() for value in terms.values()]).tolist()
        for name, value in zip(terms, values, strict=True):
            if not math.isfinite(value):
                raise Diverged(self._blame(f"The cost {name!r} became {value}", name))
            self.history.record_batch(name, value)
        self.last_terms_ = dict(zip(terms, values, strict=True))
        return total

    def on_epoch_end(self, net, **kwargs):
        """Sum what the batches recorded into one figure a term, before any callback asks for it."""
        epoch = self.history[-1]
        least = next((row["train_loss"] for row in reversed(self.history) if row.get("train_loss_best")), math.inf)
        for name in (*self.term_names_, "train_loss"):
            epoch[name] = sum(batch[name] for batch in epoch["batches"] if name in batch)
        # What skorch's own callbacks record, for those that keep the best epoch.
        epoch["train_loss_best"] = epoch["train_loss"] < least

    def _set_training(self, training=True):
        """Training mode for the parts that learn; those that are frozen answer as they do after training."""
        super()._set_training(training)
        for part in self._frozen():
            part.eval()

    def _frozen(self):
        """The parts of the network that do not learn in the phase."""
        learning = self.phase.parts
        return [part for name, part in self.module.named_children() if learning is not None and name not in learning]

    def fit(self, X, y=None, **fit_params):
        """Run the phase, see :meth:`train_phase`; `y` is ignored."""
        return self.train_phase(X)

    def train_phase(self, samples):
        """Run the phase on `samples`, a tensor on the device; Ctrl-C passes through as KeyboardInterrupt."""
        unknown = sorted({*(self.phase.parts or ()), *self.phase.part_lrs} - set(self.module._modules))
        if unknown:
            known = ", ".join(name for name, _ in self.module.named_children())
            raise ValueError(
                f"Phase {self.phase.name!r} names the parts {', '.join(unknown)}, which the network does not have; it "
                f"has {known}."
            )
        trainable = {value: value.requires_grad for value in self.module.parameters()}
        for part in self._frozen():
            part.requires_grad_(False)
        if not any(value.requires_grad for value in self.module.parameters()):
            raise ValueError(
                f"Phase {self.phase.name!r} has nothing to learn: the network has no parameters. Set its epochs to 0."
            )
        self.initialize()
        try:
            self.notify("on_train_begin", X=samples, y=None)
            self.fit_loop(samples, epochs=self.max_epochs - len(self.history))
        except StopTraining:
            pass
        except Diverged:
            raise
        except (FloatingPointError, ValueError, RuntimeError) as error:
            self._require_finite(cause=error)
            raise
        except KeyboardInterrupt as interrupt:
            if not _raised_by_early_stopping(interrupt):
                raise
        finally:
            for value, learns in trainable.items():
                value.requires_grad_(learns)
        self.notify("on_train_end", X=samples, y=None)
        self._require_finite()
        return self

    def _require_finite(self, cause=None):
        """Refuse weights that are no numbers, or with which nothing can be computed, whoever met them first."""
        broken = {name: value for name, value in self.module.named_parameters() if not (value.abs() < _MOST).all()}
        if broken:
            name, value = next(iter(broken.items()))
            what = f"larger than {_MOST:g}" if value.isfinite().all() else "NaN or infinite"
            raise Diverged(self._blame(f"Weights of the {name.split('.')[0]} became {what}")) from cause
        if isinstance(cause, FloatingPointError):
            raise Diverged(self._blame(f"Training met numbers that are none ({cause})")) from cause

    def _blame(self, what, term=None):
        """What happened, where, and what to change."""
        lrs = {self.phase.lr, *self.phase.part_lrs.values()}
        steps = ", ".join(f"{lr:g}" for lr in sorted(lrs, reverse=True))
        last = ", ".join(f"{name!r} {value:.3g}" for name, value in self.last_terms_.items())
        if term is None and self.last_terms_:
            term = max(self.last_terms_, key=lambda name: abs(self.last_terms_[name]))
        return (
            f"{what} in phase {self.phase.name!r}, epoch {len(self.history)}"
            f"{f', after costs of {last}' if last else ''}. Lower this phase's learning rate (now {steps})"
            f"{f' or the weight of {term!r}' if term else ''}, and check the scale of the input."
        )


class SharedTrainer(AccelerateMixin, Trainer):
    """A trainer whose batches are shared out among processes, through Accelerate.

    Parameters
    ----------
    module : SubspaceNetwork
    phase : Phase
        Of mini-batches.
    group : ProcessGroup
    **kwargs
        As for :class:`Trainer`.
    """

    def __init__(self, module, phase, group, **kwargs):
        from accelerate import Accelerator

        self.group = group
        accelerator = Accelerator(device_placement=False)
        if accelerator.mixed_precision != "no":
            raise ValueError(
                f"Self-expression needs float32, but Accelerate is set to {accelerator.mixed_precision}: launch with "
                "--mixed_precision no."
            )
        if any(isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) for layer in module.modules()):
            raise ValueError(
                "Batch norm would take the statistics of each process's own rows. Use a network without it, such as "
                "one with GroupNorm, or train in one process."
            )
        kwargs |= {"criterion": object, "iterator_train__group": group}  # DDP refuses modules without parameters.
        super().__init__(module, phase, accelerator=accelerator, **kwargs)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Sum of the phase's costs; parameters on which none of them depends get a gradient of 0, as DDP demands."""
        total = super().get_loss(y_pred, y_true, X=X, training=training)
        return total + 0 * sum(value.sum() for _, value in self.get_all_learnable_params())

    def train_phase(self, samples):
        """Run the phase; the network is the same in all processes after it, and not wrapped."""
        self.module.group = self.group
        try:
            return super().train_phase(samples)
        finally:
            self.module.group = None
            self._unwrap_accelerator()
            self.accelerator.free_memory()


def _multiplications(network, shape):
    """A bound on those of a batch: all rows with each other, kernels at all pixels, other weights with all rows."""
    n_rows = math.prod(shape[:-1] if len(shape) < 4 else shape[:1])
    n_pixels = math.prod((shape[0], *shape[2:]))
    weights = [value.shape for value in network.parameters() if value.dim() > 1]
    of_weights = sum(math.prod(weight) * (n_pixels if len(weight) > 2 else n_rows) for weight in weights)
    return shape[0] * math.prod(shape) + of_weights


def _raised_by_early_stopping(interrupt):
    """Whether skorch's EarlyStopping raised the interrupt, which is how it ends training, and not the user."""
    trace = interrupt.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code is EarlyStopping.on_epoch_end.__code__
