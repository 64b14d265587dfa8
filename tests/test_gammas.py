"""Ten times a gamma is another C and another score, of every deep method as it comes: what a user of a grid sees."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from skdeepsc import DSCSC, NCSC, PSSC, AutoEncoder, DSCNet
from skdeepsc.metrics import normalized_cut_scorer, silhouette_scorer
from skdeepsc.model_selection import TransductiveSplit
from skdeepsc.nn import RidgeExpression, gram_spectrum, ridge_coefficients, ridge_penalty
from tests.estimators import DEEP, make_known

# Graphs of features that are contrasted may fall into parts.
pytestmark = pytest.mark.filterwarnings("ignore:The affinity falls into")
VARIANTS = [(method, {}) for method in DEEP] + [(PSSC, {"variant": "paper", "max_epochs": 10})]
# Much shorter, they have learnt enough; views are not searched for.
SHORT = {
    "PSSC": {"max_epochs": 8},
    "DSCSC": {"max_epochs": 8, "autoencoder__max_epochs": 10, "autoencoder__batch_size": 20},
    "S2ConvSCN": {"classifier_epochs": 60},
    "NCSC": {"init": "head", "max_epochs": 30},
}
SHARED = {"n_clusters": 4, "augment": "digits", "random_state": 1}


@pytest.fixture(scope="module")
def images():
    """Images of four digits, and an auto-encoder of them."""
    digits = load_digits(n_class=4).images[:120]
    return digits, FrozenEstimator(AutoEncoder(max_epochs=100, random_state=0).fit(digits))


def coefficients(method, X):
    """C; of a method of batches that of all samples at once, or what it has in its place."""
    if hasattr(method, "coef_"):
        return method.coef_
    if hasattr(method, "bases_"):
        return method.bases_
    z = torch.from_numpy(method.transform(X)).double()
    return method.network_.expression(z).numpy()


@pytest.mark.parametrize(("method", "params"), VARIANTS)
def test_three_values_of_a_gamma_are_three_c_and_three_scores(images, method, params, request, shorten_heads, tmp_path):
    X, codes = images
    if method is NCSC:
        request.getfixturevalue("few_first_epochs")
        shorten_heads(30, 15)
    own = params or SHORT.get(method.__name__, {})
    estimator = make_known(method, **SHARED, **own)
    estimator.set_params(**({"memory": str(tmp_path)} if method is DSCSC else {"autoencoder": codes}))
    score = normalized_cut_scorer if hasattr(method, "recluster") else silhouette_scorer
    found = []

    def scorer(fitted, X, y=None):
        found.append(coefficients(fitted, X))
        return score(fitted, X)

    gammas = [name for name in estimator.get_params(deep=False) if name.startswith("gamma_")]
    weights = {name: 1.0 if getattr(estimator, name) == "auto" else getattr(estimator, name) for name in gammas}
    grid = [{}] + [{name: [0.1 * weight, 10 * weight]} for name, weight in weights.items()]
    search = GridSearchCV(estimator, grid, cv=TransductiveSplit(), scoring=scorer, refit=False, error_score="raise")
    plain, *scores = search.fit(X).cv_results_["mean_test_score"]
    base, *others = found
    for name, low, high, coef in zip(gammas, scores[::2], scores[1::2], others[1::2], strict=True):
        assert np.linalg.norm(coef - base) > 1e-3 * np.linalg.norm(base), name
        assert len({low, plain, high}) == 3, name


@pytest.mark.parametrize(
    "gammas", [{"gamma_coef": 5.0}, {"gamma_expression": 0.2}, {"gamma_coef": 2.5, "gamma_expression": 0.5}]
)
def test_c_minimises_its_two_terms_under_their_weights(images, gammas):
    """Five times the norm against the self-expression is five times the penalty."""
    X, codes = images
    shared = {"autoencoder": codes, "subspace_dim": 1, "random_state": 0}
    plain, weighted = (DSCNet(4, **shared, **weights).fit(X) for weights in ({}, gammas))
    features = RidgeExpression().normalize(torch.from_numpy(plain.embedding_).double())[0]
    lam = 5 * ridge_penalty(gram_spectrum(features), 4.0)
    np.testing.assert_allclose(weighted.coef_, ridge_coefficients(features, lam), atol=1e-6)
    for gamma in ("gamma_coef", "gamma_expression"):  # Weights of 0 leave C as it is.
        np.testing.assert_array_equal(DSCNet(4, **shared, **{gamma: 0}).fit(X).coef_, plain.coef_)
