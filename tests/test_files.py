"""Files of estimators: the same answers afterwards, and nothing but data in them."""

import json
import os
import pickle
import sys
from functools import partial

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EarlyStopping

import skdeepsc
from skdeepsc import (
    EDESC,
    EDSC,
    KSCN,
    NCSC,
    PSSC,
    SSC,
    AutoEncoder,
    DSCNet,
    EnSC,
    S2ConvSCN,
    Scattering,
    SubspaceClustering,
    _container,
)
from skdeepsc._files._values import Writer
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.deep import TrainedSolver
from skdeepsc.nn import ResidualAutoEncoder
from tests.estimators import ESTIMATORS
from tests.test_skeleton import quick

ANSWERS = ("transform", "predict", "predict_proba")
pytestmark = [
    pytest.mark.usefixtures("few_first_epochs"),
    pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning"),
    pytest.mark.filterwarnings("ignore:The classifier is collapsing"),
]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "fitted.skdeepsc"


@pytest.fixture
def no_pickles(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a pickle is read or written")

    for name in ("dump", "dumps", "load", "loads"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(np, "load", refuse)


def round_trip(estimator, place):
    skdeepsc.save(estimator, place)
    return skdeepsc.load(place)


def settings_of(network):
    """Layers by name, with all that they hold but weights, and the names of what learns."""
    learns = {name for name, part in network.named_parameters() if part.requires_grad}
    plain = bool | int | float | str | tuple
    return learns, {
        name: {
            type(layer): {key: part for key, part in vars(layer).items() if isinstance(part, plain)} | {"training": 0}
        }
        for name, layer in network.named_modules()
    }


def assert_same(value, other):
    """Equality to the last bit, of types as well, down to the arrays."""
    assert type(value) is type(other)
    if isinstance(value, np.ndarray):
        np.testing.assert_array_equal(value, other)
        assert value.dtype == other.dtype
        assert value.copy("K").strides == other.strides
    elif sparse.issparse(value):
        for part in ("data", "indices", "indptr"):
            assert_same(getattr(value, part), getattr(other, part))
    elif isinstance(value, torch.nn.Module):
        assert settings_of(value) == settings_of(other)
        weights, others = value.state_dict(), other.state_dict()
        assert sorted(weights) == sorted(others)
        for name in weights:
            torch.testing.assert_close(weights[name], others[name], rtol=0, atol=0)
    elif isinstance(value, np.random.RandomState):
        assert value.randint(2**30) == other.randint(2**30)
    elif isinstance(value, dict):
        assert list(value) == list(other)
        for name in value:
            assert_same(value[name], other[name])
    elif isinstance(value, list | tuple):
        assert len(value) == len(other)
        for one, two in zip(value, other, strict=True):
            assert_same(one, two)
    elif hasattr(value, "__dict__") and not isinstance(value, type | partial):
        state, others = ({**one.__getstate__()} for one in (value, other))
        assert_same(dict(sorted(state.items())), dict(sorted(others.items())))
    else:
        assert value == other or isinstance(value, partial)


@pytest.mark.usefixtures("no_pickles")
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_file_gives_the_same_answers(images, place, estimator):
    X, _ = images
    views = ["autoencoder", "scattering", "pixels"]
    fitted = quick(estimator, views=views).fit(X[:40])
    generator, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()
    again = round_trip(fitted, place)
    assert torch.equal(generator, torch.get_rng_state())
    np.testing.assert_array_equal(numpys, np.random.get_state()[1])
    assert_same(fitted, again)
    for answer in ANSWERS:
        if hasattr(fitted, answer):
            np.testing.assert_array_equal(getattr(fitted, answer)(X), getattr(again, answer)(X))
    if hasattr(fitted, "affinity_matrix_"):
        assert abs(fitted.affinity_matrix_ - again.affinity_matrix_).max() == 0
    unfitted = quick(estimator)
    assert_same(unfitted, round_trip(unfitted, place))
    assert os.listdir(place.parent) == [place.name]


def test_parts_of_all_kinds_come_back(images, place):
    X, _ = images
    network = partial(ResidualAutoEncoder, channels=(4, 6), preactivation=True)
    frozen = FrozenEstimator(AutoEncoder(network=network, max_epochs=1, random_state=0).fit(X))
    for fitted in (
        DSCNet(3, autoencoder=frozen, solver=TrainedSolver(epochs=1), random_state=np.random.RandomState(0)).fit(X),
        PSSC(3, autoencoder=frozen, variant="paper", max_epochs=1, device=torch.device("cpu"), random_state=0).fit(X),
        SSC(3, outlier_alpha=2.0, affine=True, random_state=0).fit(sparse.csr_matrix(X.reshape(60, -1))),
        EDESC(3, latent_normalization="none", smoothing=5.0, autoencoder=frozen, max_epochs=1, random_state=0).fit(X),
        KSCN(3, latent_normalization="centered", init=EDSC(3), autoencoder=frozen, max_epochs=1).fit(X),
    ):
        again = round_trip(fitted, place)
        assert_same(fitted, again)
        np.testing.assert_array_equal(fitted.predict(X.reshape(60, -1)), again.predict(X.reshape(60, -1)))
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X.reshape(60, -1)).rename(columns=str)
    named = SubspaceClustering(3, random_state=0).set_output(transform="pandas").fit(frame)
    pandas.testing.assert_frame_equal(round_trip(named, place).transform(frame), named.transform(frame))


def test_the_figure_is_that_of_the_fit_and_training_goes_on(images, place):
    X, _ = images
    fitted = quick(NCSC).fit(X[:40])
    again = round_trip(fitted, place)
    np.testing.assert_array_equal(fitted.partial_fit(X).predict_proba(X), again.partial_fit(X).predict_proba(X))
    fitted = quick(KSCN, autoencoder__channels=(4, 6)).fit(X)
    fitted.set_params(autoencoder__channels=(3,), latent_normalization="none")
    np.testing.assert_array_equal(round_trip(fitted, place).predict_proba(X), fitted.predict_proba(X))


def test_classics_need_no_torch(place):
    X, _ = make_union_of_subspaces(40, 10, random_state=0)
    skdeepsc.save(SSC(3, random_state=0).fit(X), place)
    code = f"import sys, skdeepsc; skdeepsc.load({str(place)!r}); assert 'torch' not in sys.modules"
    assert os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", code) == 0


class Own(EDSC):
    pass


class Net(torch.nn.Module):
    def __init__(self, shape=None):
        super().__init__()
        self.encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 5))
        self.decoder = torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.Unflatten(1, (1, 8, 8)))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (PSSC(3, autoencoder=AutoEncoder(network=Net())), "autoencoder.network is a torch module of your own, .*Net"),
        (AutoEncoder(network=Net), "network is code of your own, Net"),
        (DSCNet(3, affinity=lambda coef: coef), "affinity is code of your own, .*lambda"),
        (Own(3), "an estimator of your own, .*Own"),
        (SSC(3, affinity_params={"a": {1}}), "affinity_params.a is a builtins.set"),
        (make_pipeline(StandardScaler().set_params(copy=Net), Own(3)), "steps|skops"),
    ],
)
def test_what_needs_other_code_is_refused_in_words(place, estimator, message):
    place.write_text("before")
    with pytest.raises((TypeError, ImportError), match=message):
        skdeepsc.save(estimator, place)
    assert place.read_text() == "before"
    assert os.listdir(place.parent) == [place.name]


