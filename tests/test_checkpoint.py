"""A fit that was interrupted goes on where it stopped, and ends as if nothing had happened."""

import importlib
import linecache
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from copy import deepcopy
from functools import partial, wraps

import joblib
import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from skorch.callbacks import Callback, EarlyStopping, LRScheduler

import skdeepsc
from skdeepsc import DSCSC, EDESC, KSCN, NCSC, PSSC, AutoEncoder, Contrastive, DSCNet, S2ConvSCN, SubspaceClustering
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.deep import TrainedSolver
from skdeepsc.features import _autoencoder
from skdeepsc.training import RandomAugmentation, checkpoints, digests, states
from skdeepsc.training.cache import NetworkFile

pytestmark = pytest.mark.usefixtures("few_first_epochs")

AUTOENCODER = AutoEncoder(channels=(4,), max_epochs=2, batch_size=20)
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
    "NCSC": (
        NCSC,
        {
            **SHORT,
            "init": "spectral",
            "batch_size": 20,
            "subspace_epochs": 2,
            "classifier_epochs": 2,
            "max_epochs": 3,
        },
    ),
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
    found = [getattr(fitted, name) for name in names if getattr(fitted, name, None) is not None]
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
    for epoch in (n_epochs // 3, n_epochs - 1):
        assert interrupted(kind, params, X, tmp_path, epoch)
        assert list(tmp_path.iterdir())
        assert_equal(kind(**params, checkpoint=tmp_path).fit(X), whole)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "callback", [EarlyStopping("train_loss", patience=2, threshold=10.0), LRScheduler("StepLR", step_size=1)]
)
def test_callbacks_of_skorch_go_on_with_what_they_know(images, tmp_path, callback):
    kind, params = AutoEncoder, {"channels": (4,), "max_epochs": 5, "random_state": 0}
    whole = kind(**params, callbacks=[deepcopy(callback)]).fit(images[0])
    with pytest.raises(KeyboardInterrupt):
        kind(**params, callbacks=[deepcopy(callback), InterruptAt(2)], checkpoint=tmp_path).fit(images[0])
    fitted = kind(**params, callbacks=[deepcopy(callback)], checkpoint=tmp_path).fit(images[0])
    assert_equal(fitted, whole)


def test_without_a_random_state_the_numbers_are_those_that_were_drawn(images, tmp_path):
    kind, params = NCSC, {**FITS["NCSC"][1], "random_state": None}
    assert interrupted(kind, params, images[0], tmp_path, 6)
    begun = next(tmp_path.rglob("pretrain.step")).read_bytes()
    seen = InterruptAt(0)
    with pytest.raises(KeyboardInterrupt):
        kind(**params, checkpoint=tmp_path, callbacks=[seen]).fit(images[0])
    assert seen.seen[0][0] != "pretrain"
    assert next(tmp_path.rglob("pretrain.step")).read_bytes() == begun
    first, second = (kind(**params, checkpoint=tmp_path).fit(images[0]).transform(images[0]) for _ in range(2))
    assert not np.array_equal(first, second)


def test_a_head_is_kept_with_the_first_labels(images, tmp_path, monkeypatch, shorten_heads):
    kind, params = FITS["NCSC"]
    params = {**params, "init": "head", "init_size": 20}
    shorten_heads(20, 10)
    whole = kind(**params).fit(images[0])
    assert interrupted(kind, params, images[0], tmp_path, len(whole.history_) - 1)[0] == "joint"
    monkeypatch.setattr(PSSC, "fit", lambda *args: pytest.fail("learns again"))
    assert_equal(kind(**params, checkpoint=tmp_path).fit(images[0]), whole)


