"""Phases, callbacks of both kinds, and every way to end a fit."""

import _thread
import os
import signal

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping

from skdeepsc import DSCSC, PSSC, AutoEncoder, DSCNet
from skdeepsc.deep import TrainedSolver
from skdeepsc.metrics import silhouette_scorer
from skdeepsc.model_selection import TransductiveSplit
from skdeepsc.nn import DenseAutoEncoder, SubspaceNetwork
from skdeepsc.training import Phase, StopTraining, Trainer
from skdeepsc.training.batches import Batches, in_blocks
from skdeepsc.training.optimizer import Adam

QUICK = {"n_clusters": 3, "autoencoder": AutoEncoder(max_epochs=6), "max_epochs": 4, "random_state": 0}


class Recorder(Callback):
    """Remembers phases and epochs; does `action` at the end of epoch `at` of `phase`."""

    def __init__(self, action=lambda: None, phase="pretrain", at=2):
        self.action, self.phase, self.at, self.seen = action, phase, at, []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append((net.phase.name, len(net.history)))
        if self.seen[-1] == (self.phase, self.at):
            self.action()


class Cores(Callback):
    """Remembers how many cores torch had after each step and each epoch."""

    def __init__(self):
        self.in_steps, self.beside = set(), set()

    def on_grad_computed(self, net, **kwargs):
        self.in_steps.add(torch.get_num_threads())

    def on_epoch_end(self, net, **kwargs):
        self.beside.add(torch.get_num_threads())


class Tasks:
    """A scikit-learn callback that remembers the tasks it was told of and may ask to stop."""

    max_propagation_depth = None

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.ended = []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        name = context.task_name
        parent = context.parent.task_name if context.parent is not None else None
        self.ended.append((parent, name, context.task_id))
        return self.ended[-1] == self.stop_at

    def teardown(self, estimator, context):
        pass


def raising(error):
    def action():
        raise error

    return action


def phases_of(estimator):
    return [row["phase"] for row in estimator.history_]


def test_steps_and_states_are_those_of_torchs_optimizer():
    weights, states = [], []
    for optimizer in (torch.optim.Adam, Adam):
        linear = torch.nn.Linear(3, 2, bias=False)
        with torch.no_grad():
            linear.weight.copy_(torch.arange(6).view(2, 3))
        adam = optimizer(linear.parameters(), lr=0.1)
        for _ in range(3):
            adam.zero_grad()
            linear(torch.eye(3)).square().sum().backward()
            adam.load_state_dict(adam.state_dict())
            adam.step()
        weights.append(linear.weight.detach())
        states.append(adam.state_dict())
    torch.testing.assert_close(*weights, rtol=0, atol=0)
    torch.testing.assert_close(*states, rtol=0, atol=0)


def test_users_callbacks_are_called_in_every_phase(images):
    recorder = Recorder()
    DSCNet(**QUICK, callbacks=[recorder]).fit(images[0])
    assert recorder.seen == [("pretrain", i) for i in range(1, 7)] + [("finetune", i) for i in range(1, 5)]


def test_early_stopping_ends_its_phase_and_the_fit_goes_on(images):
    stopping = EarlyStopping(monitor="train_loss", threshold=1e9, threshold_mode="abs", patience=2)
    fitted = DSCNet(**QUICK, callbacks=[stopping]).fit(images[0])
    assert phases_of(fitted) == ["pretrain"] * 3 + ["finetune"] * 3


def test_stop_training_ends_its_phase(images):
    fitted = DSCNet(**QUICK, callbacks=[Recorder(raising(StopTraining))]).fit(images[0])
    assert phases_of(fitted) == ["pretrain"] * 2 + ["finetune"] * 4


