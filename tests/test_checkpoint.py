"""A fit that was interrupted goes on where it stopped, and ends as if nothing had happened."""

import numpy as np
import pytest
from skorch.callbacks import Callback

from skdeepsc import DSCSC, EDESC, KSCN, NCSC, PSSC, AutoEncoder, Contrastive, DSCNet, S2ConvSCN, SubspaceClustering
from skdeepsc.deep import TrainedSolver
from skdeepsc.training import checkpoints

AUTOENCODER = AutoEncoder(channels=(4,), max_epochs=3, batch_size=20)
SHORT = {"n_clusters": 3, "autoencoder": AUTOENCODER, "random_state": 0}
TRAINED = TrainedSolver(epochs=3)
# Fits with every kind of phase.
FITS = {
    "AutoEncoder": (AutoEncoder, {"channels": (4,), "max_epochs": 4, "random_state": 0}),
    "Contrastive": (Contrastive, {"channels": (4,), "max_epochs": 4, "random_state": 0}),
    "DSCNet": (DSCNet, {**SHORT, "solver": TRAINED, "max_epochs": 3}),
    "S2ConvSCN": (
        S2ConvSCN,
        {**SHORT, "max_epochs": 5, "dscnet_epochs": 2, "classifier_epochs": 3, "segment_every": 2},
    ),
    "PSSC": (PSSC, {**SHORT, "max_epochs": 3, "solver": TRAINED}),
    "PSSC, paper": (PSSC, {**SHORT, "variant": "paper", "max_epochs": 3}),
    "DSCSC": (DSCSC, {**SHORT, "max_epochs": 3}),
    "NCSC": (NCSC, {**SHORT, "batch_size": 20, "subspace_epochs": 2, "classifier_epochs": 2, "max_epochs": 3}),
    "KSCN": (KSCN, {**SHORT, "max_epochs": 3, "batch_size": 20}),
    "EDESC": (EDESC, {**SHORT, "max_epochs": 3, "batch_size": 20}),
    "SubspaceClustering": (
        SubspaceClustering,
        {"n_clusters": 3, "views": ["pixels", "autoencoder"], "random_state": 0},
    ),
}


class InterruptAt(Callback):
    """Ctrl-C in the course of an epoch of a phase, each counted from 0 over a whole fit."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.seen = []

    def on_batch_end(self, net, **kwargs):
        place = net.phase.name, len(net.history)
        if place not in self.seen[-1:]:
            self.seen.append(place)
            if len(self.seen) > self.epoch:
                raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _written_after_every_epoch(monkeypatch):
    monkeypatch.setattr(checkpoints, "INTERVAL", 0.0)
    monkeypatch.setattr(checkpoints, "_MOST_WRITING", 1e9)


@pytest.fixture(autouse=True)
def _short_phases(monkeypatch):
    monkeypatch.setattr("skdeepsc.features._autoencoder._AUTO_EPOCHS", 3)
    monkeypatch.setattr("skdeepsc.deep._first_labels._EPOCHS", (2, 4))


def state_of(fitted):
    """All that was learnt, but for times."""
    rows = [{name: value for name, value in row.items() if "seconds" not in name} for row in history_of(fitted)]
    own = fitted.views_["autoencoder"] if hasattr(fitted, "views_") else fitted
    arrays = [value.numpy() for value in own.network_.state_dict().values()]
    names = ("labels_", "coef_", "embedding_", "bases_", "collaboration_weight_", "subspace_dim_", "augment_scores_")
    names = (*names, "cost_weights_")
    found = [getattr(fitted, name) for name in names if hasattr(fitted, name)]
    return rows, arrays + [list(value.values()) if isinstance(value, dict) else value for value in found]


def history_of(fitted):
    return fitted.views_["autoencoder"].history_ if hasattr(fitted, "views_") else fitted.history_


def assert_equal(fitted, expected):
    rows, arrays = state_of(fitted)
    expected_rows, expected_arrays = state_of(expected)
    assert rows == expected_rows
    assert len(arrays) == len(expected_arrays)
    for one, other in zip(arrays, expected_arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def interrupted(kind, params, X, folder, epoch):
    """Where a fit was interrupted; None if it was over before."""
    interrupt = InterruptAt(epoch)
    fit = kind(**params, callbacks=[interrupt], checkpoint=folder)
    try:
        fit.fit(X)
    except KeyboardInterrupt:
        return interrupt.seen[-1]
    return None


@pytest.mark.parametrize("name", FITS)
def test_an_interrupted_fit_goes_on_bit_for_bit(images, tmp_path, name):
    kind, params = FITS[name]
    X, _ = images
    whole = kind(**params).fit(X)
    n_epochs = len(history_of(whole))
    for epoch in (1, n_epochs // 2, n_epochs - 1):
        assert interrupted(kind, params, X, tmp_path, epoch)
        assert list(tmp_path.iterdir())
        assert_equal(kind(**params, checkpoint=tmp_path).fit(X), whole)
        assert not list(tmp_path.iterdir())