DAMAGES = {
    "cut off": (lambda content: content[: len(content) // 2], "cut off|damaged"),
    "cut off in its header": (lambda content: content[:100], "cut off within its header"),
    "empty": (lambda content: b"", "not a file"),
    "a byte": (lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], "checksum"),
    "a byte of the header": (lambda content: content.replace(b"pretrain", b"pretrait", 1), "checksum"),
    "a pickle": (lambda content: b"\x80\x04N.", "a pickle"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_told_put_aside_and_made_anew(images, tmp_path, damage):
    kind, params = FITS["KSCN"]
    change, told = DAMAGES[damage]
    whole = kind(**params).fit(images[0])
    assert interrupted(kind, params, images[0], tmp_path, 3)
    (path,) = tmp_path.rglob("pretrain.step")
    content = change(path.read_bytes())
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=f"'pretrain', cannot be used and is computed anew.*({told})"):
        fitted = kind(**params, checkpoint=tmp_path).fit(images[0])
    assert_equal(fitted, whole)
    (aside,) = tmp_path.iterdir()
    assert aside.suffix == ".damaged"
    assert aside.read_bytes() == content


def test_what_followed_from_numbers_that_are_lost_is_not_used(images, tmp_path):
    kind, params = FITS["AutoEncoder"]
    assert interrupted(kind, {**params, "random_state": None}, images[0], tmp_path, 2)
    next(tmp_path.rglob("seeds.value")).write_bytes(b"")
    with pytest.warns(UserWarning, match="cannot be used") as told:
        kind(**{**params, "random_state": None}, checkpoint=tmp_path).fit(images[0])
    assert ["'seeds'" in str(each.message) for each in told] == [True, False]
    assert "'pretrain', cannot be used and is computed anew: it belongs to other samples" in str(told[1].message)


@pytest.mark.parametrize("library", ["skdeepsc", "torch"])
def test_another_version_trains_anew(images, tmp_path, monkeypatch, library):
    kind, params = FITS["AutoEncoder"]
    assert interrupted(kind, params, images[0], tmp_path, 2)
    owner = {"skdeepsc": states, "torch": torch}[library]
    monkeypatch.setattr(owner, "__version__", "9.9")
    with pytest.warns(UserWarning, match=f"it was written with {library} .*, and this is 9.9"):
        kind(**params, checkpoint=tmp_path).fit(images[0])


def test_other_samples_and_parameters_have_checkpoints_of_their_own(images, tmp_path):
    X, _ = images
    params = FITS["KSCN"][1]
    others = [{"gamma_subspace": 2.0}, {"autoencoder": AutoEncoder(channels=(5,), max_epochs=2)}, {"random_state": 1}]
    others += [{"init": skdeepsc.SSC(3)}, {"init": skdeepsc.SSC(3, alpha=2.0)}, {"image_shape": (1, 8, 8)}]
    assert interrupted(KSCN, params, X, tmp_path, 2) == ("joint", 1)
    for other in others:
        assert interrupted(KSCN, {**params, **other}, X, tmp_path, 0) == ("pretrain", 1), other
    assert interrupted(KSCN, params, X + np.float32(1e-3), tmp_path, 0) == ("pretrain", 1)
    assert interrupted(EDESC, {**params, "gamma_basis": 0.0}, X, tmp_path, 0) == ("pretrain", 1)
    assert len(list(tmp_path.iterdir())) == 1  # Of the others nothing was trained.
    same = {"verbose": 0, "n_clusters": 3, "autoencoder": AutoEncoder(channels=[4], max_epochs=2, batch_size=20)}
    assert interrupted(KSCN, {**params, **same}, X.copy(), tmp_path, 0) == ("joint", 1)


def augment(x):
    return x


def test_a_key_is_the_same_for_equal_values_and_for_no_others(images):
    X = images[0][:10]
    frozen = [FrozenEstimator(AutoEncoder(channels=(2,), max_epochs=1, random_state=seed).fit(X)) for seed in (0, 1)]
    advanced = np.random.RandomState(0)
    advanced.rand()
    values = [None, 1, 1.5, "1", (1, 2), {"a": 1}, {"a": 2}, np.zeros(3), np.zeros(3, np.float32), np.zeros((3, 1))]
    values += [np.random.RandomState(0), np.random.RandomState(1), advanced, augment, np.sum, *frozen, KMeans(3)]
    values += [RandomAugmentation(), RandomAugmentation(noise=0.1), torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)]
    values += [
        AutoEncoder(),
        AutoEncoder(channels=(4,)),
        Contrastive(),
        KMeans(3, init="random"),
        partial(augment, x=1),
    ]
    keys = [digests.digest(X, value=value) for value in values]
    assert len(set(keys)) == len(values)
    assert [digests.digest(X.copy(), value=pickle.loads(pickle.dumps(value))) for value in values] == keys
    assert digests.digest(X, value=[1, 2]) == digests.digest(X, value=(1, 2))
    assert digests.digest(X, value=AutoEncoder(verbose=1, device="cpu")) == digests.digest(X, value=AutoEncoder())


def test_a_file_of_another_fit_under_this_name_is_not_used(images, tmp_path):
    kind, params = FITS["AutoEncoder"]
    parts = []
    for number in range(2):
        assert interrupted(kind, {**params, "random_state": number}, images[0], tmp_path / str(number), 2)
        parts += (tmp_path / str(number)).rglob("pretrain.step")
    parts[0].write_bytes(parts[1].read_bytes())
    with pytest.warns(UserWarning, match="belongs to other samples, parameters or phases"):
        fitted = kind(**params, checkpoint=tmp_path / "0").fit(images[0])
    assert_equal(fitted, kind(**params).fit(images[0]))


def test_a_folder_that_cannot_be_used_is_told(images, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match=r"checkpoint=.* is no folder that can be written"):
            AutoEncoder(max_epochs=1, checkpoint=folder).fit(images[0])
    with pytest.raises(ValueError, match="checkpoint must be the path of a folder"):
        AutoEncoder(max_epochs=1, checkpoint="").fit(images[0])
    with pytest.raises(ValueError, match=r"checkpoint= cannot tell one _thread\.lock from another"):
        KSCN(3, autoencoder=AutoEncoder(network=Activated(threading.Lock()).build), checkpoint=tmp_path).fit(images[0])


def test_a_full_disk_ends_the_keeping_and_not_the_fit(images, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    kind, params = FITS["AutoEncoder"]
    monkeypatch.setattr(states, "write", full)
    with pytest.warns(UserWarning, match="The fit goes on without checkpoint: .*No space left"):
        fitted = kind(**params, checkpoint=tmp_path).fit(images[0])
    assert_equal(fitted, kind(**params).fit(images[0]))


def test_writing_takes_a_small_share_of_the_time(images, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "INTERVAL", 30.0)
    written = []
    original = checkpoints.Step.write
    monkeypatch.setattr(
        checkpoints.Step, "write", lambda step, state: written.append(step.name) or original(step, state)
    )
    kind, params = FITS["NCSC"]
    kind(**params, checkpoint=tmp_path).fit(images[0])
    assert written == ["pretrain", "subspace", "first labels", "init", "classify", "joint"]


def test_checkpoint_and_memory_go_together(images, tmp_path, monkeypatch):
    kind, params = FITS["DSCSC"]
    whole = kind(**params).fit(images[0])
    folders = {"memory": tmp_path / "memory", "checkpoint": tmp_path / "checkpoint"}
    both = {**params, **{name: str(folder) for name, folder in folders.items()}}
    original, trained = kind._pretrain_with, []

    def interrupting(self, autoencoder, samples, progress):
        trained.append(autoencoder.augment)
        if len(trained) > 2:
            raise KeyboardInterrupt
        return original(self, autoencoder, samples, progress)

    with monkeypatch.context() as patched:
        patched.setattr(kind, "_pretrain_with", interrupting)
        with pytest.raises(KeyboardInterrupt):
            kind(**both).fit(images[0])
    entries = sorted(folders["memory"].rglob("*.network"), key=os.path.getmtime)
    assert len(entries) == len(list(folders["checkpoint"].rglob("*.step"))) == 2
    entries[0].unlink()  # Of the first policy the checkpoint knows, of the second the cache.
    with monkeypatch.context() as patched:
        phases = []
        patched.setattr(checkpoints.Step, "write", lambda step, state: phases.append(step.name))
        assert_equal(kind(**both).fit(images[0]), whole)
    assert phases[0] == "views 2/pretrain"
    assert not list(folders["checkpoint"].iterdir())


def test_a_damaged_entry_of_the_cache_is_told_put_aside_and_trained_anew(images, tmp_path):
    params = {**FITS["AutoEncoder"][1], "memory": str(tmp_path)}
    whole = AutoEncoder(**params).fit(images[0])
    (entry,) = tmp_path.rglob("*.network")
    content = entry.read_bytes()
    middle = len(content) // 2
    for damaged in (content[:middle], b"", content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]):
        entry.write_bytes(damaged)
        with pytest.warns(UserWarning, match="A network in memory= cannot be used and is trained anew: .* aside as"):
            assert_equal(AutoEncoder(**params).fit(images[0]), whole)
        assert_equal(AutoEncoder(**params).fit(images[0]), whole)
    assert len(list(tmp_path.rglob("*.damaged"))) == 3


@pytest.mark.parametrize("library", ["skdeepsc", "torch"])
def test_the_cache_knows_the_versions(images, tmp_path, monkeypatch, library):
    params = {**FITS["AutoEncoder"][1], "memory": str(tmp_path)}
    AutoEncoder(**params).fit(images[0])
    owner = {"skdeepsc": skdeepsc.features._autoencoder, "torch": torch}[library]
    monkeypatch.setattr(owner, "__version__", "9.9")
    AutoEncoder(**params).fit(images[0])
    assert len(list(tmp_path.rglob("*.network"))) == 2


# Processes

# A process that kills another in the middle of a fit, and fits; the other is forked, as imports take longer than a fit.
FIT = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from skdeepsc import EDESC
from tests.test_checkpoint import LONGER, checkpoints
checkpoints.INTERVAL = 0.0
X = np.load(sys.argv[1])
def fit():
    return EDESC(3, **LONGER, checkpoint=sys.argv[2]).fit(X).predict_proba(X)
other = os.fork()
if not other:
    fit()
    os._exit(0)
while not list(Path(sys.argv[2]).rglob("pretrain.step")) and os.waitpid(other, os.WNOHANG) == (0, 0):
    time.sleep(0.01)
os.kill(other, signal.SIGKILL)
print(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]), flush=True)
sys.stdin.readline()
np.save(sys.argv[3], fit())
"""
LONGER = {"autoencoder": AutoEncoder(channels=(4,), max_epochs=20, batch_size=20), "max_epochs": 5, "random_state": 0}


def test_a_killed_process_leaves_what_others_go_on_with(images, tmp_path):
    """One of two that share the folder goes on with it, the other trains from the beginning."""
    X, whole = images[0], EDESC(3, **LONGER).fit(images[0]).predict_proba(images[0])
    np.save(tmp_path / "X.npy", X)
    answer, folder = tmp_path / "answer.npy", tmp_path / "checkpoint"
    command = [sys.executable, "-c", FIT, tmp_path / "X.npy", folder, answer]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert int(process.stdout.readline()) == -signal.SIGKILL
        assert list(folder.rglob("pretrain.step"))
        print(file=process.stdin, flush=True)
        np.testing.assert_array_equal(EDESC(3, **LONGER, checkpoint=folder).fit(X).predict_proba(X), whole)
        assert process.wait() == 0
    np.testing.assert_array_equal(np.load(answer), whole)
    assert not list(folder.iterdir())


def test_a_fit_under_way_keeps_its_checkpoint_for_itself(images, tmp_path):
    """Another one with the same parameters begins anew beside it."""
    kind, params = FITS["AutoEncoder"]
    X, others = images[0], []

    def fit_another():
        others.append(kind(**params, checkpoint=tmp_path).fit(X))

    class FitMeanwhile(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                thread = threading.Thread(target=fit_another)
                thread.start()
                thread.join()
                assert len(list(tmp_path.rglob("pretrain.step"))) == 1

    fitted, whole = kind(**params, callbacks=[FitMeanwhile()], checkpoint=tmp_path).fit(X), kind(**params).fit(X)
    for each in (fitted, *others):
        assert_equal(each, whole)
    assert not list(tmp_path.iterdir())


# Memory-mapped samples


@pytest.fixture
def mapped(images, tmp_path):
    np.save(tmp_path / "X.npy", images[0])
    return tmp_path / "X.npy"


def shorter(path):
    os.truncate(path, 4096)


def changed(path):
    with open(path, "r+b") as file:
        file.seek(1000)
        file.write(b"\1\2\3")
    os.utime(path, ns=(0, time.time_ns()))


def replaced(path):
    np.save(path.with_name("new.npy"), np.zeros(3))
    path.with_name("new.npy").replace(path)


class DoOnce(Callback):
    def __init__(self, function, path):
        self.function, self.path = function, path

    def on_epoch_end(self, net, **kwargs):
        if self.path is not None:
            self.function(self.path)
            self.path = None


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody cut off a mapped file")
@pytest.mark.parametrize("name", ["AutoEncoder", "NCSC", "EDESC"])
@pytest.mark.parametrize(
    ("what", "told"), [(shorter, "has been cut off: it has 4096 of"), (changed, "has been changed")]
)
def test_a_mapped_file_that_changes_ends_a_fit_with_an_error(mapped, name, what, told):
    kind, params = FITS[name]
    X = np.load(mapped, mmap_mode="r")
    fit = kind(**params, callbacks=[DoOnce(what, mapped)])
    with pytest.raises(OSError, match=f"X is memory-mapped, and its file .*X.npy {told}"):
        fit.fit(X)
    assert not hasattr(fit, "n_iter_")


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody cut off a mapped file")
def test_a_mapped_file_that_is_too_short_is_refused_at_once(mapped):
    X = np.load(mapped, mmap_mode="r")
    fitted, flat = KSCN(**FITS["KSCN"][1]).fit(X), X.reshape(len(X), -1)
    shorter(mapped)
    for read in (fitted.predict, KSCN(3).fit, skdeepsc.SSC(3).fit):
        with pytest.raises(OSError, match="cut off"):
            read(X)
    with pytest.raises(OSError, match="cut off"):
        skdeepsc.SSC(3).fit(flat)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody replace a mapped file")
def test_a_mapped_file_that_is_replaced_is_still_what_it_was(mapped):
    kind, params = FITS["NCSC"]
    X = np.load(mapped, mmap_mode="r")
    fitted = kind(**params, callbacks=[DoOnce(replaced, mapped)]).fit(X)
    assert_equal(fitted, kind(**params).fit(np.array(X)))


def test_a_fit_of_sparse_rows_goes_on(tmp_path):
    rows = make_union_of_subspaces(60, 12, n_subspaces=3, subspace_dim=3, random_state=0)[0]
    sparse_rows = sparse.csr_array(rows * (rows > 0))
    whole = SubspaceClustering(3, random_state=0).fit(sparse_rows)
    kept = SubspaceClustering(3, random_state=0, checkpoint=tmp_path).fit(sparse_rows)
    np.testing.assert_array_equal(kept.labels_, whole.labels_)
    keys = [digests.digest(each) for each in (sparse_rows, sparse_rows, -sparse_rows, sparse_rows[::-1])]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


class Activated(torch.nn.Module):
    """A network that answers by what it holds."""

    def __init__(self, act, **held):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        torch.nn.init.ones_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)
        self.act = act
        vars(self).update(held)

    def forward(self, x):
        return self.act(self.linear(x))

    def build(self, shape):
        return deepcopy(self)


def frozen(network):
    network.linear.weight.requires_grad_(False)
    return network


def hooked(network, hook):
    network.register_forward_hook(hook)
    return network


def masked(network, values):
    network.register_buffer("mask", torch.tensor(values), persistent=False)
    return network


def local_class(act):
    class Local(Activated):
        def forward(self, x):
            return act(self.linear(x))

    return Local(None)


def wrapped(factor):
    @wraps(torch.tanh)
    def scaled(x):
        return factor * torch.tanh(x)

    return scaled


@pytest.mark.parametrize(
    "make",
    [
        lambda: [Activated(torch.tanh), Activated(torch.cos), frozen(Activated(torch.tanh))],
        lambda: [Activated(torch.tanh, powers=[1, 2]), Activated(torch.tanh, powers=[1, 5])],
        lambda: [Activated(torch.tanh, _scale=1.0), Activated(torch.tanh, _scale=2.0)],
        lambda: [Activated(Activated(torch.tanh).forward), Activated(Activated(torch.cos).forward)],
        lambda: [Activated(torch.tanh).build, Activated(torch.cos).build],
        lambda: [hooked(Activated(torch.tanh), hook) for hook in (lambda *_: None, lambda _, x, y: y + 1)],
        lambda: [masked(Activated(torch.tanh), values) for values in ([0.0, 1.0], [1.0, 1.0])],
        lambda: [local_class(torch.tanh), local_class(torch.cos)],
        lambda: [wrapped(1.0), wrapped(2.0)],
        lambda: [type("Own", (), {"scaled": staticmethod(partial(max, factor))}) for factor in (1, 2)],
        lambda: [eval("lambda x: x + 1"), eval("lambda x: x + 2")],
        lambda: [(lambda x, y=1: x + y), (lambda x, y=2: x + y)],
    ],
)
def test_networks_and_functions_are_told_apart_by_all_they_hold(make):
    keys = [[digests.digest(np.zeros(1), network=network) for network in make()] for _ in range(2)]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == len(keys[0])


# A module of the user's, in which one text is another where it is edited.
USERS = """
import collections, contextlib, dataclasses, enum, functools
import numpy as np, torch
import edited_constants
from torch import nn

