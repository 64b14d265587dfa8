"""What all that train a network share: callbacks, processes, phases, and codes block by block."""

import os
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import partial
from os import PathLike
from typing import Annotated, Any, Literal

import joblib
import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback

from .._compat import CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from .._input import TakesImages, row_blocks
from .._params import Count, Epochs, Estimator, Positive, answers, estimator
from .._random import Randomized
from .._scale import restored
from .._threads import one_core_if_forked
from ..nn import answering
from ..training.batches import resolve_device, rows_at_once, to_device
from ..training.callbacks import EpochTasks
from ..training.checkpoints import is_kept, kept_in, recall
from ..training.digests import digest
from ..training.group import ProcessGroup


@estimator
class OnDevice(Estimator):
    """An estimator that computes on a device. It is pickled without it, and goes back there, or to what there is.

    Parameters
    ----------
    device : str
        Where to compute: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` takes CUDA if there is any.

    Attributes
    ----------
    device_ : str
        Device in use.
    """

    device: str | torch.device = "auto"

    def _settle(self):
        super()._settle()
        self.device_ = str(self._find_device())

    @contextmanager
    def _settings(self):
        """Torch's usual settings, too: gradients, no autocast, new tensors on the CPU, threads that are there."""
        with ExitStack() as stack:
            stack.enter_context(super()._settings())
            stack.enter_context(one_core_if_forked())
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            for kind in ("cpu", "cuda", "mps", "xpu"):
                if torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            yield

    def _find_device(self):
        return resolve_device(self.device)

    def __getstate__(self):
        state = super().__getstate__()
        if "network_" in state and not state["device_"].startswith("cpu"):
            state = {**state, "network_": deepcopy(state["network_"]).cpu()}
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if not hasattr(self, "device_"):
            return
        try:
            self.device_ = str(resolve_device(self.device_))
        except ValueError:
            self.device_ = str(resolve_device("auto"))
        if hasattr(self, "network_"):
            self.network_.to(self.device_)


@estimator
class TakesCallbacks(Estimator):
    """An estimator whose training can be watched and kept.

    Parameters
    ----------
    callbacks : list of skorch callbacks or None
        Called in every phase; ``net.phase.name`` tells which. EarlyStopping ends the phase it stops.
    memory : str, Path, joblib.Memory or None
        A folder in which trained auto-encoders are kept; of a ``joblib.Memory``, one within its own. A search over
        weights of later phases then trains one for each training set and integer `random_state`. The files are read
        without running anything of them, and stay until they are deleted.
    checkpoint : str, path-like or None
        A folder in which an unfinished fit is kept, its phases and, every half a minute, its epochs: another fit of the
        same samples under the same parameters goes on from there, and a fit that ends removes what it kept. One folder
        serves any number of estimators and processes. Inside another estimator's fit, its `checkpoint` counts.
    """

    callbacks: Sequence[Any] | None = None
    memory: Annotated[str | PathLike | joblib.Memory | None, str, PathLike, joblib.Memory, None] = None
    checkpoint: Annotated[str | PathLike | None, str, PathLike, None] = None

    @contextmanager
    def _keeping(self, samples):
        if self.checkpoint is None and not is_kept():
            yield
            return
        if not os.fspath("." if self.checkpoint is None else self.checkpoint):
            raise ValueError("checkpoint must be the path of a folder or None; got ''.")
        key = digest(
            samples, estimator=self, device=self.device_.split(":")[0], shape=self.image_shape_, units=self._exponent
        )
        with kept_in(self.checkpoint, type(self).__name__, key, self._group()):
            yield

    def _group(self):
        """The processes that train together; None where this one is alone."""
        return None

    def _draw_seeds(self, n_seeds):
        draw = partial(super()._draw_seeds, n_seeds)
        return draw() if self.random_state is not None else recall("seeds", draw)

    def _check_callbacks(self):
        for callback in self.callbacks or ():
            last = callback[1] if isinstance(callback, tuple) and len(callback) == 2 else callback
            if not (isinstance(last, Callback) or (isinstance(last, type) and issubclass(last, Callback))):
                raise TypeError(
                    f"callbacks must hold skorch callbacks, such as skorch.callbacks.EarlyStopping(); got {callback!r}."
                )
            if getattr(last, "on_train", True) is False:
                raise ValueError(
                    f"callbacks: {type(last).__name__} would score validation samples, and none are held out: set its "
                    "on_train=True."
                )


