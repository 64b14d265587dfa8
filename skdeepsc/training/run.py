"""Running the phases of an estimator: history, progress, devices, pre-training."""

import math
import warnings
from copy import deepcopy
from dataclasses import dataclass

import torch
from sklearn.exceptions import ConvergenceWarning

from .._random import seeded
from ..losses import squared_error
from ..nn import ConvAutoEncoder, DenseAutoEncoder, ResidualAutoEncoder, SubspaceNetwork
from .batches import as_rows
from .callbacks import DeadAutoEncoder, RedrawIfDead
from .phase import Phase
from .trainer import SharedTrainer, Trainer

# Draws of the initial weights before an auto-encoder that does not learn is accepted with a warning; the steps after
# which that is judged; the shortest training that is judged at all.
_MAX_DRAWS, _TRIAL_STEPS, _SHORT_STEPS = 5, 300, 100
# Rows, about evenly spaced, by which it is judged.
_TEST_ROWS = 20_000
# Share of the mean image's error above which it is.
_DEAD_ERROR = 0.9


class Progress:
    """What a fit tells the outside world: scikit-learn's callbacks, the user's skorch callbacks, verbosity.

    Parameters
    ----------
    estimator : estimator with callback support
    n_tasks : int
        How many tasks (phases and the segmentation) the fit will report.
    X : ndarray
        Training data.

    Attributes
    ----------
    stopped : bool
        Whether a callback asked at the end of a task to leave out the phases that follow.
    """

    def __init__(self, estimator, n_tasks, X):
        self.stopped = False
        self.estimator = estimator
        self.X = X
        self.root = estimator._init_callback_context(max_subtasks=n_tasks)
        self.root.call_on_fit_task_begin(estimator=estimator, X=X)

    def task(self, name, n_steps=0):
        """Begin a task of `n_steps` steps."""
        context = self.root.subcontext(task_name=name, max_subtasks=n_steps)
        context.call_on_fit_task_begin(estimator=self.estimator, X=self.X)
        return context

    def done(self, context):
        """End a task."""
        self.stopped |= context.call_on_fit_task_end(estimator=self.estimator, X=self.X)

    def end(self):
        """End the fit."""
        self.root.call_on_fit_task_end(estimator=self.estimator, X=self.X)


