"""scikit-learn's own checks, every one, for every estimator as it comes; and its inner habits.

Training is short: the checks ask what an estimator takes, gives and leaves alone, which no epoch after the first ones
changes. Whole trainings are those of test_recovery.py and test_features.py.
"""

import importlib
import pickle
import re

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

import skdeepsc
from skdeepsc import PSSC, SSCOMP, AutoEncoder, Contrastive
from skdeepsc.deep import TrainedSolver
from tests.estimators import DEEP, ESTIMATORS, make_known

# Two features span their plane, and no other data tell three clusters of lines apart with two coefficients a sample.
CHECKED_WITH = {SSCOMP: {"normalization": "none", "residual_tol": 0.1}}
CHECKED_WITH |= {estimator: {"max_epochs": 5} for estimator in (AutoEncoder, Contrastive)}
SHORT = {"autoencoder__max_epochs": 5, "subspace_epochs": 2, "classifier_epochs": 5, "max_epochs": 2}
CHECKED_WITH |= dict.fromkeys(DEEP, SHORT)
CHECKED = [make_known(estimator, **CHECKED_WITH.get(estimator, {})) for estimator in ESTIMATORS]


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.filterwarnings("ignore:Scattering reads flat rows")
@pytest.mark.filterwarnings("ignore:The classifier is collapsing")  # On random numbers it may.
@parametrize_with_checks(CHECKED, xfail_strict=True)
def test_scikit_learn_check(estimator, check, few_first_epochs):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_parameters_are_documented_validated_and_cloned(estimator):
    params = estimator().get_params()
    assert set(params) == set(estimator._parameter_constraints)
    for name in params:
        assert f"    {name} : " in estimator.__doc__, name
    assert not re.search(r"(?<![_\\a-z]){[a-z_]+}(?!\$)", estimator.__doc__)
    assert clone(estimator()).get_params() == params


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_fitted_attributes_are_documented(estimator, images):
    fitted = make_known(estimator, n_clusters=3, max_epochs=1, autoencoder__max_epochs=1, views=["scattering"])
    fitted.fit(images[0])
    for name in vars(fitted):
        if name.endswith("_") and not name.startswith("_"):
            assert f"    {name} : " in estimator.__doc__, name


def test_bad_parameters_are_named():
    X = np.random.RandomState(0).normal(size=(20, 4))
    for params, message in (
        ({"n_clusters": 0}, "'n_clusters' parameter of PSSC must be an int in the range"),
        ({"solver": "lasso"}, "'solver' parameter of PSSC must be a str among"),
        ({"gamma_graph": -1.0}, "'gamma_graph' parameter"),
        ({"device": "abacus"}, "device='abacus' cannot be used"),
    ):
        with pytest.raises(ValueError, match=message):
            PSSC(**params).fit(X)
    with pytest.raises(ValueError, match=r"n_clusters=30 must not be larger .* n_samples = 20"):
        PSSC(30).fit(X)


def test_public_names_exist_and_are_all():
    for name in skdeepsc.__all__:
        assert getattr(skdeepsc, name) is not None
    assert set(skdeepsc.__all__) <= set(dir(skdeepsc))
    for module in skdeepsc._MODULES:
        module = importlib.import_module(f"skdeepsc.{module}")
        assert all(hasattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError, match="no attribute 'KMeans'"):
        skdeepsc.KMeans  # noqa: B018


def test_pickles_say_which_version_wrote_them(tmp_path, monkeypatch):
    for estimator in ESTIMATORS:
        assert "_skdeepsc_version" not in vars(pickle.loads(pickle.dumps(estimator())))
    pssc = PSSC(3, solver=TrainedSolver())
    monkeypatch.setattr(skdeepsc._params, "__version__", "0.0.1")
    joblib.dump(pssc, tmp_path / "pssc")
    old = pickle.dumps(pssc)
    assert b"0.0.1" in old
    monkeypatch.undo()
    for load in (lambda: pickle.loads(old), lambda: joblib.load(tmp_path / "pssc")):
        with pytest.warns(InconsistentVersionWarning, match=r"written by version 0\.0\.1 of skdeepsc") as told:
            assert load().n_clusters == 3
        assert {str(one.message).split()[3] for one in told} == {"PSSC", "TrainedSolver"}
        assert {one.filename for one in told} == {__file__}
    state = {name: value for name, value in pssc.__getstate__().items() if name != "_skdeepsc_version"}
    with pytest.warns(InconsistentVersionWarning, match="version unknown of skdeepsc"):
        PSSC().__setstate__(state)
    assert str(pickle.loads(pickle.dumps(told[0].message))) == str(told[0].message)