def test_only_estimators_of_the_package_are_taken(place):
    with pytest.raises(TypeError, match="got KMeans"):
        skdeepsc.save(KMeans(), place)
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        skdeepsc.save(SSC(3), place.parent / "nowhere" / "x")


def test_a_file_is_as_readable_as_others(place):
    skdeepsc.save(SSC(3), place)
    (place.parent / "other").touch()
    assert place.stat().st_mode == (place.parent / "other").stat().st_mode
    place.chmod(0o640)
    (place.parent / "link").symlink_to(place)
    skdeepsc.save(SSC(4), place.parent / "link")
    assert oct(place.stat().st_mode)[-3:] == "640"
    assert skdeepsc.load(place).n_clusters == 4


def test_what_is_saved_again_is_the_same_file(images, tmp_path):
    clusterer = SSC(3, random_state=0).fit(images[0].reshape(60, -1))
    path, written = tmp_path / "caf\u00e9.skdeepsc", set()
    for _ in range(6):
        skdeepsc.save(clusterer, path)
        written.add(path.read_bytes())
    assert len(written) == 1
    np.testing.assert_array_equal(skdeepsc.load(path).labels_, clusterer.labels_)


def test_callbacks_and_caches_stay_behind(images, place):
    X, _ = images
    fitted = quick(DSCNet, callbacks=[EarlyStopping("train_loss")], memory=str(place.parent / "cache")).fit(X)
    with pytest.warns(UserWarning, match="not saved: callbacks"):
        skdeepsc.save(fitted, place)
    again = skdeepsc.load(place)
    assert again.callbacks is again.memory is None
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


# Files that lie


@pytest.fixture
def saved(images, place):
    fitted = quick(S2ConvSCN).fit(images[0])
    skdeepsc.save(fitted, place)
    return place