KEEP = frozenset({"encoder", "decoder", "other", "more"})
NORMAL = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
QUEUE = collections.deque([torch.zeros(3), torch.ones(2)], maxlen=5)
GENERATOR, NUMPYS = torch.Generator().manual_seed(1), np.random.default_rng(1)
SIZES = {"b": 2, "a": 3}
WORDS = np.array(["a", None, b"c"], dtype=object)
ITSELF = []
ITSELF.append(ITSELF)

class Color(enum.Enum):
    RED = 1

@dataclasses.dataclass(slots=True)
class Slots:
    width: int = 2
    def grown(self):
        return self.width + 1

class Kept:
    color = Color.RED
    @functools.cached_property
    def large(self):
        return 3
    @property
    def small(self):
        return 1
    @classmethod
    def make(cls):
        return cls()
    @staticmethod
    def one():
        return 1

@torch.no_grad()
def prepared(x):
    return x * 2

@functools.lru_cache
def cached(x):
    return x + 1

vectorized = np.vectorize(lambda x: x + 2)
OBJECTS = Slots(), Kept()

def build(shape):
    from edited_constants import DEPTH
    things = KEEP, NORMAL, QUEUE, GENERATOR, NUMPYS, SIZES, WORDS, ITSELF, OBJECTS, torch.Tensor.tanh, str.lower
    return things, prepared, cached, vectorized, Color, edited_constants.WIDTH, DEPTH
