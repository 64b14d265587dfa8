"""Models in ONNX answer as the estimators do, for any number of samples, in the units of the training data."""

import sys

import numpy as np
import pytest
import torch

from skdeepsc import DSCSC, EDESC, KSCN, NCSC, PSSC, SSC, AutoEncoder, DSCNet, S2ConvSCN, export_onnx
from tests.test_skeleton import quick

pytestmark = pytest.mark.filterwarnings("ignore:The classifier is collapsing")


@pytest.fixture
def runtime():
    for name in ("onnx", "onnxscript", "onnxruntime"):
        runtime = pytest.importorskip(name, reason=f"{name} is not installed: exported models are not tested here")
    return runtime


def answers_of(runtime, path, X):
    session = runtime.InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


@pytest.mark.parametrize("method", [NCSC, S2ConvSCN, KSCN, EDESC])
def test_a_model_answers_as_its_estimator(runtime, images, tmp_path, method):
    X = (255 * images[0]).astype(np.uint8)
    fitted = quick(method, n_neighbors=1).fit(X[:40])
    state, mode = torch.get_rng_state(), [part.training for part in fitted.network_.modules()]
    weights = {name: weight.clone() for name, weight in fitted.network_.state_dict().items()}
    export_onnx(fitted, tmp_path / "model.onnx")
    assert torch.equal(state, torch.get_rng_state())
    assert mode == [part.training for part in fitted.network_.modules()]
    assert all(torch.equal(weight, weights[name]) for name, weight in fitted.network_.state_dict().items())
    for rows in (X, X[:1]):
        said = answers_of(runtime, tmp_path / "model.onnx", rows[:, None].astype(np.float32))
        assert list(said) == ["transform", "predict_proba", "predict"]
        np.testing.assert_allclose(said["transform"], fitted.transform(rows), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(said["predict_proba"], fitted.predict_proba(rows), atol=1e-5)
        np.testing.assert_array_equal(said["predict"], fitted.predict(rows))
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_parameters_that_changed_after_the_fit_change_no_model(images, tmp_path):
    fitted = quick(S2ConvSCN, predict_by="neighbors").fit(images[0]).set_params(predict_by="classifier")
    with pytest.raises(ValueError, match="its training samples label new ones, not a classifier"):
        export_onnx(fitted, tmp_path / "model.onnx", methods=["predict"])


def test_codes_of_others_are_exported(runtime, images, tmp_path):
    X = images[0].reshape(60, -1)
    for fitted in (
        AutoEncoder(max_epochs=1, random_state=0).fit(X),
        quick(DSCSC, image_shape=(8, 8), augment="digits").fit(X),
    ):
        export_onnx(fitted, tmp_path / "codes.onnx")
        said = answers_of(runtime, tmp_path / "codes.onnx", X.reshape(60, *fitted.image_shape_))
        assert list(said) == ["transform"]
        np.testing.assert_allclose(said["transform"], fitted.transform(X), rtol=1e-5, atol=1e-6)


def test_what_needs_the_training_samples_is_refused(images, tmp_path):
    X, _ = images
    fitted = quick(S2ConvSCN, predict_by="neighbors").fit(X)
    for estimator, methods, message in (
        (fitted, ["predict"], "its training samples label new ones"),
        (quick(DSCNet).fit(X), ["predict_proba"], "its training samples label new ones"),
        (quick(PSSC).fit(X), ["transform"], "float64, which ONNX runtimes do not have"),
        (quick(PSSC).fit(X), None, "float64, which ONNX runtimes do not have"),
        (fitted, ["fit"], "must be among"),
    ):
        with pytest.raises(ValueError, match=message):
            export_onnx(estimator, tmp_path / "model.onnx", methods=methods)
    with pytest.raises(TypeError, match="a trained network; got SSC"):
        export_onnx(SSC(3), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_named(images, monkeypatch, tmp_path):
    fitted = AutoEncoder(max_epochs=0).fit(images[0])
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install .skdeepsc\[onnx\]"):
        export_onnx(fitted, tmp_path / "model.onnx")
