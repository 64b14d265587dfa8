"""The auto-encoder that every deep subspace clusterer has, a transformer of its own."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from .._arrays import as_numbers
from .._base import Progress
from .._input import input_divisor, shape_of
from .._mapped import unchanged
from .._memory import way_out
from .._params import Positive, answers, call_given, estimator, fits
from .._random import seeded
from .._scale import restored
from .._version import __version__
from .._warn import warn_user
from ..losses import squared_error
from ..nn import ConvAutoEncoder, DenseAutoEncoder, ResidualAutoEncoder, SubspaceNetwork, checked_sizes
from ..training import Phase, epochs_of
from ..training.batches import in_blocks, n_batches, rows_for, to_device
from ..training.cache import NetworkFile, cache_folder
from ..training.callbacks import DeadAutoEncoder, RedrawIfDead
from ..training.construction import Construction
from ..training.digests import digest
from ..training.trainer import run_phase
from ._base import TakesBatches, TrainsNetwork

# Optimiser steps of `max_epochs="auto"`, and the most epochs it takes.
_AUTO_STEPS, _AUTO_EPOCHS = 1500, 200
# Draws of the initial weights before an auto-encoder that does not learn is accepted with a warning; the steps after
# which that is judged; the shortest training that is judged at all.
_MAX_DRAWS, _TRIAL_STEPS, _SHORT_STEPS = 5, 300, 100
# Rows, about evenly spaced, by which it is judged, and the share of the mean image's error above which it is dead.
_TEST_ROWS, _DEAD_ERROR = 20_000, 0.9
# Parameters that have become something else when a network is trained, by which it is kept.
_SETTLED = {"random_state", "image_shape", "input_scale", "max_epochs", "batch_size"}


@estimator
class AutoEncoder(TakesBatches, TrainsNetwork):
    """Features of an auto-encoder; what a deep subspace clusterer pre-trains.

    Minimises the sum of squared errors of the reconstructed samples with Adam. In front of a classic method it gives
    the papers' AE+SSC-type baselines: ``make_pipeline(AutoEncoder(), clusterer)``. A deep clusterer has one:
    ``PSSC(10, autoencoder=AutoEncoder(channels=(20, 10, 5)))``.

    Parameters
    ----------
    network : {None, "conv", "dense", "residual"}, torch Module or callable
        ``None``: convolutional for images, dense for flat rows. ``"residual"``: a convolution, then residual blocks
        (:class:`~skdeepsc.nn.ResidualAutoEncoder`). A module must have the sub-modules `encoder` and
        `decoder`; it is copied and starts from its own weights. A callable gets the shape of a sample and returns such
        a module.
    channels : sequence of int
        Filters of each convolutional layer; every layer halves height and width.
    kernel_sizes : sequence of int
        Odd filter sizes of the convolutional layers; one for all or one for each.
    hidden_sizes : sequence of int
        Widths of the dense encoder's layers; the last is the length of the code. The papers' network for large data is
        ``(500, 500, 2000, n_clusters)``.
    max_epochs
        ``"auto"``: as many as give 1500 optimiser steps, 200 at most. 0 leaves the random (or the user's) weights.
    input_scale : float or "auto"
        The samples are divided by it before the network and all costs see them. ``"auto"``: 255 for uint8 images, else
        the largest magnitude in the training data, so that the costs see values in [-1, 1] whatever the units of `X`. 1
        leaves the samples as they are.

    Attributes
    ----------
    input_scale_ : float
        What the samples are divided by.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import AutoEncoder
    >>> images = load_digits().images[:100]
    >>> AutoEncoder(max_epochs=2, random_state=0).fit_transform(images).shape
    (100, 240)
    """

    network: Literal["conv", "dense", "residual"] | torch.nn.Module | Callable[..., torch.nn.Module] | None = None
    channels: Sequence[int] = (15,)
    kernel_sizes: Sequence[int] = (3,)
    hidden_sizes: Sequence[int] = (64, 32)
    input_scale: Positive | Literal["auto"] = "auto"

    _was_given_rows = False

    @fits
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Train the auto-encoder.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples, see `image_shape` and `input_scale`.
        y : Ignored

        Returns
        -------
        self : AutoEncoder
        """
        samples = self._read(X)
        self._was_given_rows = len(shape_of(X)) == 2
        advised = way_out("Choose a smaller batch_size.")
        with unchanged(samples), self._keeping(samples), advised, Progress(self, 1, samples) as progress:
            self._train(samples, self._draw_seeds(1)[0], progress)
        return self

    @answers
    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """Samples decoded from codes.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_latent)

        Returns
        -------
        X : ndarray of shape (n_samples, ...), float32
            In the units of the training data; float64 where float32 cannot hold them. Flat rows, if `fit` was given
            such, whatever `image_shape`.
        """
        check_is_fitted(self)
        codes = as_numbers("Z", Z, dtype=np.float32)
        if codes.shape[1] != self._n_latent:
            raise ValueError(f"Z has {codes.shape[1]} features, but codes have {self._n_latent}.")
        decoded = self._decode(to_device(codes, "cpu"))
        return decoded.reshape(len(decoded), -1) if self._was_given_rows else decoded

    def _validate_params(self):
        super()._validate_params()
        for name in ("channels", "kernel_sizes", "hidden_sizes"):  # Also those that a network has no use for.
            checked_sizes(name, getattr(self, name), least=1)

    # The figure, the objective, and when a network has learnt hardly anything: what other features say anew

    def _heads(self, n_latent):
        """Parts of the network beside encoder and decoder, by name."""
        return {}

    def _costs(self, out):
        """Named costs of a batch."""
        return {"reconstruction": squared_error(out.x, out.x_auto)}

    def _is_dead(self, error, spread):
        """Whether a network has learnt hardly anything.

        By the squared error of the decoded codes, as a share of the mean image's, and the variance of the codes as a
        share of their mean square, divided by the same of the samples.
        """
        return error > _DEAD_ERROR

    # Training

    def _runs_foreign_code(self):
        return callable(self.network) or super()._runs_foreign_code()

    def _train(self, samples, seed, progress):
        """Train on checked samples, whose shape and device are set; a clusterer does this with its own progress."""
        self._check_callbacks()
        self._divisor = input_divisor(samples, self.input_scale, self._exponent)
        self.input_scale_ = float(restored(self._divisor, self._exponent))
        key = {"epochs": self._epochs(len(samples)), "batch_size": self._batch_size(len(samples))}
        kept = self._kept(samples, seed, key)
        with progress.task("pretrain", key["epochs"]) as context:
            arguments = samples, key, seed, self.device_, self, self._reporting(progress, context)
            network, training = pretrain(*arguments) if kept is None else _pretrain_once(kept, arguments)
        self.history_ = training["history"]
        if not training["has_learnt"]:
            warn_user(
                "Pre-training has learnt hardly anything: the codes are nearly the same for all samples, or rebuild "
                "them hardly better than the mean image would. Use more channels, more epochs or another step size in "
                "the auto-encoder.",
                ConvergenceWarning,
            )
        self.network_, self.n_iter_ = network.to(self.device_), len(self.history_)
        self._n_latent = self._encode(samples[:1]).shape[1]

    def _kept(self, samples, seed, key):
        """Where the trained network is kept; nowhere with a user's callbacks, of which is not known what they do."""
        folder = cache_folder(self.memory)
        if folder is None or self.callbacks:
            return None
        params = {name: value for name, value in self.get_params(deep=False).items() if name not in _SETTLED}
        own = {"shape": self.image_shape_, "divisor": self._divisor, "device": self.device_.split(":")[0]}
        versions = {"skdeepsc": __version__, "torch": torch.__version__}
        settled = {**key, **own, **versions, "seed": seed}
        return NetworkFile(folder, type(self).__name__, digest(samples, estimator=type(self)(**params), **settled))

    def _epochs(self, n_samples):
        if self.max_epochs != "auto":
            return self.max_epochs
        return min(_AUTO_EPOCHS, epochs_of(_AUTO_STEPS, n_samples, self._batch_size(n_samples)))

    def _batch_size(self, n_samples):
        return n_samples if self.batch_size == "all" else min(self.batch_size, n_samples)

    def _check_decoded(self, out):
        """Refuse a user's network whose decoder gives other shapes than samples have, which costs would broadcast."""
        is_users = isinstance(self.network, torch.nn.Module) or callable(self.network)
        if is_users and out.x_auto.shape != out.x.shape:
            wanted, found = tuple(out.x.shape[1:]), tuple(out.x_auto.shape[1:])
            raise ValueError(f"The decoder of network= must give samples of shape {wanted} back; it gives {found}.")

    def _build(self):
        """A new auto-encoder for samples of `image_shape_`."""
        network, shape = self.network, self.image_shape_
        if isinstance(network, torch.nn.Module):
            built = deepcopy(network)
        elif callable(network):
            built = call_given("network", network, f"the shape of a sample, here {shape}", shape)
        elif network == "dense" or (network is None and len(shape) == 1):
            built = DenseAutoEncoder(shape, self.hidden_sizes)
        elif len(shape) == 1:
            raise ValueError(
                f"network={network!r} needs images, but X has flat rows of {shape[0]} features: give image_shape, e.g. "
                "image_shape=(28, 28)."
            )
        else:
            kind = ResidualAutoEncoder if network == "residual" else ConvAutoEncoder
            built = kind(shape, self.channels, self.kernel_sizes)
        for part in ("encoder", "decoder"):
            if not isinstance(getattr(built, part, None), torch.nn.Module):
                raise TypeError(f"network must have a torch module {part!r}; got {type(built).__name__} without one.")
        return SubspaceNetwork(built.encoder, built.decoder, input_scale=self._divisor)


def _pretrain_once(kept, arguments):
    """What :func:`pretrain` returns, as it is kept, or trained, to the end, and kept from now on.

    Of several processes the first has the file; either all train, or all get what it finds there.
    """
    samples, key, seed, _, autoencoder, report = arguments
    group = report["group"]
    is_first = group is None or group.rank == 0
    build = partial(_untrained, samples, seed, autoencoder)
    found = kept.read(build) if is_first else None
    is_known = found is not None if group is None else group.agree(found is not None)
    if not is_known:
        found = pretrain(*arguments)
        if is_first and len(found[1]["history"]) == key["epochs"]:
            kept.write(*found, build)
    return found if group is None else group.agree(found)


def pretrain(samples, key, seed, device, autoencoder, report):
    """Train a network without self-expression; it depends on nothing but samples, key, seed and device.

    The initialisation is drawn again, at most four times, if after half of the training, 300 steps at most, the
    network has learnt hardly anything: ReLU auto-encoders with few channels can be born dead.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...)
    key : dict
        The numbers of ``epochs`` and of samples in a batch, ``batch_size``, and where the result is cached, all else
        that it depends on.
    seed : int
    device : device
    autoencoder : AutoEncoder
        Network, heads, costs, and what a dead network is; not part of the cache's key.
    report : dict
        Further arguments of :func:`~skdeepsc.training.trainer.run_phase`; they change nothing, unless a callback ends
        the phase.

    Returns
    -------
    network : SubspaceNetwork
        On the CPU.
    training : dict
        The `history`, a list of dict, whether the network `has_learnt` anything, and which `draw` of weights it was.
    """
    rows, epochs, batch_size = rows_for(samples, device), key["epochs"], key["batch_size"]
    n_steps = n_batches(len(samples), batch_size)
    is_dead = _never
    if n_steps * epochs >= _SHORT_STEPS:
        test_rows = rows[:: math.ceil(len(rows) / _TEST_ROWS)]
        is_dead = _DeathTest(test_rows, autoencoder)
    trial = min(math.ceil(_TRIAL_STEPS / n_steps), math.ceil(epochs / 2))
    for draw in range(_MAX_DRAWS):
        with seeded(seed + draw, device, shared=autoencoder._runs_foreign_code()):
            network = _constructed(autoencoder, rows[:2], device)
            last = draw == _MAX_DRAWS - 1 or isinstance(autoencoder.network, torch.nn.Module)
            redraw = () if last else (RedrawIfDead(is_dead, trial, report["group"]),)
            phase = Phase("pretrain", autoencoder._costs, epochs, autoencoder.lr, batch_size=batch_size)
            callbacks = [*report["callbacks"], *redraw]  # A dead network is told to all before it is given up.
            try:
                history = run_phase(phase, network.to(device), rows, **{**report, "callbacks": callbacks})
                break
            except DeadAutoEncoder:
                continue
    has_learnt = not (history and is_dead(network))
    return network.cpu(), {"history": history, "has_learnt": has_learnt, "draw": draw}


def _untrained(samples, seed, autoencoder, training):
    """A network on the CPU as it was before some training."""
    with seeded(seed + training["draw"], "cpu", shared=autoencoder._runs_foreign_code()):
        return _constructed(autoencoder, rows_for(samples[:2], "cpu")[:2], "cpu")


def _constructed(autoencoder, rows, device):
    """A network with all its parts, which some rows have passed."""
    with Construction():
        network = autoencoder._build().float().to(device)
    with torch.no_grad():
        first = network.eval()(rows)
    autoencoder._check_decoded(first)
    with Construction():
        for name, head in autoencoder._heads(first.z.shape[1]).items():
            setattr(network, name, head)
    return network


class _DeathTest:
    """Whether a network has learnt hardly anything, by its reconstructions and by its codes."""

    def __init__(self, rows, autoencoder):
        self.rows = rows
        self.autoencoder = autoencoder
        scaled = (block.to(torch.float32) / autoencoder._divisor for block in in_blocks(rows))
        self.variance, self.spread = _variance(block.flatten(1) for block in scaled)

    def __call__(self, network):
        if self.variance == 0:  # The samples are all the same.
            return False
        errors = []

        def codes():
            network.eval()
            for block in in_blocks(self.rows):
                out = network(block)
                errors.append(squared_error(out.x, out.x_auto).item())
                yield out.z

        with torch.inference_mode():
            _, spread = _variance(codes())
        return self.autoencoder._is_dead(sum(errors) / self.variance, spread / self.spread)


def _variance(blocks):
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
