"""Training in two processes: the same as in one."""

import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from skdeepsc import NCSC, AutoEncoder
from skdeepsc.training import Phase
from skdeepsc.training.group import ProcessGroup
from skdeepsc.training.trainer import SharedTrainer

state = pytest.importorskip("accelerate.state")
launched_training = pytest.importorskip("tests.launched_training")
LAUNCH = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1"]
LAUNCH += ["--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"]


def launch(folder):
    """Start the script in two processes."""
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    command = [sys.executable, *LAUNCH, str(Path(launched_training.__file__)), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def run(folder):
    """Run the script in this process."""
    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patched.setenv("ACCELERATE_USE_CPU", "true")
        patched.setattr(launched_training._first_labels, "_EPOCHS", ())  # The script sets these.
        for name in ("_POLICIES", "_STEPS"):
            patched.setattr(launched_training._expression_head, name, ())
        launched_training.main(str(folder))
        state.AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """What one process and two processes made of the same estimators."""
    torch.set_num_threads(1)
    found = []
    for name, start in (("one", run), ("two", launch)):
        folder = tmp_path_factory.mktemp(name)
        start(folder)
        found.append(pickle.loads((folder / "fitted.pkl").read_bytes()))
    assert [run["n_processes"] for run in found] == [1, 2]
    return [run["fitted"] for run in found]


@pytest.mark.parametrize(
    "name",
    [
        "autoencoder",
        "cached",
        "stopped",
        "drawn again",
        "ncsc",
        "spectral",
        "head",
        "no collaboration",
        "contrastive",
        "stage one",
    ],
)
def test_two_processes_train_as_one_does(pair, name):
    one, two = (fitted[name] for fitted in pair)
    assert [entry["phase"] for entry in one.history_] == [entry["phase"] for entry in two.history_]
    # Codes agree to eight digits, which later phases amplify; on which side of a border a sample is may differ.
    follows_labels = name in ("spectral", "head")
    known = [row["phase"] for row in one.history_].index("init") if follows_labels else len(one.history_)
    for before, after in zip(one.history_[:known], two.history_[:known], strict=True):
        costs = [key for key in before if isinstance(before[key], float) and "seconds" not in key]
        assert "train_loss" in costs
        rtol = 1e-3 if before["phase"] == "pretrain" else 1e-2
        for key in costs:
            np.testing.assert_allclose(after[key], before[key], rtol=rtol, atol=1e-6 * before["train_loss"])
    if hasattr(one, "labels_") and not follows_labels:
        assert adjusted_rand_score(one.labels_, two.labels_) == 1


def test_the_cache_has_what_the_processes_trained(pair):
    for fitted in pair:
        for key, value in fitted["cached"].network_.state_dict().items():
            torch.testing.assert_close(fitted["cached again"].network_.state_dict()[key], value, rtol=0, atol=0)


def test_a_fitted_estimator_needs_no_accelerate(pair, images, monkeypatch):
    fitted = pair[1]["ncsc"]
    assert isinstance(fitted, NCSC)
    monkeypatch.setitem(sys.modules, "accelerate", None)
    np.testing.assert_array_equal(fitted.predict(images[0]), fitted.predict_proba(images[0]).argmax(1))
    assert fitted.network_.group is None
    with pytest.raises(ImportError, match=r"pip install 'skdeepsc\[distributed\]'"):
        AutoEncoder(device="accelerate").fit(images[0])


def test_one_process_trains_as_without_accelerate(images, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    fitted = [
        AutoEncoder(max_epochs=1, device=device, random_state=0).fit(images[0]) for device in ("cpu", "accelerate")
    ]
    assert fitted[0].history_[0]["train_loss"] == fitted[1].history_[0]["train_loss"]


@pytest.fixture
def fresh_state(monkeypatch):
    """Accelerate as in a process of its own."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    state.AcceleratorState._reset_state(reset_partial_state=True)
    yield
    state.AcceleratorState._reset_state(reset_partial_state=True)


def test_processes_that_accelerate_does_not_see_are_an_error(images, monkeypatch, fresh_state):
    state.PartialState()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="2 processes were launched, but Accelerate works with 1"):
        AutoEncoder(device="accelerate").fit(images[0])


def test_low_precision_is_an_error(monkeypatch, fresh_state):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with pytest.raises(ValueError, match="Self-expression needs float32, but Accelerate is set to bf16"):
        SharedTrainer(torch.nn.Linear(2, 2), Phase("pretrain", None, 1, 1e-3, batch_size=2), group=None)


def test_batch_norm_is_an_error():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    with pytest.raises(ValueError, match="Use a network without it"):
        SharedTrainer(network, Phase("pretrain", None, 1, 1e-3, batch_size=2), group=None)


def test_rows_of_the_processes_are_all_rows(monkeypatch):
    monkeypatch.setattr(ProcessGroup, "__init__", lambda self: None)
    for n_rows in (1, 2, 7, 10):
        shares = []
        for rank in range(3):
            group = ProcessGroup()
            group.rank, group.size = rank, 3
            shares += range(n_rows)[group.rows(n_rows)]
        assert shares == list(range(n_rows))