@pytest.fixture
def interruptible():
    """Python heeds SIGINT, which a shell has jobs in its background ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("phase", ["pretrain", "finetune"])
@pytest.mark.parametrize(
    "interrupt",
    [lambda: os.kill(os.getpid(), signal.SIGINT), _thread.interrupt_main, raising(KeyboardInterrupt)],
    ids=["signal", "thread", "raise"],
)
def test_ctrl_c_ends_the_fit(images, phase, interrupt):
    recorder = Recorder(interrupt, phase)
    with pytest.raises(KeyboardInterrupt):
        DSCNet(**QUICK, callbacks=[recorder]).fit(images[0])
    assert recorder.seen[-1] == (phase, 2)


def test_scikit_learn_callbacks_see_phases_and_epochs(images):
    pytest.importorskip("sklearn.callback")
    tasks = Tasks()
    DSCNet(**QUICK).set_callbacks(tasks).fit(images[0])
    epochs = [("pretrain", "epoch", i) for i in range(6)] + [("fit", "pretrain", 0)]
    epochs += [("finetune", "epoch", i) for i in range(4)] + [("fit", "finetune", 1)]
    assert tasks.ended == [*epochs, ("fit", "segment", 2), (None, "fit", 0)]


def test_scikit_learn_callbacks_can_end_a_phase_and_all_phases(images):
    pytest.importorskip("sklearn.callback")
    tasks = Tasks(stop_at=("finetune", "epoch", 1))
    assert phases_of(DSCNet(**QUICK).set_callbacks(tasks).fit(images[0])) == ["pretrain"] * 6 + ["finetune"] * 2
    tasks = Tasks(stop_at=("fit", "express", 1))
    fitted = DSCNet(**QUICK, solver=TrainedSolver(epochs=3)).set_callbacks(tasks).fit(images[0])
    assert phases_of(fitted) == ["pretrain"] * 6 + ["express"] * 3
    tasks = Tasks(stop_at=("fit", "pretrain", 0))
    fitted = DSCNet(**QUICK).set_callbacks(tasks).fit(images[0])
    assert phases_of(fitted) == ["pretrain"] * 6
    assert fitted.labels_.shape == (60,)


def test_a_head_and_a_search_of_views_end_with_all_phases(images):
    pytest.importorskip("sklearn.callback")
    tasks = Tasks(stop_at=("fit", "pretrain", 0))
    pssc = PSSC(**QUICK).set_callbacks(tasks).fit(images[0])
    assert (phases_of(pssc), pssc.supervision_) == (["pretrain"] * 6, "none")
    assert not hasattr(pssc, "augment_scores_")
    tasks = Tasks(stop_at=("fit", "pretrain", 1))
    dscsc = DSCSC(**QUICK, image_shape=(8, 8)).set_callbacks(tasks).fit(images[0])
    assert set(phases_of(dscsc)) == {"pretrain"}
    assert len(dscsc.augment_scores_) == 2
    assert dscsc.augment_ in dscsc.augment_scores_


def test_progress_bars_in_a_parallel_search(images, capfd):
    pytest.importorskip("rich")
    ProgressBar = pytest.importorskip("sklearn.callback").ProgressBar

    pipeline = make_pipeline(StandardScaler(), DSCNet(**QUICK, image_shape=(8, 8)))
    search = GridSearchCV(
        pipeline,
        {"dscnet__gamma_expression": [0.1, 1.0]},
        cv=TransductiveSplit(),
        scoring=silhouette_scorer,
        error_score="raise",
        n_jobs=2,
    ).set_callbacks(ProgressBar(max_propagation_depth=None))
    search.fit(images[0].reshape(60, -1))
    shown = capfd.readouterr().out
    assert "DSCNet" in shown
    assert "pretrain" in shown
    assert "finetune" in shown


def test_a_redrawn_network_reports_each_epoch_once(images):
    pytest.importorskip("sklearn.callback")

    def dead(shape):
        network = DenseAutoEncoder(shape)
        for parameter in network.parameters():
            torch.nn.init.zeros_(parameter)
        return network

    tasks = Tasks()
    with pytest.warns(match="hardly better"):
        AutoEncoder(network=dead, max_epochs=60, lr=1e-9, random_state=0).set_callbacks(tasks).fit(images[0])
    assert sum(name == "epoch" for _, name, _ in tasks.ended) == 60


def test_weights_that_have_left_all_bounds_are_refused(images):
    told = r"Weights of the encoder became larger than 1e\+12 in phase 'pretrain'"
    with pytest.raises(FloatingPointError, match=told):  # In one step, after which nothing is computed.
        AutoEncoder(max_epochs=1, batch_size=len(images[0]), lr=1e30, random_state=0).fit(images[0])


def test_a_cost_that_diverges_is_named(images):
    with pytest.raises(FloatingPointError, match=r"'expression' became inf in phase 'finetune', epoch 1.*weight of"):
        DSCNet(**QUICK, gamma_expression=1e38, solver=TrainedSolver(epochs=0)).fit(1e3 * images[0])


def test_verbose_prints_a_table(images, capsys):
    DSCNet(**QUICK).fit(images[0])
    assert capsys.readouterr().out == ""
    DSCNet(**QUICK, verbose=1).fit(images[0])
    assert "reconstruction" in capsys.readouterr().out


@pytest.mark.parametrize(("channels", "n_cores"), [((4, 4), 1), ((256, 512), 2)])
def test_steps_of_little_work_have_one_core(images, channels, n_cores):
    """Threads that wait for each other by spinning; what is between the steps, such as a new graph, has all cores."""
    cores = Cores()
    torch.set_num_threads(2)
    try:
        AutoEncoder(channels=channels, max_epochs=1, batch_size=40, callbacks=[cores], random_state=0).fit(images[0])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert (cores.in_steps, cores.beside) == ({n_cores}, {2})


def test_frozen_parts_do_not_move():
    torch.manual_seed(0)
    dense = DenseAutoEncoder((6,), (3,))
    network = SubspaceNetwork(dense.encoder, dense.decoder)
    before = dense.encoder[1].weight.detach().clone(), dense.decoder[0].weight.detach().clone()
    phase = Phase("only", lambda out: {"loss": (out.x - out.x_auto).square().sum()}, 2, 0.1, parts=("decoder",))
    Trainer(network, phase, verbose=0).train_phase(torch.randn(9, 6))
    assert torch.equal(dense.encoder[1].weight, before[0])
    assert not torch.equal(dense.decoder[0].weight, before[1])


def test_the_loop_is_adam_on_the_sum_of_the_costs():
    """The trainer against the obvious torch loop, to the last bit."""
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        dense = DenseAutoEncoder((6,), (3,))
        networks.append(SubspaceNetwork(dense.encoder, dense.decoder))

    def costs(out):
        return {"a": (out.x - out.x_auto).square().sum(), "b": 0.1 * out.z.abs().sum()}

    Trainer(networks[0], Phase("p", costs, 5, 0.01), verbose=0).train_phase(x)
    optimizer = torch.optim.Adam(networks[1].parameters(), 0.01, fused=True)
    for _ in range(5):
        optimizer.zero_grad()
        sum(costs(networks[1](x)).values()).backward()
        optimizer.step()
    for ours, plain in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(ours, plain)


def test_batches_cover_all_rows_once():
    samples = torch.arange(10)[:, None]
    (full,) = [batch["x"] for batch, _ in Batches(samples, 10)]
    assert full.data_ptr() == samples.data_ptr()
    batches = [batch for batch, _ in Batches(samples, 4)]
    assert [len(batch["x"]) for batch in batches] == [4, 4, 2]
    assert len(Batches(samples, 4)) == 3
    rows = torch.cat([batch["x"][:, 0] for batch in batches])
    assert torch.equal(rows.sort().values, samples[:, 0])
    assert torch.equal(rows, torch.cat([batch["index"] for batch in batches]))


def test_what_is_not_asked_for_is_not_computed():
    class Forbidden(torch.nn.Module):
        def forward(self, *args):
            raise AssertionError("computed")

    network = SubspaceNetwork(torch.nn.Identity(), torch.nn.Identity(), Forbidden(), Forbidden())
    out = network(torch.ones(2, 3))
    assert out.x_auto.shape == (2, 3)
    with pytest.raises(AssertionError, match="computed"):
        out.coef  # noqa: B018


def test_a_zero_weight_costs_nothing(images, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("computed")

    monkeypatch.setattr("skdeepsc.deep._pssc.pseudo_graph_loss", forbidden)
    PSSC(**QUICK, variant="paper", gamma_graph=0).fit(images[0])
    with pytest.raises(AssertionError, match="computed"):
        PSSC(**QUICK, variant="paper").fit(images[0])


def test_epoch_terms_are_sums_over_batches(images):
    fitted = AutoEncoder(max_epochs=1, lr=1e-12, batch_size=7, random_state=0).fit(images[0])
    rebuilt = fitted.inverse_transform(fitted.transform(images[0]))[:, 0]
    wanted = np.square((rebuilt - images[0]) / fitted.input_scale_).sum()
    assert fitted.history_[0]["reconstruction"] == pytest.approx(wanted, rel=1e-3)


def test_networks_encode_no_more_values_at_once_than_a_block_holds():
    assert [len(block) for block in in_blocks(torch.zeros(50, 3, 300, 300))] == [15, 15, 15, 5]
    assert [len(block) for block in in_blocks(torch.zeros(5000, 3))] == [4096, 904]
    assert [len(block) for block in in_blocks(torch.zeros(1000, 3), 512)] == [512, 488]


@pytest.mark.parametrize("names", [{"parts": ("encoder", "decodr")}, {"part_lrs": {"decodr": 0.1}}])
def test_parts_that_a_network_does_not_have_are_named(names):
    layers = DenseAutoEncoder((6,), (4, 2))
    network = SubspaceNetwork(layers.encoder, layers.decoder)
    phase = Phase("learn", lambda out: {"cost": out.z.square().sum()}, 1, 0.1, **names)
    with pytest.raises(ValueError, match=r"'learn' names the parts decodr, .* it has encoder, decoder"):
        Trainer(network, phase).fit(torch.ones(5, 6))


def test_fit_trains_the_parts_of_its_phase():
    layers = DenseAutoEncoder((6,), (4, 2))
    network = SubspaceNetwork(layers.encoder, layers.decoder)
    before = [value.clone() for value in network.decoder.parameters()]
    encoder = [value.clone() for value in network.encoder.parameters()]
    phase = Phase("learn", lambda out: {"cost": (out.x - out.x_auto).square().sum()}, 2, 0.1, parts=("encoder",))
    Trainer(network, phase).fit(torch.rand(5, 6))
    assert all(torch.equal(value, former) for value, former in zip(network.decoder.parameters(), before, strict=True))
    assert not all(
        torch.equal(value, former) for value, former in zip(network.encoder.parameters(), encoder, strict=True)
    )