def test_pickles_are_not_opened(place):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(place.parent / "ran"),)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        place.write_bytes(pickle.dumps(Bomb(), protocol=protocol))
        with pytest.raises(ValueError, match=r"not a file of skdeepsc.save, but (a pickle|something else)"):
            skdeepsc.load(place)
    torch.save(Bomb(), place)
    with pytest.raises(ValueError, match="but an archive"):
        skdeepsc.load(place)
    assert not (place.parent / "ran").exists()


def test_damage_is_told(saved):
    whole = saved.read_bytes()
    for length in (0, 5, 200, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut off|not a file of"):
            skdeepsc.load(saved)
    for place in (len(whole) - 1, whole.index(b"history_")):
        other = bytearray(whole)
        other[place] ^= 1
        saved.write_bytes(other)
        with pytest.raises(ValueError, match=f"checksum .* written by skdeepsc {skdeepsc.__version__}"):
            skdeepsc.load(saved)
    saved.write_bytes(whole)
    assert skdeepsc.load(saved).n_clusters == 3


def test_versions_are_told(saved, monkeypatch):
    text, arrays, _ = _container.read(saved)
    with monkeypatch.context() as patched:
        patched.setattr(_container, "__version__", "0.0.9")
        _container.write(saved, text, arrays)
        with pytest.warns(UserWarning, match=f"written by skdeepsc 0.0.9, and this is {skdeepsc.__version__}") as told:
            skdeepsc.load(saved)
        assert told[0].filename == __file__
        patched.setattr(_container, "__version__", "9.9")
        _container.write(saved, text, arrays)
        with pytest.raises(
            ValueError, match=f"written by skdeepsc 9.9, which is newer than this, {skdeepsc.__version__}"
        ):
            skdeepsc.load(saved)
        patched.setattr(_container, "__version__", "newest")
        _container.write(saved, text, arrays)
        with pytest.raises(ValueError, match="names no version of skdeepsc that has written it, but 'newest'"):
            skdeepsc.load(saved)
        patched.setattr(_container, "__version__", "9.9")
        patched.setattr(_container, "_FORMAT_VERSION", 2)
        _container.write(saved, text, arrays)
    with pytest.raises(ValueError, match=r"by skdeepsc 9.9 in format 2; this is skdeepsc .* Install"):
        skdeepsc.load(saved)
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(2)}, saved)
    with pytest.raises(ValueError, match="safetensors, but not an estimator"):
        skdeepsc.load(saved)


def planted(saved, change):
    """The message with which a file is refused whose checksum is right and whose content is not."""
    text, arrays, _ = _container.read(saved)
    content = json.loads(text)
    name, params, fitted = content["estimator"]
    _container.write(saved, json.dumps(change(name, params, fitted, arrays) or content), arrays)
    with pytest.raises(ValueError, match="cannot be read by skdeepsc") as refused:
        skdeepsc.load(saved)
    return str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, params, fitted, arrays: {"estimator": ["Popen", {}, {}]}, "'Popen', which is no estimator"),
        (lambda name, params, fitted, arrays: {"estimator": ["datasets", {}, {}]}, "'datasets', which is no"),
        (lambda name, params, fitted, arrays: {"call": ["os.mkdir"]}, "kind 'call', which is not known"),
        (lambda name, params, fitted, arrays: {"write": 1}, "kind 'write', which is not known"),
        (lambda name, params, fitted, arrays: [1], "something beside an estimator"),
        (lambda name, params, fitted, arrays: params.update(gamma=1), "no parameter gamma"),
        (lambda name, params, fitted, arrays: params.update(memory="/tmp"), "no parameter memory"),
        (lambda name, params, fitted, arrays: fitted.update(memory="/tmp"), "no attribute memory"),
        (lambda name, params, fitted, arrays: fitted.update(_skl_callbacks=[1]), "no attribute _skl_callbacks"),
        (lambda name, params, fitted, arrays: fitted.update(predict=1), "no attribute predict"),
        (lambda name, params, fitted, arrays: fitted.update(__class__=1), "no attribute __class__"),
        (lambda name, params, fitted, arrays: fitted.update(a={"builder": ["Module", {}]}), "network of the kind 'Mod"),
        (lambda name, params, fitted, arrays: fitted.update(a={"made": ["elastic_net", 1]}), "a part of the kind"),
        (
            lambda name, params, fitted, arrays: fitted["network_"]["network"][0]["SubspaceNetwork"].update(
                augment={"Hook": {}}
            ),
            "layer of the kind 'Hook'",
        ),
        (
            lambda name, params, fitted, arrays: (
                arrays.pop(fitted["network_"]["network"][1].popitem()[1][0]).sum() and None
            ),
            "Missing key",
        ),
        (lambda name, params, fitted, arrays: arrays.update(more=np.zeros(1)), "something beside an estimator"),
        (lambda name, params, fitted, arrays: params.update(lr=float("nan")), "a number NaN"),
    ],
)
def test_what_is_not_known_is_refused(saved, change, message):
    assert message in planted(saved, change)


