import os

# Two test processes share the cores; linear algebra would start a team of threads in each, which wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Before scipy is imported: scikit-learn's checks then include array API input.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

# Mypy reads it; it does not run.
collect_ignore = ["typed.py"]


@pytest.fixture(autouse=True)
def _one_thread():
    """Two test processes share the cores; torch would start a team of threads in each."""
    torch.set_num_threads(1)


@pytest.fixture
def few_first_epochs(monkeypatch):
    """Classifiers learn first labels for a tenth of the epochs that few samples get, most of a short fit."""
    monkeypatch.setattr("skdeepsc.deep._first_labels._EPOCHS", (10, 10))


@pytest.fixture
def shorten_heads(monkeypatch):
    """A function that has heads learn for fewer steps, their graph renewed after fewer, and under one policy."""

    def shorten(steps, renewed):
        monkeypatch.setattr("skdeepsc.deep._expression_head._POLICIES", ("digits",))
        monkeypatch.setattr(
            "skdeepsc.deep._expression_head._STEPS", dict.fromkeys(("contrast", "rate"), (steps, renewed))
        )

    return shorten


@pytest.fixture
def images():
    """Sixty 8 x 8 images of the digits 0, 4 and 6, float32 in [0, 1], and their digits."""
    digits = load_digits()
    rows = np.flatnonzero(np.isin(digits.target, [0, 4, 6]))[:60]
    return (digits.images[rows] / 16).astype(np.float32), digits.target[rows]
