"""Callbacks of skorch: those that work in every training, and those that are refused."""

import json
from unittest.mock import MagicMock

import numpy as np
import pytest
from skorch.callbacks import (
    BatchScoring,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LRScheduler,
    MlflowLogger,
    PrintLog,
    ProgressBar,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
    WandbLogger,
)
from torch.nn.init import ones_

import skdeepsc
from skdeepsc import AutoEncoder, DSCNet
from tests.estimators import DEEP, make_known

SHORT = {"n_clusters": 3, "autoencoder__max_epochs": 2, "max_epochs": 2, "augment": None, "random_state": 0}
SHORT |= {"subspace_epochs": 1, "classifier_epochs": 1, "n_nonzero_coefs": 4, "views": ["autoencoder"]}
TRAINED = [AutoEncoder, skdeepsc.Contrastive, *DEEP, skdeepsc.SubspaceClustering]

pytestmark = [
    pytest.mark.filterwarnings("ignore:The classifier is collapsing"),
    pytest.mark.filterwarnings("ignore:Pre-training has learnt hardly anything"),
]


def half(net, X, y):
    return 0.5


def nothing(*args):
    pass


@pytest.mark.parametrize("estimator", TRAINED)
def test_every_training_takes_them(estimator, images, tmp_path):
    writer, run = MagicMock(), MagicMock()
    watching = [PrintLog(sink=nothing), EpochTimer(), ("bar", ProgressBar(detect_notebook=False))]
    logging = [TensorBoard(writer), WandbLogger(run, save_model=False), SacredLogger(run), MlflowLogger(run, run)]
    scoring = [EpochScoring(half, name="each", on_train=True), BatchScoring(half, name="mean", on_train=True)]
    names = "{net.phase.name}.pt"
    best = Checkpoint("train_loss_best", names, dirname=tmp_path / "best", load_best=True)
    keeping = [best, TrainEndCheckpoint(dirname=tmp_path / "end"), EarlyStopping("train_loss", load_best=True)]
    learning = [LRScheduler("StepLR", step_size=1), GradientNormClipping(1.0), Initializer("none", fn=ones_)]
    callbacks = [*watching, *logging, *scoring, *keeping, *learning, Freezer("none"), Unfreezer("none")]
    fitted = make_known(estimator, **SHORT, callbacks=callbacks).fit(images[0][:60])
    rows = getattr(fitted, "history_", [])  # SubspaceClustering has none.
    assert all(row["each"] == row["mean"] == 0.5 for row in rows)
    assert all((tmp_path / "best" / f"{row['phase']}.pt").exists() for row in rows)
    assert writer.add_scalar.called
    assert run.log.called


@pytest.mark.parametrize("load_best", [False, True])
def test_the_best_epoch_is_kept_and_taken(images, tmp_path, load_best):
    keep = Checkpoint("train_loss_best", dirname=tmp_path, load_best=load_best)
    schedule = LRScheduler("LambdaLR", lr_lambda=lambda epoch: 10.0**epoch)  # In the end it gets worse.
    fitted = AutoEncoder(max_epochs=6, random_state=0, callbacks=[schedule, keep]).fit(images[0][:60])
    n_best = 1 + np.argmin([row["train_loss"] for row in json.loads((tmp_path / "history.json").read_text())])
    assert n_best < 6
    best = AutoEncoder(max_epochs=int(n_best), random_state=0, callbacks=[schedule]).fit(images[0][:60])
    same = (fitted.transform(images[0][:60]) == best.transform(images[0][:60])).all()
    assert same == load_best
    assert {path.name for path in tmp_path.iterdir()} == {"params.pt", "optimizer.pt", "criterion.pt", "history.json"}


@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        (Checkpoint(), "callbacks: Checkpoint cannot work in phase 'pretrain': .*valid_loss_best.*'train_loss_best'"),
        (EarlyStopping(), "callbacks: EarlyStopping cannot work in phase 'pretrain': .*valid_loss"),
        (LRScheduler("ReduceLROnPlateau", monitor="valid_loss"), "callbacks: LRScheduler cannot work .*valid_loss"),
        (EpochScoring("accuracy", on_train=True), "callbacks: EpochScoring cannot work .*function of"),
        (EpochScoring(half), "callbacks: EpochScoring would score validation samples.*on_train=True"),
        (InputShapeSetter(), "callbacks: InputShapeSetter cannot work"),
    ],
)
def test_what_a_callback_cannot_have_is_told(images, callback, reason):
    for clusterer in (AutoEncoder(callbacks=[callback]), DSCNet(3, callbacks=[callback])):
        with pytest.raises(ValueError, match=reason):
            clusterer.fit(images[0][:60])


def test_errors_of_users_callbacks_are_their_own(images):
    class Mine(EpochTimer):
        def on_epoch_end(self, net, **kwargs):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        AutoEncoder(callbacks=[Mine()]).fit(images[0][:60])