"""
CONSTANTS = "WIDTH, DEPTH = 1, 2\n"


KEY = """
import sys, types
import numpy as np
from skdeepsc.training.digests import digest

def key_of(users, constants):
    for name, text in (("edited_constants", constants), ("edited_users", users)):
        sys.modules[name] = module = types.ModuleType(name)
        exec(text, module.__dict__)
    key = digest(np.zeros(1), network=module.build)
    module.cached(1), module.OBJECTS[1].large  # Once it has been used, it is still the same.
    assert digest(np.zeros(1), network=module.build) == key
    return key
"""


def test_keys_are_those_of_other_processes_until_something_is_edited(monkeypatch):
    for name in ("edited_users", "edited_constants"):
        monkeypatch.setitem(sys.modules, name, None)
    around = {}
    exec(KEY, around)
    keys = {around["key_of"](USERS, CONSTANTS)}
    code = f"{KEY}\nprint(key_of({USERS!r}, {CONSTANTS!r}))"
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert keys == {run.stdout.strip()}
    edits = [
        *(("x * 2", "x * 3"), ("x + 1", "x + 7"), ("x + 2", "x + 3"), ("self.width + 1", "self.width + 2")),
        *(
            ("return 3", "return 4"),
            ("RED = 1", "RED = 2"),
            ('"more"', '"less"'),
            ("torch.ones(3))", "torch.eye(3)[0] + 1)"),
        ),
        *(
            ('"b": 2, "a": 3', '"a": 3, "b": 2'),
            ("manual_seed(1)", "manual_seed(2)"),
            ("default_rng(1)", "default_rng(2)"),
        ),
        *(
            ('"a", None', '"a", 5'),
            ("return cls()", "return cls"),
            ("maxlen=5", "maxlen=6"),
            ("return 1\n\n@", "return 2\n\n@"),
        ),
    ]
    assert all(before in USERS for before, _ in edits)
    keys |= {around["key_of"](USERS.replace(before, after, 1), CONSTANTS) for before, after in edits}
    keys |= {around["key_of"](USERS, constants) for constants in ("WIDTH, DEPTH = 3, 2", "WIDTH, DEPTH = 1, 3")}
    assert len(keys) == 3 + len(edits)


def test_names_that_code_does_not_read_are_not_part_of_it():
    texts = [f"shape = {shape}\nimport torch\ndef build(s):\n    return torch.zeros(3).shape" for shape in (1, 2)]
    keys = []
    for text in texts:
        around = {"__name__": "edited_shapes"}
        exec(text, around)
        keys.append(digests.digest(np.zeros(1), network=around["build"]))
    assert keys[0] == keys[1]


def test_functions_know_themselves_and_lazy_and_sparse_parts_have_keys():
    def again(n):
        return again(n - 1) if n else 0

    lazy, sparse_part = torch.nn.LazyLinear(2), torch.nn.Identity()
    sparse_part.register_buffer("graph", torch.eye(3).to_sparse())
    keys = [digests.digest(np.zeros(1), part=part) for part in (again, lazy, sparse_part)]
    assert keys == [digests.digest(np.zeros(1), part=part) for part in (again, lazy, sparse_part)]
    with pytest.raises(ValueError, match=r"memory= and checkpoint= cannot tell one _thread.lock from another"):
        digests.digest(np.zeros(1), part=threading.Lock())


def test_what_a_function_calls_is_part_of_it(tmp_path, monkeypatch):
    """An edited base, two steps away from the function that builds a network."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    keys = []
    for act in ("tanh", "cos", "tanh"):
        (tmp_path / "edited_network.py").write_text(
            "import torch\n\nclass Base(torch.nn.Module):\n    def forward(self, x):\n"
            f"        return torch.{act}(x)\n\nclass Own(Base):\n    pass\n\ndef build(shape):\n    return Own()\n"
        )
        monkeypatch.delitem(sys.modules, "edited_network", raising=False)
        importlib.invalidate_caches()
        module = importlib.import_module("edited_network")
        keys.append([digests.digest(np.zeros(1), network=each) for each in (module.build, module.Own, module.Own())])
    assert keys[0] == keys[2]
    assert all(one != other for one, other in zip(*keys[:2], strict=True))


