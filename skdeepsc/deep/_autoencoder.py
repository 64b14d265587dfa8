"""Auto-encoder features as a scikit-learn transformer, and the parameters that every deep estimator shares."""

from dataclasses import dataclass
from numbers import Integral, Real
from pickle import PicklingError

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, check_memory

from .._compat import CallbackSupportMixin, HasMethods, Interval, StrOptions, fit_context
from .._device import DeviceMixin, resolve_device, to_device
from .._docs import shared_parameters
from .._input import as_samples, input_divisor
from .._random import draw_seeds
from ..training.callbacks import EpochTasks
from ..training.group import ProcessGroup
from ..training.run import Progress, Reconstruction, content_key, pretrain, run_phase

# Optimiser steps of `pretrain_epochs="auto"`, and the most epochs it takes.
_AUTO_STEPS, _AUTO_EPOCHS = 1500, 200
# Values in a block of samples that is encoded at once.
_BLOCK_VALUES = 2**22


@dataclass(repr=False, eq=False, kw_only=True)
class BaseAutoEncoding(
    DeviceMixin, CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """An estimator that pre-trains an auto-encoder and maps samples to its codes."""

    image_shape: tuple | None = None
    input_scale: float | str = "auto"
    autoencoder: object = None
    channels: tuple = (15,)
    kernel_sizes: tuple = (3,)
    hidden_sizes: tuple = (64, 32)
    pretrain_epochs: int | str = "auto"
    pretrain_lr: float = 1e-3
    pretrain_batch_size: int = 50
    callbacks: list | None = None
    memory: object = None
    device: str = "auto"
    verbose: int = 0
    random_state: object = None

    _parameter_constraints = {
        "image_shape": [tuple, list, None],
        "input_scale": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "autoencoder": [StrOptions({"conv", "dense", "residual"}), torch.nn.Module, callable, None],
        "channels": [tuple, list],
        "kernel_sizes": [tuple, list],
        "hidden_sizes": [tuple, list],
        "pretrain_epochs": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "pretrain_lr": [Interval(Real, 0, None, closed="neither")],
        "pretrain_batch_size": [StrOptions({"all"}), Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "memory": [str, HasMethods("cache"), None],
        "device": [str, torch.device],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def transform(self, X):
        """Codes of samples.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples like those in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_latent), float32
        """
        check_is_fitted(self)
        return self._encode(as_samples(self, X, reset=False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.input_tags.three_d_array = True
        return tags

    @property
    def _n_features_out(self):
        return self._n_latent

    def _read(self, X):
        """Check the training data and set what follows from it alone."""
        samples = as_samples(self, X, image_shape=self.image_shape, reset=True)
        self.image_shape_ = samples.shape[1:]
        self.input_scale_ = input_divisor(samples, self.input_scale)
        self.device_ = str(ProcessGroup().device if self.device == "accelerate" else resolve_device(self.device))
        return samples

    def _seeds(self, n_seeds):
        """Seeds of the independent parts of a fit, the same in all processes that train together."""
        seeds, group = draw_seeds(self.random_state, n_seeds), self._group()
        return seeds if group is None else group.agree(seeds)

    def _group(self):
        """The processes that train together; None where this one is alone."""
        group = ProcessGroup() if self.device == "accelerate" else None
        return group if group is not None and group.size > 1 else None

    def _pretrain_epochs(self, n_samples):
        if self.pretrain_epochs != "auto":
            return self.pretrain_epochs
        return min(_AUTO_EPOCHS, -(-_AUTO_STEPS // -(-n_samples // self._batch_rows(n_samples))))

    def _batch_rows(self, n_samples):
        return n_samples if self.pretrain_batch_size == "all" else min(self.pretrain_batch_size, n_samples)

    def _pretraining(self):
        """What pre-training minimises."""
        return Reconstruction()

    def _pretrain(self, samples, seed, progress):
        """The pre-trained network, from the cache if `memory` has it, and its history."""
        epochs = self._pretrain_epochs(len(samples))
        context = progress.task("pretrain", epochs)
        # What a user's callback does to the training is not known, so that its result is not kept.
        memory = check_memory(self.memory if not self.callbacks else None)
        arguments = (
            samples,
            self.autoencoder,
            content_key(self.autoencoder),
            {
                "image_shape": self.image_shape_,
                "channels": tuple(self.channels),
                "kernel_sizes": tuple(self.kernel_sizes),
                "hidden_sizes": tuple(self.hidden_sizes),
            },
            self.input_scale_,
            self._pretraining(),
            epochs,
            self.pretrain_lr,
            self._batch_rows(len(samples)),
            seed,
            self.device_,
            {
                "callbacks": [*(self.callbacks or ()), EpochTasks(self, context, samples)],
                "verbose": self.verbose,
                "group": self._group(),
            },
        )
        try:
            network, history = _cached_pretrain(memory, arguments, epochs)
        except PicklingError as error:
            raise ValueError(
                "memory= cannot tell one lambda or local function from another: give a module, or a function that can "
                "be imported."
            ) from error
        progress.done(context)
        return network.to(self.device_), history

    def _run(self, phase, rows, progress):
        """Run one phase, unless a callback has ended the training, and keep its history."""
        if progress.stopped or not phase.epochs:
            return
        context = progress.task(phase.name, phase.epochs)
        callbacks = [*(self.callbacks or ()), EpochTasks(self, context, progress.X)]
        history = run_phase(
            phase,
            self.network_,
            rows,
            callbacks=callbacks,
            device=self.device_,
            verbose=self.verbose,
            group=self._group(),
        )
        self.history_ += history
        self.n_iter_ += len(history)
        progress.done(context)

    def _encode(self, samples):
        """Codes of checked samples (what expresses them, if that is not the codes), block by block, float32."""
        return torch.cat([codes.cpu() for codes in self._code_blocks(samples)]).numpy()

    def _code_blocks(self, samples):
        """Codes of checked samples as tensors on the device, one block after the other."""
        block = max(1, _BLOCK_VALUES // samples[0].size)
        network = self.network_.eval()
        for start in range(0, len(samples), block):
            with torch.inference_mode():
                codes = network(to_device(samples[start : start + block], self.device_)).features
            yield codes


def _cached_pretrain(memory, arguments, epochs):
    """Network and history of :func:`~skdeepsc.training.run.pretrain`, from the cache, or trained to the end and kept.

    Of several processes the first has the cache; either all train, or all get what it finds there.
    """
    cached, group = memory.cache(pretrain, ignore=["autoencoder", "report"]), arguments[-1]["group"]
    if group is not None:
        is_known = group.agree(group.rank == 0 and cached.check_call_in_cache(*arguments))
        if group.rank:
            found = None if is_known else pretrain(*arguments)
            return group.agree(found)
    result = cached.call_and_shelve(*arguments)
    found = result.get()
    if len(found[1]) < epochs:
        result.clear()
    return found if group is None else group.agree(found)


@shared_parameters
class AutoEncoder(BaseAutoEncoding):
    """Features of an auto-encoder, the pre-training of the deep subspace clusterers as a transformer of its own.

    Minimises the sum of squared errors of the reconstructed samples with Adam. In front of a classic method it gives
    the papers' AE+SSC-type baselines: ``make_pipeline(AutoEncoder(), clusterer)``.

    Parameters
    ----------
    {autoencoder_parameters}

    Attributes
    ----------
    network_ : SubspaceNetwork
        The trained encoder and decoder.
    history_ : list of dict
        One entry an epoch: ``phase``, ``epoch``, ``reconstruction`` (sum of squared errors over all samples in units of
        `input_scale_`), ``train_loss`` (the same), ``seconds``.
    n_iter_ : int
        Number of epochs.
    {data_attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import AutoEncoder
    >>> images = load_digits().images[:100]
    >>> AutoEncoder(pretrain_epochs=2, random_state=0).fit_transform(images).shape
    (100, 240)
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
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
        progress = Progress(self, 1, samples)
        self.network_, self.history_ = self._pretrain(samples, *self._seeds(1), progress)
        self.n_iter_ = len(self.history_)
        self._n_latent = self._encode(samples[:1]).shape[1]
        progress.end()
        return self

    def inverse_transform(self, Z):
        """Samples decoded from codes.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_latent)

        Returns
        -------
        X : ndarray of shape (n_samples, ...), float32
            In the units of the training data.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float32)
        if Z.shape[1] != self._n_latent:
            raise ValueError(f"Z has {Z.shape[1]} features, but codes have {self._n_latent}.")
        Z = to_device(Z, self.device_)
        with torch.inference_mode():
            return (self.network_.eval().decoder(Z) * self.network_.input_scale).cpu().numpy()