def run_phase(phase, network, samples, *, callbacks=(), device="cpu", verbose=0, group=None):
    """Train `network` in place for one phase and return its history, one dict an epoch.

    Parameters
    ----------
    phase : Phase
    network : SubspaceNetwork
    samples : tensor of shape (n_samples, ...) or Rows
        On `device`, or on the way to it.
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
    settings = {"callbacks": [*callbacks, *phase.callbacks], "device": str(device), "verbose": verbose}
    if group is not None and phase.blocks is None and phase.batch_size > 0:
        trainer = SharedTrainer(network, phase, group, **settings)
    else:
        trainer = Trainer(network, phase, **settings)
    trainer.train_phase(samples)
    return [_row(phase.name, entry) for entry in trainer.history if "train_loss" in entry]


def _row(phase, entry):
    recorded = {
        name: value for name, value in entry.items() if name not in ("batches", "dur", "epoch", "train_batch_count")
    }
    recorded = {name: value for name, value in recorded.items() if not name.endswith("_best")}
    return {"phase": phase, "epoch": entry["epoch"], **recorded, "seconds": entry.get("dur", math.nan)}


def build_autoencoder(image_shape, autoencoder=None, channels=(15,), kernel_sizes=(3,), hidden_sizes=(64, 32)):
    """A new auto-encoder for samples of `image_shape`.

    Parameters
    ----------
    image_shape : tuple of int
        ``(channels, height, width)``, or ``(n_features,)`` for flat rows.
    autoencoder : None, "conv", "dense", "residual", Module or callable, default=None
        ``None``: convolutional for images, dense for flat rows. A module with `encoder` and `decoder` is copied, its
        weights are kept. A callable gets `image_shape` and returns such a module.
    channels, kernel_sizes, hidden_sizes
        See :class:`~skdeepsc.nn.ConvAutoEncoder`, :class:`~skdeepsc.nn.ResidualAutoEncoder` and
        :class:`~skdeepsc.nn.DenseAutoEncoder`.

    Returns
    -------
    autoencoder : Module
    """
    if isinstance(autoencoder, torch.nn.Module):
        built = deepcopy(autoencoder)
    elif callable(autoencoder):
        built = autoencoder(image_shape)
    elif autoencoder == "dense" or (autoencoder is None and len(image_shape) == 1):
        built = DenseAutoEncoder(image_shape, hidden_sizes)
    elif len(image_shape) == 1:
        raise ValueError(
            f"autoencoder={autoencoder!r} needs images, but X has flat rows of {image_shape[0]} features: give "
            "image_shape, e.g. image_shape=(28, 28)."
        )
    else:
        network = ResidualAutoEncoder if autoencoder == "residual" else ConvAutoEncoder
        built = network(image_shape, channels, kernel_sizes)
    for part in ("encoder", "decoder"):
        if not isinstance(getattr(built, part, None), torch.nn.Module):
            raise TypeError(f"autoencoder must have a torch module {part!r}; got {type(built).__name__} without one.")
    return built


def content_key(autoencoder):
    """What tells one `autoencoder` parameter from another, for a cache: modules by their layers and weights."""
    if not isinstance(autoencoder, torch.nn.Module):
        return autoencoder
    return repr(autoencoder), {name: value.cpu().numpy() for name, value in autoencoder.state_dict().items()}


@dataclass(frozen=True)
class Reconstruction:
    """What pre-training minimises: the error of the decoded codes. Other objectives bring their own heads and costs."""

    def heads(self, n_latent):
        """Parts of the network beside encoder and decoder, by name."""
        return {}

    def costs(self, out):
        """Named costs of a batch."""
        return {"reconstruction": squared_error(out.x, out.x_auto)}

    def is_dead(self, error, spread):
        """Whether a network has learnt hardly anything.

        Parameters
        ----------
        error : float
            Squared error of the decoded codes, as a share of the mean image's.
        spread : float
            Variance of the codes as a share of their mean square, divided by the same of the samples.
        """
        return error > _DEAD_ERROR


def pretrain(
    samples, autoencoder, key, architecture, input_scale, objective, epochs, lr, batch_size, seed, device, report
):
    """Train a network without self-expression; it depends on nothing but the arguments, so that it can be cached.

    The initialisation is drawn again, at most four times, if after half of the training, 300 steps at most, the
    network has learnt hardly anything by its objective's `is_dead`: ReLU auto-encoders with few channels can be born
    dead.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...)
    autoencoder : None, str, Module or callable
        See :func:`build_autoencoder`.
    key : object
        :func:`content_key` of `autoencoder`, for the cache.
    architecture : dict
        Further arguments of :func:`build_autoencoder`.
    input_scale : float
    objective : Reconstruction or the like
        Heads, costs, and what a dead network is.
    epochs, lr, batch_size
        Of the phase.
    seed : int
    device : device
    report : dict
        ``callbacks``, ``verbose`` and ``group`` of :func:`run_phase`; they change nothing, unless a callback ends the
        phase.

    Returns
    -------
    network : SubspaceNetwork
        On the CPU.
    history : list of dict
    """
    tensor = as_rows(samples, device)
    n_steps = math.ceil(len(samples) / batch_size)
    is_dead = (
        _DeathTest(tensor[:: -(-len(tensor) // _TEST_ROWS)], input_scale, objective)
        if n_steps * epochs >= _SHORT_STEPS
        else _never
    )
    trial = min(math.ceil(_TRIAL_STEPS / n_steps), math.ceil(epochs / 2))
    for draw in range(_MAX_DRAWS):
        with seeded(seed + draw, device):
            built = build_autoencoder(autoencoder=autoencoder, **architecture)
            network = SubspaceNetwork(built.encoder, built.decoder, input_scale=input_scale).to(device)
            with torch.no_grad():
                n_latent = network.eval()(tensor[:2]).z.shape[1]
            for name, head in objective.heads(n_latent).items():
                setattr(network, name, head)
            last = draw == _MAX_DRAWS - 1 or isinstance(autoencoder, torch.nn.Module)
            phase = Phase(
                name="pretrain",
                costs=objective.costs,
                epochs=epochs,
                lr=lr,
                batch_size=batch_size,
                callbacks=() if last else (RedrawIfDead(is_dead, trial, report.get("group")),),
            )
            try:
                history = run_phase(phase, network.to(device), tensor, device=device, **report)
                break
            except DeadAutoEncoder:
                continue
    if history and is_dead(network):
        warnings.warn(
            "Pre-training has learnt hardly anything: the codes are nearly the same for all samples, or rebuild them "
            "hardly better than the mean image would. Use more channels, a larger pretrain_epochs or another "
            "pretrain_lr.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return network.cpu(), history


class _DeathTest:
    """Whether a network has learnt hardly anything, by its reconstructions and by its codes."""

    def __init__(self, tensor, input_scale, objective):
        self.tensor = tensor
        self.objective = objective
        scaled = (block.to(torch.float32) / input_scale for block in tensor.split(4096))
        self.variance, self.spread = _spread(block.flatten(1) for block in scaled)

    def __call__(self, network):
        if self.variance == 0:  # The samples are all the same.
            return False
        errors = []

        def codes():
            for block in self.tensor.split(4096):
                out = network(block)
                errors.append(squared_error(out.x, out.x_auto).item())
                yield out.z

        with torch.inference_mode():
            _, spread = _spread(codes())
        return self.objective.is_dead(sum(errors) / self.variance, spread / self.spread)


def _spread(blocks):
    """Summed squared deviation of rows from their mean, and the same as a share of their summed squares."""
    n_rows, shift, total, deviations, squares = 0, None, 0, 0.0, 0.0
    for block in blocks:
        shift = block[0] if shift is None else shift
        n_rows += len(block)
        total = total + (block - shift).sum(0)
        deviations += (block - shift).square().sum().item()
        squares += block.square().sum().item()
    variance = max(deviations - total.square().sum().item() / n_rows, 0.0)
    return variance, variance / squares if squares else 0.0


def _never(network):
    return False
