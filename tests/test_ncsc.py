"""NCSC: batches, its three stages, what its labels and its memory promise."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from skdeepsc import NCSC, PSSC, AutoEncoder
from skdeepsc._dimension import SUBSPACE_DIMS
from skdeepsc._random import draw_rows
from skdeepsc.deep._first_labels import learning_phase
from skdeepsc.losses import (
    balance_cost,
    classifier_affinity,
    negative_cross_entropy,
    negative_pairs,
    positive_cross_entropy,
    positive_pairs,
    subspace_affinity,
)
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.nn import (
    DenseAutoEncoder,
    ResidualAutoEncoder,
    SubspaceNetwork,
    TrainedExpression,
    conv_classifier,
    ridge_coefficients,
)
from skdeepsc.training.batches import Rows
from skdeepsc.training.callbacks import CountClusters
from tests.estimators import make

QUICK = {
    "n_clusters": 3, "autoencoder__channels": (15,), "autoencoder__max_epochs": 20, "subspace_epochs": 1,
    "classifier_epochs": 2, "max_epochs": 2, "random_state": 0,
}  # fmt: skip


@pytest.fixture
def out():
    """Outputs of a small network whose C is not trivial."""
    torch.manual_seed(0)
    dense = DenseAutoEncoder((6,), (4,))
    network = SubspaceNetwork(dense.encoder, dense.decoder, TrainedExpression(9, torch.randn(9, 9)))
    network.classifier = torch.nn.Linear(4, 3)
    with torch.no_grad():
        network.classifier.weight *= 5
    return network(torch.randn(9, 6))


# Eqs (5), (8), (9)


@pytest.mark.parametrize("variant", ["paper", "stabilized"])
def test_objective_is_eq_8(out, variant):
    method = NCSC(3, variant=variant, gamma_coef=3.0, gamma_expression=5.0, gamma_collaboration=2.0)
    method.collaboration_weight_ = None
    costs = method._subspace_costs(out)
    wanted = {
        "reconstruction": ((out.x - out.x_hat) ** 2).sum(),
        "coef": 3 * (out.coef**2).sum(),
        "expression": 5 * ((out.z - out.coef @ out.z) ** 2).sum(),
    }
    torch.testing.assert_close(costs, wanted)
    others = sum(wanted.values()).item()
    a_s = subspace_affinity(out.coef, signed=variant == "stabilized")
    a_c = classifier_affinity(out.logits)
    positive = positive_pairs(a_s, 0.1, None if variant == "paper" else 1)
    negative = negative_pairs(a_c, 0.7)
    assert 0 < negative.sum() < positive_pairs(a_s, -1).sum()
    omega = {
        "positive": 9 * positive_cross_entropy(a_s, a_c, positive),
        "negative": 9 * negative_cross_entropy(a_c, a_s, negative),
    }
    if variant == "stabilized":
        omega["repulsion"] = 9 * negative_cross_entropy(a_s, a_c, negative & (a_s < 0.1))
        omega["balance"] = 9 * balance_cost(out.logits)
    weight = 2 * others / sum(omega.values()).item()
    wanted |= {name: weight * cost for name, cost in omega.items()}
    method._weigh(out)
    torch.testing.assert_close(method._costs(out), wanted)
    assert method.collaboration_weight_ == pytest.approx(weight)


def test_the_weight_of_a_collaboration_that_costs_nothing_is_bounded(out):
    method = NCSC(3, variant="paper", gamma_collaboration=2.0)
    method.collaboration_weight_ = None
    with torch.no_grad():
        out.logits.copy_(torch.tensor([9.0, 0.0, 0.0]))  # All alike.
    method._weigh(out)
    others = sum(method._subspace_costs(out).values()).item()
    assert method.collaboration_weight_ == pytest.approx(2 * others / (9 * 0.01))


def test_each_addition_has_a_switch_of_its_own(out):
    terms = {
        "negatives": ("symmetric", "repulsion"),
        "gamma_balance": (0.5, "balance"),
    }
    plain = NCSC(3, variant="paper")
    assert list(plain._collaboration_costs(out)) == ["positive", "negative"]
    for name, (value, term) in terms.items():
        method = NCSC(3, variant="paper", **{name: value})
        assert list(method._collaboration_costs(out)) == ["positive", "negative", term]
    few = NCSC(3, variant="paper", n_positives=1)
    assert few._collaboration_costs(out)["positive"] != plain._collaboration_costs(out)["positive"]


def test_printed_negatives_never_part_predictions_and_symmetric_ones_do(out):
    """As printed, the gradient of the negative pairs raises the affinities of the classifier."""
    negative = {}
    for kind in ("printed", "symmetric"):
        method = NCSC(3, variant="paper", negatives=kind)
        costs = method._collaboration_costs(out)
        total = costs["negative"] + costs.get("repulsion", 0)
        (gradient,) = torch.autograd.grad(total, out.logits, retain_graph=True)
        stepped = classifier_affinity(out.logits - 1e-2 * gradient).mean() - classifier_affinity(out.logits).mean()
        negative[kind] = stepped.item()
    assert negative["printed"] > 0 > negative["symmetric"]


def test_c_of_a_batch_minimises_eq_9_of_the_paper():
    """With the ridge penalty 2 / lambda_1, no other C with a zero diagonal costs less."""
    z = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    method = NCSC(3, variant="paper", gamma_coef=2.0, gamma_expression=10.0)
    lam = method._ridge_lambda()
    coef = ridge_coefficients(z, lam).requires_grad_()
    cost = 2 * coef.square().sum() + 10 * (z - coef @ z).square().sum()
    (gradient,) = torch.autograd.grad(cost, coef)
    torch.testing.assert_close(gradient.fill_diagonal_(0), torch.zeros_like(gradient), atol=1e-9, rtol=0)
    assert NCSC(3)._ridge_lambda() is None


def test_thresholds_rise_after_the_first_epoch():
    method = NCSC(positive_threshold=(0.1, 0.3), negative_threshold=0.8)
    assert method._thresholds() == [0.1, 0.8]
    method._end_first_epoch()
    assert method._thresholds() == [0.3, 0.8]


# Algorithm 1


def test_three_stages_and_their_step_sizes(images):
    seen = {}

    class Spy(NCSC):
        def _run(self, phase, rows, progress):
            before = {name: value.clone() for name, value in self.network_.state_dict().items()}
            super()._run(phase, rows, progress)
            after = self.network_.state_dict()
            seen[phase.name] = {
                name: (after[name] - before[name]).abs().max().item() for name in before if "weight" in name
            }

    fitted = make(Spy, **{**QUICK, "max_epochs": 1, "classifier_epochs": 1}).fit(images[0])
    phases = [row["phase"] for row in fitted.history_]
    assert phases == ["pretrain"] * 20 + ["subspace"] + ["init"] * 100 + ["classify", "joint"]
    assert fitted.n_iter_ == 103
    moves = {
        phase: {
            part: max(move for name, move in weights.items() if name.startswith(part))
            for part in ("encoder", "decoder", "classifier")
        }
        for phase, weights in seen.items()
    }
    near = {"rel": 0.05}  # Adam's first step is its step size.
    assert moves["subspace"] == pytest.approx({"encoder": 1e-4, "decoder": 1e-4, "classifier": 0}, **near)
    assert moves["classify"] == pytest.approx({"encoder": 0, "decoder": 0, "classifier": 1e-3}, **near)
    assert moves["joint"] == pytest.approx({"encoder": 1e-4, "decoder": 1e-4, "classifier": 1e-3}, **near)
    last = fitted.history_[-1]
    terms = {"reconstruction", "coef", "expression", "positive", "negative", "repulsion", "balance"}
    assert terms <= set(last)
    assert last["train_loss"] == pytest.approx(sum(last[term] for term in terms), rel=1e-5)
    assert last["clusters"] == 3


def test_batches_of_a_fit_are_of_equal_size_and_auto_epochs_give_the_steps():
    method = NCSC(batch_size=5000)
    assert [method._batch_rows(n) for n in (50, 5000, 5001, 70_000, 70_001)] == [50, 5000, 2501, 5000, 4667]
    assert [method._phases(n)[-1].epochs for n in (50, 70_000, 10**6)] == [100, 8, 1]
    assert NCSC(max_epochs=3)._phases(50)[-1].epochs == 3


@pytest.mark.parametrize(
    "params",
    [
        {"latent_normalization": "unit", "batch_size": "all"},
        {"variant": "paper", "init": "spectral"},
        {"variant": "paper", "init": KMeans(3, n_init=3)},
        {"autoencoder__network": "residual", "autoencoder__channels": (8, 12, 16), "batch_size": 30},
        {"autoencoder__network": "residual", "autoencoder__channels": (8, 12)},
        {"gamma_collaboration": 0.0},
        {"positive_threshold": 0.2, "n_positives": 3},
    ],
)
def test_every_way_runs(images, params):
    X, y = images
    fitted = make(NCSC, **{**QUICK, **params}).fit(X)
    assert "variant" in params or adjusted_rand_score(y, fitted.labels_) > 0.5
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    assert pickle.loads(pickle.dumps(fitted)).predict(X).tolist() == fitted.labels_.tolist()


def test_rows_without_spatial_structure_get_a_dense_head(images):
    X, y = images
    fitted = make(NCSC, **QUICK).fit(X.reshape(60, -1))
    assert adjusted_rand_score(y, fitted.labels_) > 0.5
    assert [layer.out_features for layer in fitted.network_.classifier[::2]] == [128, 3]


def test_clusterer_gives_the_first_labels(images):
    X, y = images

    class Oracle(KMeans):
        def fit_predict(self, X, y=None):
            assert X.shape == (60, 64)
            return 7 * images[1]

    fitted = make(NCSC, **{**QUICK, "classifier_epochs": 0, "max_epochs": 0}, init=Oracle(3)).fit(X)
    assert adjusted_rand_score(y, fitted.labels_) == 1
    with pytest.raises(ValueError, match="init found 5 clusters, more than n_clusters=3"):
        make(NCSC, **QUICK, init=KMeans(5)).fit(X)


@pytest.fixture
def _quick_head(shorten_heads):
    shorten_heads(60, 20)


@pytest.mark.parametrize("shape", [(60, 8, 8), (60, 64)])
@pytest.mark.usefixtures("_quick_head")
def test_a_head_on_the_codes_of_some_samples_tells_the_first_labels_of_all(images, shape, monkeypatch):
    """PSSC on the codes as they are; the classifier learns what it says, and no fit waits for one in another thread."""
    X = images[0].reshape(shape)
    params = {**QUICK, "subspace_epochs": 0, "classifier_epochs": 0, "max_epochs": 0, "init_size": 40}
    state = torch.get_rng_state()
    with monkeypatch.context() as patched:
        patched.setattr(torch.random, "fork_rng", lambda **kwargs: pytest.fail("takes torch's generators"))
        fitted = make(NCSC, **params, init="head").fit(X)
    assert torch.equal(torch.get_rng_state(), state)
    network = copy.deepcopy(fitted.network_)
    network.features = None
    codes = AutoEncoder(network=network, max_epochs=0)
    seed, dim = fitted._seeds["init"], fitted.subspace_dim_
    first = draw_rows(60, 40, seed)
    head = PSSC(3, autoencoder=codes, subspace_dim=dim, random_state=seed).fit(X[first])
    assert adjusted_rand_score(fitted.labels_, head.predict(X)) > 0.9
    np.testing.assert_allclose(fitted.transform(X), head.transform(X), atol=1e-6)


@pytest.mark.usefixtures("_quick_head")
def test_features_of_the_head_express_samples_unless_codes_are_asked_for(images):
    X, _ = images
    codes = make(NCSC, **QUICK, init="head", expressed="codes").fit(X)
    head, first = (make(NCSC, **{**QUICK, "max_epochs": epochs}, init="head").fit(X) for epochs in (2, 0))
    assert codes.network_.features is None
    z = torch.from_numpy(head.transform(X))
    assert z.shape == (60, 59)
    out = head.network_(torch.from_numpy(X[:, None].astype(np.float32)))
    torch.testing.assert_close(out.coef.detach(), head.network_.expression(z), atol=1e-4, rtol=1e-3)
    # The joint stage moves the codes, and leaves the head as it is.
    assert not np.allclose(head.transform(X), first.transform(X), atol=1e-3)
    for name, value in first.network_.features.state_dict().items():
        assert torch.equal(value, head.network_.features.state_dict()[name]), name
    with pytest.raises(ValueError, match="expressed='head' needs the head of init='head'; got init='spectral'"):
        make(NCSC, **QUICK, init="spectral", expressed="head").fit(X)


@pytest.mark.usefixtures("_quick_head")
def test_the_head_has_the_dimension_of_its_own_features(images, monkeypatch):
    X, _ = images
    chosen = make(NCSC, **QUICK, init="head", subspace_dim=3.0).fit(X)
    monkeypatch.setattr(NCSC, "_dimension", lambda self, samples: 5.0)  # That of the codes.
    codes, head = (make(NCSC, **QUICK, init="head", expressed=way).fit(X) for way in ("codes", "head"))
    assert head.subspace_dim_ in SUBSPACE_DIMS
    for fitted, dim in ((chosen, 3), (codes, 5), (head, head.subspace_dim_)):
        assert fitted.subspace_dim_ == dim
        assert fitted.network_.expression.degrees_of_freedom == 3 * dim


def test_first_labels_of_very_many_samples_are_learnt_in_a_bounded_number_of_steps():
    epochs = {n_samples: learning_phase(n_samples, 1e-3).epochs for n_samples in (250, 5000, 70_000, 1_000_000)}
    assert epochs == {250: 100, 5000: 15, 70_000: 10, 1_000_000: 1}


def test_size_of_the_first_labels_does_not_depend_on_the_batch(images):
    X, _ = images
    shapes = []

    class Spy(KMeans):
        def fit_predict(self, X, y=None):
            shapes.append(X.shape)
            return super().fit_predict(X)

    for init_size in (20, 50, 100):
        make(NCSC, **QUICK, batch_size=30, init=Spy(3), init_size=init_size).fit(X)
    assert shapes == [(20, 64), (50, 64), (60, 64)]
    with pytest.raises(ValueError, match="n_samples = 60, batch_size=30, init_size=2"):
        make(NCSC, **QUICK, batch_size=30, init_size=2).fit(X)


# Labels


def test_digits_accuracy_floor():
    X, y = load_digits(n_class=5, return_X_y=True)
    codes = AutoEncoder(channels=(20, 40), max_epochs=20)
    fitted = make(NCSC, 5, image_shape=(8, 8), autoencoder=codes, batch_size=300, random_state=0)
    fitted.set_params(subspace_epochs=1, classifier_epochs=2, max_epochs=5).fit(X[:600])
    assert clustering_accuracy_score(y[:600], fitted.labels_) > 0.88
    assert clustering_accuracy_score(y[600:], fitted.predict(X[600:])) > 0.88


def test_probabilities_and_labels_agree_and_do_not_depend_on_other_rows(images, monkeypatch):
    X, _ = images
    fitted = make(NCSC, **QUICK).fit(X)
    proba = fitted.predict_proba(X)
    assert proba.shape == (60, 3)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-9)
    np.testing.assert_array_equal(proba.argmax(1), fitted.labels_)
    monkeypatch.setattr("skdeepsc.training.batches._BLOCK_VALUES", 7 * 64)
    np.testing.assert_allclose(fitted.predict_proba(X), proba, atol=1e-6)
    assert fitted.transform(X).shape == (60, 15 * 4 * 4)


def test_labels_are_consecutive_where_clusters_are_empty(images):
    class Gaps(NCSC):
        def _initialize(self, samples, progress):
            self.network_.classifier[-3].bias.data[[0, 2]] = -1e3

    X, _ = images
    fitted = make(Gaps, **{**QUICK, "n_clusters": 4, "classifier_epochs": 0, "max_epochs": 0}).fit(X)
    present = np.unique(fitted.labels_)
    np.testing.assert_array_equal(present, np.arange(len(present)))
    proba = fitted.predict_proba(X)
    assert proba.shape == (60, 4)
    np.testing.assert_array_equal(proba.argmax(1), fitted.labels_)


def test_seeds(images):
    X, _ = images
    first = make(NCSC, **QUICK, batch_size=25).fit(X)
    torch.manual_seed(99)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    second, other = (make(NCSC, **{**QUICK, "random_state": seed}, batch_size=25).fit(X) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


# Collapse


def test_collapse_is_told_while_training(images):
    X, _ = images
    params = {**QUICK, "classifier_epochs": 40, "max_epochs": 0}
    with pytest.warns(
        ConvergenceWarning, match=r"uses 1 of 3 clusters in phase 'classify'.*variant='stabilized'"
    ) as told:
        collapsed = make(NCSC, **params, variant="paper").fit(X)
    assert len(told) == 1
    assert collapsed.history_[-1]["clusters"] == 1
    steady = make(NCSC, **params).fit(X)
    assert [row["clusters"] for row in steady.history_ if "clusters" in row] == [3] * 40


def test_a_cluster_with_less_than_a_tenth_of_its_share_is_not_in_use():
    counted = CountClusters(10, "Do something.", after_epoch=None)
    assert counted.n_used("joint", np.array([91, 91, 91, 91, 91, 91, 91, 91, 9, 7])) == 9
    with pytest.warns(ConvergenceWarning, match=r"5 of 10.*Do something"):
        counted.n_used("joint", np.array([200, 200, 200, 200, 200, 1, 1, 1, 0, 0]))


# Data that never lies in memory as a whole


@pytest.fixture
def mapped(tmp_path):
    """Two megabytes of images on disk, read-only, and their digits."""
    digits = load_digits(n_class=3)
    rows = np.resize(np.arange(300), 8000)
    path = tmp_path / "images.npy"
    np.save(path, digits.images[rows].astype(np.uint8).repeat(2, 1).repeat(2, 2))
    return np.load(path, mmap_mode="r"), digits.target[rows]


def test_a_mapped_array_is_never_copied_as_a_whole(mapped, monkeypatch):
    X, y = mapped
    method = NCSC(
        3, autoencoder=AutoEncoder(channels=(6, 12), max_epochs=3, lr=5e-3, batch_size=200, input_scale=16),
        init="spectral", init_size=200, batch_size=200, subspace_epochs=1, classifier_epochs=0, max_epochs=1,
        random_state=0,
    )  # fmt: skip
    monkeypatch.setattr("skdeepsc.training.batches._BLOCK_VALUES", 2**17)
    monkeypatch.setattr("skdeepsc.features._autoencoder._TEST_ROWS", 1000)
    largest = []

    class Watched(Rows):
        def __getitem__(self, index):
            rows = super().__getitem__(index)
            largest.append(len(rows))
            return rows

    monkeypatch.setattr("skdeepsc.training.batches.Rows", Watched)
    method.fit(X[:300])  # What is allocated once for all.
    tracemalloc.start()
    for step in (method.fit, method.partial_fit, method.predict, method.predict_proba):
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        step(X)
        assert tracemalloc.get_traced_memory()[1] - before < 0.6 * X.nbytes, step
    tracemalloc.stop()
    assert max(largest) <= 1000
    assert method.labels_.shape == (8000,)
    assert adjusted_rand_score(y, method.labels_) > 0.5


def test_rows_answer_as_a_tensor_does():
    array = np.arange(60, dtype=np.uint8).reshape(20, 3)
    array.flags.writeable = False
    rows, tensor = Rows(array, "cpu"), torch.arange(60, dtype=torch.uint8).reshape(20, 3)
    assert len(rows) == 20
    for index in (slice(2, 5), slice(None, None, 3), slice(None), torch.tensor([4, 1, 1])):
        assert torch.equal(rows[index], tensor[index])
    assert all(torch.equal(a, b) for a, b in zip(rows.split(7), tensor.split(7), strict=True))
    assert rows.device == tensor.device


def test_memory_is_compared_before_it_is_needed(images, monkeypatch):
    X, _ = images
    monkeypatch.setattr("skdeepsc._memory.available_bytes", lambda device: 70 * 60**2 + 1)
    make(NCSC, **{**QUICK, "autoencoder__max_epochs": 0}).fit(X)
    monkeypatch.setattr("skdeepsc._memory.available_bytes", lambda device: 1000)
    with pytest.raises(MemoryError, match=r"60 samples in batches of 60 needs .*smaller batch_size"):
        make(NCSC, **QUICK).fit(X)
    with pytest.raises(ValueError, match=r"n_clusters=8 must not be larger .* batch_size=5"):
        NCSC(8, batch_size=5).fit(X)


# partial_fit


def test_partial_fit_continues(images):
    X, y = images
    method = make(NCSC, **QUICK).partial_fit(X[:40])
    reference = make(NCSC, **QUICK).fit(X[:40])
    np.testing.assert_array_equal(method.predict_proba(X), reference.predict_proba(X))
    weight, lam = method.collaboration_weight_, method.network_.expression.lam
    method.partial_fit(X[40:])
    assert method.labels_.shape == (20,)
    assert method.n_iter_ == reference.n_iter_ + 1
    assert [row["phase"] for row in method.history_][-2:] == ["joint"] * 2
    assert method.collaboration_weight_ == weight
    assert method.network_.expression.lam == lam
    assert not np.array_equal(method.predict_proba(X), reference.predict_proba(X))
    assert (method.predict(X) == reference.predict(X)).mean() > 0.9
    assert adjusted_rand_score(y, method.predict(X)) > 0.8
    with pytest.raises(ValueError, match="4 features, but NCSC is expecting 64"):
        method.partial_fit(np.zeros((9, 4)))
    with pytest.raises(ValueError, match=r"n_clusters was 3 in fit and is 4: partial_fit goes on"):
        method.set_params(n_clusters=4).partial_fit(X[40:])


def test_partial_fit_says_what_to_do_where_memory_runs_out(images, monkeypatch):
    def run(*_, **__):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.")

    method = make(NCSC, **QUICK).fit(images[0])
    monkeypatch.setattr(NCSC, "_run", run)
    with pytest.raises(MemoryError, match=r"Memory has run out: CUDA .* smaller batch_size"):
        method.partial_fit(images[0])


@pytest.mark.filterwarnings("ignore:The classifier is collapsing")  # It is asked to.
def test_clusters_keep_their_numbers(images):
    """New rows of one cluster do not make it the first."""
    X, _ = images
    method = make(NCSC, **QUICK).fit(X)
    last = X[method.labels_ == 2]
    method.set_params(autoencoder_lr=1e-12, lr=1e-12).partial_fit(last)
    assert set(method.labels_) == {2}


# Networks


@pytest.mark.parametrize("preactivation", [False, True])
@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (5, 6)])
def test_residual_decoders_return_the_shapes_that_encoders_met(shape, preactivation):
    network = ResidualAutoEncoder((2, *shape), (4, 5, 6), (3, 1, 3), preactivation=preactivation)
    x = torch.rand(3, 2, *shape)
    assert network.decoder(network.encoder(x)).shape == x.shape
    assert not any("Norm" in type(layer).__name__ for layer in network.modules())


def test_residual_block_is_the_sum_of_its_branches():
    for preactivation in (False, True):
        network = ResidualAutoEncoder((1, 8, 8), (3, 4), preactivation=preactivation)
        block, x = network.encoder[2], torch.randn(2, 3, 8, 8)
        inner = block.conv(block.resize(x.relu() if preactivation else x).relu())
        total = inner + block.shortcut(x)
        torch.testing.assert_close(block(x), total if preactivation else total.clamp_min(0))
        torch.nn.init.zeros_(block.conv.weight)
        torch.testing.assert_close(block(x), block.shortcut(x) if preactivation else block.shortcut(x).relu())


def test_networks_of_the_paper_have_its_sizes():
    residual = ResidualAutoEncoder((1, 28, 28))
    assert residual.encoder(torch.zeros(1, 1, 28, 28)).shape == (1, 4 * 4 * 40)
    with pytest.raises(ValueError, match="as many kernel sizes as channels"):
        ResidualAutoEncoder((1, 28, 28), (10, 20), (3, 3, 3))
    with pytest.raises(ValueError, match="too small"):
        ResidualAutoEncoder((1, 4, 4), (2, 2, 2, 2, 2), (3,))
    head = conv_classifier((30, 4, 4), (64, 64, 64), 10)
    assert [layer.kernel_size for layer in head if isinstance(layer, torch.nn.Conv2d)] == [(2, 2)] * 3 + [(1, 1)]
    assert head(torch.zeros(5, 480)).shape == (5, 10)
    small = conv_classifier((2, 1, 3), (4, 4, 4), 7)
    assert [layer.kernel_size for layer in small if isinstance(layer, torch.nn.Conv2d)] == [
        (1, 2),
        (1, 2),
        (1, 1),
        (1, 1),
    ]
    assert small(torch.zeros(5, 6)).shape == (5, 7)
