"""What an estimator answers as a model for other programs, ONNX."""

import warnings
from collections.abc import Sequence
from copy import deepcopy
from os import PathLike
from typing import Any, Literal, get_args

import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._container import replacing
from .._params import as_fitted, checked
from .._version import __version__
from ..deep._classifier import HasClassifier
from ..features._base import TrainsNetwork
from ..nn import ExpressionHead

Method = Literal["transform", "predict_proba", "predict"]
_METHODS: tuple[Method, ...] = get_args(Method)


@checked
def export_onnx(
    estimator: Any,
    path: str | PathLike,
    *,
    methods: Sequence[Method] | None = None,
) -> None:
    """Write what a fitted estimator answers about new samples as an ONNX model.

    The model takes ``X``, float32 of shape (n_samples, ``*image_shape_``) with any number of samples, in the units of
    the training data: the input scale is part of it. uint8 images are given as float32 of the same values. Its outputs
    have the names of the methods: ``transform`` (float32), ``predict_proba`` (float64), ``predict`` (int64). Codes
    and convolutional classifiers compute in float32, other classifiers in float64 as in this package.

    Parameters
    ----------
    estimator : estimator
        Fitted. NCSC, KSCN, EDESC, and S2ConvSCN by its classifier, have all three outputs; the auto-encoders, DSCNet
        and DSCSC have their codes. A network of your own is exported as well, if torch can.
    path : str or path-like
        Where to; a file that is there is replaced when the model is complete.
    methods : sequence of {"transform", "predict_proba", "predict"} or None, default=None
        The outputs; ``None``: all that the estimator can give.

    Raises
    ------
    ValueError
        If the estimator cannot answer so without its training samples, as where neighbours label new rows, or if the
        head of PSSC makes the features, which takes convolutions in float64.
    ImportError
        Without the packages of ``pip install "skdeepsc[onnx]"``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import KSCN, AutoEncoder, export_onnx
    >>> images = load_digits(n_class=3).images
    >>> kscn = KSCN(3, autoencoder=AutoEncoder(max_epochs=10), random_state=0).fit(images[:200])
    >>> export_onnx(kscn, "kscn.onnx")  # doctest: +SKIP
    >>> import onnxruntime  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("kscn.onnx")  # doctest: +SKIP
    >>> session.run(["predict"], {"X": images[:5, None].astype("float32")})  # doctest: +SKIP
    """
    if not isinstance(estimator, TrainsNetwork):
        raise TypeError(f"export_onnx takes estimators with a trained network; got {type(estimator).__name__}.")
    check_is_fitted(estimator)
    estimator = as_fitted(estimator)
    reasons = {method: _why_not(estimator, method) for method in _METHODS}
    if methods is None:
        methods = [method for method in _METHODS if reasons[method] is None]
    unknown = sorted(set(methods) - set(_METHODS))
    if unknown or not methods:
        raise ValueError(f"methods must be among {', '.join(_METHODS)}; got {methods!r}. {reasons['transform'] or ''}")
    for method in methods:
        if reasons[method] is not None:
            raise ValueError(f"{method} of this {type(estimator).__name__} cannot be exported: {reasons[method]}")
    _require_packages()
    network = deepcopy(estimator.network_).cpu()
    network.input_scale *= 2.0**estimator._exponent  # The estimator divides by it before the network does.
    model = _Answers(network, getattr(estimator, "_classes", None), tuple(methods)).eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own inner habits.
        program: Any = torch.onnx.export(
            model,
            (torch.zeros(2, *estimator.image_shape_),),
            dynamo=True,
            dynamic_shapes={"x": {0: torch.export.Dim("n_samples")}},
            input_names=["X"],
            output_names=list(methods),
            verbose=False,
        )
    program.model.producer_name, program.model.producer_version = "skdeepsc", __version__
    program.model.doc_string = f"{type(estimator).__name__}: {', '.join(methods)}"
    with replacing(path) as draft:
        program.save(draft, external_data=False)


class _Answers(nn.Module):
    """From samples to what the methods of an estimator say of them.

    Parameters
    ----------
    network : SubspaceNetwork
    classes : ndarray or None
        Outputs of the classifier that are clusters, in their order.
    methods : tuple of str
    """

    def __init__(self, network, classes, methods):
        super().__init__()
        self.network = network
        self.methods = methods
        if methods != ("transform",):
            self.classes = classes.tolist()
            # Runtimes have no convolutions in float64.
            is_conv = any(isinstance(layer, nn.Conv2d) for layer in network.classifier.modules())
            self.dtype = torch.float32 if is_conv else torch.float64
            network.classifier.to(self.dtype)

    def forward(self, x):
        """Answers in the order of the methods."""
        out = self.network(x)
        answers = []
        for method in self.methods:
            if method == "transform":
                answers.append(out.features)
            else:
                logits = self.network.classifier(out.z.to(self.dtype))[:, self.classes].double()
                answers.append(logits.softmax(1) if method == "predict_proba" else logits.argmax(1))
        return tuple(answers)


def _why_not(estimator, method):
    """Why a method cannot be exported, or None."""
    if method == "transform":
        if isinstance(estimator.network_.features, ExpressionHead):
            return "the head on the codes needs convolutions in float64, which ONNX runtimes do not have."
        return None
    if not hasattr(estimator, method):
        return "it has no such method."
    if not isinstance(estimator, HasClassifier) or not getattr(estimator, "_classifies", lambda: True)():
        return "its training samples label new ones, not a classifier."
    return None


def _require_packages():
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Models are exported with onnx and onnxscript, and {error.name} is not installed: pip install "
            '"skdeepsc[onnx]".'
        ) from error