class FirstOfTwo:
    """The group of the first process, the other being out of sight."""

    rank = 0

    def __init__(self):
        self.agreed = []

    def agree(self, value):
        self.agreed.append(value)
        return value


@pytest.fixture
def trained(monkeypatch):
    """Numbers of epochs that were asked for; no more than two are trained."""
    asked = []

    def pretrain(samples, key, *_):
        asked.append(key["epochs"])
        return torch.nn.Linear(2, 2), {"history": [{"loss": 0.5}] * min(key["epochs"], 2), "draw": 0}

    monkeypatch.setattr(_autoencoder, "pretrain", pretrain)
    monkeypatch.setattr(_autoencoder, "_untrained", lambda *_: torch.nn.Linear(2, 2))
    return asked


def pretrain_once(place, group=None, epochs=2):
    arguments = np.zeros(3), {"epochs": epochs}, 0, "cpu", None, {"group": group}
    network, history = _autoencoder._pretrain_once(NetworkFile(place, "Network", "a" * 64), arguments)
    return network.weight.tolist(), history


def test_processes_train_together_where_the_first_finds_a_damaged_entry(tmp_path, trained):
    """Those that wait for what is in the cache would wait for ever."""
    said, weights = [], []
    for damages in (False, False, True):
        group = FirstOfTwo()
        for entry in tmp_path.glob("*.network") if damages else ():
            entry.write_bytes(b"")
        with pytest.warns(UserWarning, match="cannot be used") if damages else nullcontext():
            weights.append(pretrain_once(tmp_path, group))
        said.append(group.agreed[0])
    assert said == [False, True, False]
    assert weights[0] == weights[1] != weights[2]
    assert trained == [2, 2]


