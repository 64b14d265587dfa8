"""Run by test_accelerate.py, once in its own process and once in several: trains, and keeps what came of it."""

import gc
import pickle
import sys

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from skorch.callbacks import EarlyStopping

from skdeepsc import DSCSC, NCSC, AutoEncoder, Contrastive
from skdeepsc.deep import _expression_head, _first_labels
from skdeepsc.nn import ConvAutoEncoder

DIGITS = load_digits(n_class=3)
# Neither the batches nor the samples are even numbers.
IMAGES = DIGITS.images[:151]
RUN = {"random_state": 0, "device": "accelerate"}
SHORT = {"max_epochs": 2, **RUN}


class FirstLabels(KMeans):
    """Keeps a sum of the rows that it was given."""

    seen = []

    def fit_predict(self, X, y=None):
        self.seen.append(float(X.sum()))
        return super().fit_predict(X)


class FirstDead:
    """A network that is dead when it is first drawn."""

    n_draws = 0

    def __call__(self, image_shape):
        built = ConvAutoEncoder(image_shape, (15,), (3,))
        if self.n_draws == 0:
            torch.nn.init.constant_(built.encoder[0].bias, -100)
        self.n_draws += 1
        return built


def estimators(cache):
    """What is trained, by name."""
    ncsc = {
        "n_clusters": 3, "batch_size": 84, "subspace_epochs": 1, "classifier_epochs": 1, "max_epochs": 3, **RUN,
        "autoencoder": AutoEncoder(channels=(10, 20, 30), max_epochs=2, batch_size=40), "memory": cache,
    }  # fmt: skip
    # Fewer phases: to start one takes several processes longer than to run it.
    short = {**ncsc, "subspace_epochs": 0, "classifier_epochs": 0}
    stops = EarlyStopping("train_loss", threshold=10, patience=2)
    return {
        "autoencoder": AutoEncoder(batch_size=33, **SHORT),
        "cached": AutoEncoder(memory=cache, **SHORT),
        "cached again": AutoEncoder(memory=cache, **SHORT),
        "stopped": AutoEncoder(callbacks=[stops], **{**SHORT, "max_epochs": 6}),
        "drawn again": AutoEncoder(network=FirstDead(), batch_size=25, **SHORT),
        # Which pair is the largest may hang on the last digit of a code; one of five costs little.
        "ncsc": NCSC(init=KMeans(3), n_positives=5, **ncsc),
        "spectral": NCSC(init="spectral", **short),
        "head": NCSC(init="head", init_size=100, **short),
        "no collaboration": NCSC(init=KMeans(3), gamma_collaboration=0, **short),
        "without a seed": NCSC(init=FirstLabels(3), init_size=100, **{**short, "random_state": None}),
        "contrastive": DSCSC(3, max_epochs=2, augment="digits", autoencoder=AutoEncoder(max_epochs=4), **RUN),
        "stage one": Contrastive(**SHORT),
    }


def outcome(estimator):
    """All that must be the same in all processes."""
    labels = getattr(estimator, "labels_", np.empty(0))
    return labels.tolist(), [value.sum().item() for value in estimator.network_.state_dict().values()]


def main(folder):
    """Train all and let the first process write them."""
    process = Accelerator()
    # The classifier need not learn the first labels well, nor a head its graph.
    _first_labels._EPOCHS, _expression_head._POLICIES = (4, 4), ("digits",)
    _expression_head._STEPS = dict.fromkeys(("contrast", "rate"), (10, 5))
    fitted = {name: estimator.fit(IMAGES) for name, estimator in estimators(f"{folder}/cache").items()}
    fitted["ncsc"].partial_fit(IMAGES)
    own = {name: outcome(estimator) for name, estimator in fitted.items()}
    outcomes = gather_object([own | {"first labels": FirstLabels.seen}])
    different = [name for name in outcomes[0] if any(other[name] != outcomes[0][name] for other in outcomes)]
    assert not different, f"processes differ in {different}"
    if process.is_main_process:
        with open(f"{folder}/fitted.pkl", "wb") as file:
            for estimator in fitted.values():
                estimator.__dict__.update(network=None, init=None)  # Of a class of this script.
            fitted.pop("without a seed")
            pickle.dump({"n_processes": process.num_processes, "fitted": fitted}, file)
    process.wait_for_everyone()
    process.end_training()


if __name__ == "__main__":
    import torch._dynamo  # As the first phase does.

    gc.freeze()  # Each phase collects garbage, and what is imported is none.
    main(sys.argv[1])
