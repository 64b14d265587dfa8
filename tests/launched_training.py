"""Started by test_accelerate.py, once by itself and once in several processes: trains, and keeps what came of it."""

import pickle
import sys

from accelerate import Accelerator
from sklearn.datasets import load_digits
from skorch.callbacks import EarlyStopping

from skdeepsc import DSCSC, NCSC, AutoEncoder

DIGITS = load_digits(n_class=3)
# Neither the batches nor the samples are even numbers.
IMAGES = DIGITS.images[:251]
SHORT = {"pretrain_epochs": 4, "random_state": 0, "device": "accelerate"}


def estimators(cache):
    """What is trained, by name."""
    ncsc = {"n_clusters": 3, "batch_size": 84, "subspace_epochs": 2, "classifier_epochs": 3, "max_epochs": 3, **SHORT}
    stops = EarlyStopping("train_loss", threshold=10, patience=2)
    return {
        "autoencoder": AutoEncoder(pretrain_batch_size=33, **SHORT),
        "cached": AutoEncoder(memory=cache, **SHORT),
        "cached again": AutoEncoder(memory=cache, **SHORT),
        "stopped": AutoEncoder(callbacks=[stops], **{**SHORT, "pretrain_epochs": 9}),
        "ncsc": NCSC(**ncsc),
        "no collaboration": NCSC(gamma_collaboration=0, **ncsc),
        "fixed blocks": NCSC(solver="trained", init="none", **ncsc),
        "contrastive": DSCSC(3, max_epochs=2, augment="digits", **SHORT),
    }


def main(folder):
    """Train all and let the first process write them."""
    process = Accelerator()
    fitted = {name: estimator.fit(IMAGES) for name, estimator in estimators(f"{folder}/cache").items()}
    fitted["ncsc"].partial_fit(IMAGES)
    if process.is_main_process:
        with open(f"{folder}/fitted.pkl", "wb") as file:
            pickle.dump({"n_processes": process.num_processes, "fitted": fitted}, file)


if __name__ == "__main__":
    main(sys.argv[1])