def test_a_batch_of_all_is_known_to_the_cache(images, tmp_path):
    plain = AutoEncoder(batch_size="all", max_epochs=2, random_state=0).fit(images[0])
    for batch_size in ("all", 60, 100):
        params = {"batch_size": batch_size, "max_epochs": 2, "random_state": 0, "memory": tmp_path}
        assert_equal(AutoEncoder(**params).fit(images[0]), plain)
    assert len(list(tmp_path.rglob("*.network"))) == 1


def test_functions_that_were_edited_are_others(images, tmp_path, monkeypatch):
    """In a notebook, or in a module that is loaded again, they keep their names."""
    module = tmp_path / "edited_views.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Written within a second, it would be taken for the same.
    keys, weights = [], []
    for factor in ("1.0", "0.2"):
        body = f"return x * {factor}"
        module.write_text(f"def view(x):\n    {body}\n\n\nclass View:\n    def __call__(self, x):\n        {body}\n")
        monkeypatch.delitem(sys.modules, "edited_views", raising=False)
        linecache.clearcache()
        importlib.invalidate_caches()
        edited = importlib.import_module("edited_views")
        view = edited.view
        keys.append([digests.digest(np.zeros(1), augment=each) for each in (view, partial(view), edited.View())])
        fitted = Contrastive(max_epochs=2, augment=view, memory=tmp_path / "memory", random_state=0).fit(images[0])
        weights.append(next(fitted.network_.encoder.parameters()).detach())
    assert all(one != other for one, other in zip(*keys, strict=True))
    assert not torch.equal(*weights)