def test_indices_stay_within_their_matrix(saved):
    writer = Writer()
    form = writer.write(sparse.csr_array(np.eye(3)), "planted")

    def change(name, params, fitted, arrays):
        arrays.update(writer.arrays)
        arrays["planted.indices"] = arrays["planted.indices"] + 1000
        fitted["planted_"] = form

    assert "indices" in planted(saved, change)


# scikit-learn's own


def test_pipelines_of_the_packages_own_steps(images, place):
    X, _ = images
    fitted = make_pipeline(Scattering(), EDSC(3, random_state=0), memory=str(place.parent / "cache")).fit(X)
    again = round_trip(fitted, place)
    np.testing.assert_array_equal(fitted.predict(X), again.predict(X))
    assert again.memory is None
    assert round_trip(make_pipeline("passthrough", PSSC(3)), place)[-1].n_clusters == 3


def test_scikit_learns_steps_go_through_skops(images, place):
    X = images[0].reshape(60, -1)
    fitted = make_pipeline(StandardScaler(), KSCN(3, init=KMeans(3, n_init=1), random_state=0, max_epochs=1)).fit(X)
    try:
        import skops  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match=r"StandardScaler, which is written by skops.*pip install"):
            skdeepsc.save(fitted, place)
        pytest.skip("skops is not installed: steps of scikit-learn are only refused here")
    np.testing.assert_array_equal(fitted.predict(X), round_trip(fitted, place).predict(X))
    views = SubspaceClustering(3, views=[("own", StandardScaler())], random_state=0).fit(X)
    np.testing.assert_array_equal(views.predict(X), round_trip(views, place).predict(X))
    with pytest.raises(TypeError, match="holds what skops does not trust"):
        skdeepsc.save(make_pipeline(KMeans(init=Net), SSC(3)), place)


def test_a_folder_is_no_file_to_save_in(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder: give the name of a file in it"):
        skdeepsc.save(SSC(2), tmp_path)
    assert not list(tmp_path.iterdir())


def test_files_are_loaded_whatever_numpy_is_set_to(images, tmp_path):
    skdeepsc.save(Scattering(image_size=None).fit(images[0]), tmp_path / "s")
    with np.errstate(all="raise"):
        assert skdeepsc.load(tmp_path / "s").transform(images[0][:2]).shape[0] == 2


def test_a_pipe_is_no_file_to_save_in(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is a device or a pipe"):
        skdeepsc.save(SSC(3).fit(np.eye(9)), tmp_path / "pipe")
    assert not (tmp_path / "pipe").is_file()


def test_clusterers_after_unions_and_columns_of_transformers_are_kept(tmp_path):
    pytest.importorskip("skops")
    rows = make_union_of_subspaces(60, 12, n_subspaces=3, random_state=0)[0]
    union = FeatureUnion([("scaled", StandardScaler()), ("waves", Scattering(image_shape=(3, 4)))])
    columns = ColumnTransformer(
        [("codes", make_pipeline(StandardScaler(), AutoEncoder(max_epochs=1, random_state=0)), slice(0, 8))],
        remainder="passthrough",
    )
    for transformer in (union, columns):
        fitted = make_pipeline(transformer, EnSC(3, random_state=0)).fit(rows)
        skdeepsc.save(fitted, tmp_path / "kept.skdeepsc")
        again = skdeepsc.load(tmp_path / "kept.skdeepsc")
        np.testing.assert_array_equal(again.predict_proba(rows), fitted.predict_proba(rows))


def test_what_skops_cannot_write_is_refused_in_words(tmp_path):
    pytest.importorskip("skops")
    rows = make_union_of_subspaces(60, 12, n_subspaces=3, random_state=0)[0]
    codes = AutoEncoder(max_epochs=1, random_state=0)
    selector = SelectFromModel(codes, importance_getter=lambda _: np.arange(12.0)).fit(rows)
    with pytest.raises(TypeError, match=r"steps\[0\]\[1\] is a SelectFromModel that"):
        skdeepsc.save(make_pipeline(selector, EnSC(3)), tmp_path / "kept.skdeepsc")