@estimator
class TransformsImages(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TakesImages):
    """A transformer of images, or of flat rows, to float32 features."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


@estimator
class TakesBatches(Estimator):
    """An estimator that trains on batches.

    Parameters
    ----------
    batch_size : int or "all"
        Samples in a batch, at most; a last one of a single sample joins the one before.
    """

    batch_size: Count | Literal["all"] = 50


@estimator
class TrainsNetwork(CallbackSupportMixin, OnDevice, TransformsImages, TakesCallbacks, Randomized):
    """An estimator that trains a network, phase by phase, and maps samples to its codes.

    Parameters
    ----------
    max_epochs : int or "auto"
        Epochs of training.
    lr : float
        Adam's step size in training.
    device
        ``"accelerate"``: in the processes of `accelerate launch`, which share out the rows of each batch; phases that
        take all samples at once run in each of them.
    verbose : int
        1 prints one line an epoch (skorch's table). For progress bars see ``set_callbacks`` and
        :class:`sklearn.callback.ProgressBar`.

    Attributes
    ----------
    network_ : SubspaceNetwork
        The trained encoder, decoder and heads; its `input_scale` is what the samples are divided by.
    history_ : list of dict
        One entry an epoch: ``phase``, ``epoch``, every cost under its name (weighted, a sum over the samples in units
        of the input scale), ``train_loss`` (their sum), ``seconds``.
    n_iter_ : int
        Epochs of all phases; of a clusterer, of those after the pre-training.
    """

    max_epochs: Epochs | Literal["auto"] = "auto"
    lr: Positive = 1e-3
    verbose: Annotated[int, "verbose"] = 0

    @answers
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Codes of samples, or what expresses them if that is not the codes.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples like those in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_latent), float32
        """
        check_is_fitted(self)
        return self._encode(self._read(X, reset=False))

    @answers
    def reconstruct(self, X: ArrayLike) -> np.ndarray:
        """Samples as the auto-encoder rebuilds them, decoded from their codes.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples like those in `fit`.

        Returns
        -------
        X_hat : ndarray of shape (n_samples, ...), float32
            In the units of `X`, in the shape in which the network sees it; float64 where float32 cannot hold them.
        """
        check_is_fitted(self)
        return self._decode(self._latent(self._read(X, reset=False)))

    @property
    def _n_features_out(self):
        return self._n_latent

    def _settle(self):
        super()._settle()
        self._check_callbacks()

    def _runs_foreign_code(self):
        """Whether code of others takes part in the training, which may draw from torch's generators."""
        return bool(self.callbacks) or callable(getattr(self, "augment", None))

    # Processes that train together

    def _find_device(self):
        return ProcessGroup().device if self.device == "accelerate" else super()._find_device()

    def _group(self):
        """The processes that train together; None where this one is alone."""
        group = ProcessGroup() if self.device == "accelerate" else None
        return group if group is not None and group.size > 1 else None

    def _draw_seeds(self, n_seeds):
        """Seeds of the independent parts of a fit, the same in all processes that train together."""
        seeds, group = super()._draw_seeds(n_seeds), self._group()
        return seeds if group is None else group.agree(seeds)

    # Phases

    def _reporting(self, progress, context):
        """How a phase tells what it does, and where it runs."""
        return {
            "callbacks": [*(self.callbacks or ()), EpochTasks(progress, context)],
            "device": self.device_,
            "verbose": self.verbose,
            "group": self._group(),
        }

    # Codes

    def _encode(self, samples):
        """Codes of checked samples, float32."""
        codes = torch.cat([codes.cpu() for codes in self._code_blocks(samples)])
        if not codes.isfinite().all():
            raise FloatingPointError(
                "The codes of some samples are NaN or infinite: their values are too far from those that the network "
                "has learnt from, or it has weights that are no numbers."
            )
        return codes.numpy()

    def _code_blocks(self, samples):
        """Codes of checked samples as tensors on the device, one block after the other."""
        for out in self._outputs(samples):
            with answering():
                codes = out.features
            yield codes

    def _outputs(self, samples):
        network = self.network_.eval()
        for block in row_blocks(len(samples), rows_at_once(samples.shape[1:])):
            with answering():
                out = network(to_device(samples[block], self.device_))
            yield out

    def _latent(self, samples):
        """What the decoder takes, the encoder's codes of samples, as a tensor on the CPU."""
        with answering():
            return torch.cat([out.z.cpu() for out in self._outputs(samples)])

    def _decode(self, z):
        """Samples in their own units, from codes, block by block."""
        decoder, scale = self.network_.eval().decoder, self.network_.input_scale
        with answering():
            X = torch.cat([(decoder(block.to(self.device_)) * scale).cpu() for block in z.split(1024)]).numpy()
        return restored(X, self._exponent)