def test_a_training_that_ended_early_is_not_kept(tmp_path, trained):
    for _ in range(2):
        pretrain_once(tmp_path, epochs=3)
    assert trained == [3, 3]
    assert not list(tmp_path.iterdir())


def test_the_first_process_trains_with_the_others_whatever_the_cache_has_got(tmp_path, monkeypatch, trained):
    monkeypatch.setattr(NetworkFile, "read", lambda *_: None)  # Another process fills it just now.
    for _ in range(2):
        pretrain_once(tmp_path, FirstOfTwo())
    assert trained == [2, 2]


def test_a_network_of_other_parts_is_told_and_trained_anew(tmp_path, monkeypatch, trained):
    pretrain_once(tmp_path)
    for network in (torch.nn.Linear(2, 3), torch.nn.Linear(2, 2, bias=False)):
        built = iter([network, torch.nn.Linear(2, 2)])
        monkeypatch.setattr(_autoencoder, "_untrained", lambda *_, built=built: next(built))
        with pytest.warns(
            UserWarning, match=r"cannot be used and is trained anew: its .* The file was put aside as .*damaged"
        ):
            pretrain_once(tmp_path)
    assert trained == [2, 2, 2]


def test_what_the_cache_holds_runs_nothing(images, tmp_path):
    """A pickle in the place of a network is told and not opened."""
    params = {**FITS["AutoEncoder"][1], "memory": tmp_path}
    whole = AutoEncoder(**params).fit(images[0])
    (entry,) = tmp_path.glob("*.network")
    entry.write_bytes(pickle.dumps(Planted(tmp_path / "planted")))
    with pytest.warns(UserWarning, match="but a pickle. It was not opened"):
        assert_equal(AutoEncoder(**params).fit(images[0]), whole)
    assert not (tmp_path / "planted").exists()


class Planted:
    """What makes a folder when it is opened."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (self.place,)


def test_a_memory_of_joblib_keeps_networks_in_its_own_folder(images, tmp_path):
    params = FITS["AutoEncoder"][1]
    memory = joblib.Memory(tmp_path, verbose=0)
    whole = AutoEncoder(**params, memory=memory).fit(images[0])
    assert len(list(tmp_path.rglob("*.network"))) == 1
    assert_equal(AutoEncoder(**params, memory=memory).fit(images[0]), whole)
    assert len(list(tmp_path.rglob("*.network"))) == 1
    memory.clear(warn=False)
    assert not list(tmp_path.rglob("*.network"))
    assert_equal(AutoEncoder(**params, memory=joblib.Memory(None)).fit(images[0]), whole)


def test_a_memory_of_joblib_without_a_folder_is_refused(images, tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    memory.backend = "elsewhere"
    with pytest.raises(ValueError, match="keeps its entries in no folder: give the path of one"):
        AutoEncoder(**FITS["AutoEncoder"][1], memory=memory).fit(images[0])


def test_a_damaged_entry_that_must_stay_is_told(images, tmp_path, monkeypatch):
    params = {**FITS["AutoEncoder"][1], "memory": tmp_path}
    whole = AutoEncoder(**params).fit(images[0])
    (entry,) = tmp_path.glob("*.network")
    entry.write_bytes(b"")

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.replace", denied)
    monkeypatch.setattr("skdeepsc._container.os.replace", denied)
    stays, unkept = (
        pytest.warns(UserWarning, match=match) for match in ("stays where it is", "is not kept in memory=")
    )
    with stays, unkept:
        assert_equal(AutoEncoder(**params).fit(images[0]), whole)


@pytest.mark.parametrize("place", ["memory", "checkpoint"])
def test_networks_that_cannot_be_kept_are_trained(images, tmp_path, place):
    def network(shape):
        built = torch.nn.Module()
        built.encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(5))
        built.decoder = torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.Unflatten(1, shape))
        built.encoder.register_buffer("graph", torch.eye(3).to_sparse())
        return built

    params = {**FITS["AutoEncoder"][1], "network": network}
    codes = AutoEncoder(**params).fit(images[0]).transform(images[0])
    with pytest.warns(UserWarning, match=r"cannot be written \(tensors of the layout torch.sparse_coo are not kept\)"):
        fitted = AutoEncoder(**params, **{place: tmp_path}).fit(images[0])
    np.testing.assert_array_equal(fitted.transform(images[0]), codes)


def test_a_lazy_network_is_found_in_the_cache(images, tmp_path):
    network = torch.nn.Module()
    network.encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(5))
    network.decoder = torch.nn.Sequential(torch.nn.LazyLinear(64), torch.nn.Unflatten(1, (1, 8, 8)))
    params = {**FITS["AutoEncoder"][1], "network": network, "memory": tmp_path}
    assert_equal(AutoEncoder(**params).fit(images[0]), AutoEncoder(**params).fit(images[0]))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_network_that_has_learnt_nothing_is_told_each_time(images, tmp_path):
    for _ in range(2):
        with pytest.warns(UserWarning, match="Pre-training has learnt hardly anything"):
            AutoEncoder(channels=(1, 1), lr=1e-12, max_epochs=60, random_state=0, memory=tmp_path).fit(images[0])
    assert len(list(tmp_path.iterdir())) == 1


class Drawn(torch.nn.Module):
    """An encoder with what torch calls extra state, or an attribute that is drawn, or learnt."""

    def __init__(self, kind):
        super().__init__()
        self.linear, self.kind, self.scale = torch.nn.Linear(64, 5), kind, 0.0
        self.order = torch.randperm(5) if kind == "drawn" else torch.arange(5)

    def forward(self, x):
        if self.kind != "drawn" and self.training:
            self.scale = 0.5 * self.scale + 0.5 * x.mean().item()
        return self.linear(x.flatten(1))[:, self.order] + self.scale


class Turned(Drawn):
    """Learns in a tensor that is no buffer."""

    def forward(self, x):
        if self.training:
            self.order = self.order.roll(1)
        return self.linear(x.flatten(1))[:, self.order]


class Extra(Drawn):
    def get_extra_state(self):
        return {"scale": self.scale}

    def set_extra_state(self, state):
        self.scale = state["scale"]


@pytest.mark.parametrize("kind", [Drawn, Turned, Extra])
def test_what_is_learnt_beside_tensors_is_not_lost(images, tmp_path, kind):
    def network(shape):
        built = torch.nn.Module()
        built.encoder = kind("learnt")
        built.decoder = torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.Unflatten(1, shape))
        return built

    params = {**FITS["AutoEncoder"][1], "network": network, "memory": tmp_path}
    codes = []
    for _ in range(2):
        told = pytest.warns(UserWarning, match="have attributes that are learnt")
        with nullcontext() if kind is Extra else told:
            codes.append(AutoEncoder(**params).fit(images[0]).transform(images[0]))
    np.testing.assert_array_equal(*codes)
    assert len(list(tmp_path.iterdir())) == (kind is Extra)
