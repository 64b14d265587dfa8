"""Sets of the papers that are made by a recipe: words of Reuters' news, and Stanford's pictures of products."""

import csv
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.datasets import fetch_rcv1
from sklearn.utils import Bunch

from .._random import draw_rows, draw_seeds
from ._images import load_images

_ROOTS = ("CCAT", "ECAT", "GCAT", "MCAT")
_LISTS = {"train": ("Ebay_train.txt",), "test": ("Ebay_test.txt",), "all": ("Ebay_train.txt", "Ebay_test.txt")}


def load_rcv1_words(
    *,
    n_samples: int = 10_000,
    n_words: int = 2_000,
    random_state: Any = 0,
    data_home: Any = None,
    return_X_y: bool = False,
) -> Any:
    """RCV1-10k of the papers: news of Reuters as tf-idf of the words that weigh most.

    Documents that belong to exactly one of the four root categories are kept, then the words with the largest sum of
    tf-idf over them; of these documents some are drawn at random, without regard to their categories.

    Parameters
    ----------
    n_samples : int, default=10_000
        Documents that are drawn; those that there are, if that is less.
    n_words : int, default=2_000
        Words that are kept.
    random_state : int, RandomState instance or None, default=0
        Which documents.
    data_home : str, Path or None, default=None
        Where :func:`sklearn.datasets.fetch_rcv1` keeps all of RCV1, some 650 MB.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        ``data`` : CSR matrix of shape (n, n_words), float64
            The classics take it as it is, methods with a network as ``data.toarray()``.
        ``target`` : ndarray of shape (n,), int64
            Root category, for scoring only.
        ``target_names`` : list of str
            Root categories.
        ``sample_id`` : ndarray of shape (n,)
            Reuters' numbers of the documents.
        ``words`` : ndarray of shape (n_words,)
            Columns of RCV1 that are kept, ascending.

    Notes
    -----
    Draws and order of steps differ between papers, which publish lists of their own at best: figures compare roughly.
    """
    news = fetch_rcv1(data_home=data_home)
    roots = [news.target_names.tolist().index(name) for name in _ROOTS]
    belongs = news.target[:, roots].toarray()
    kept = np.flatnonzero(belongs.sum(axis=1) == 1)
    weights = np.asarray(news.data[kept].sum(axis=0)).ravel()
    words = np.sort(np.argsort(-weights, kind="stable")[:n_words])
    drawn = kept[draw_rows(len(kept), min(n_samples, len(kept)), draw_seeds(random_state, 1)[0])]
    data, target = news.data[drawn][:, words], belongs[drawn].argmax(axis=1)
    if return_X_y:
        return data, target
    return Bunch(data=data, target=target, target_names=list(_ROOTS), sample_id=news.sample_id[drawn], words=words)


def load_online_products(
    folder: Any,
    size: Any = 32,
    *,
    subset: str = "all",
    color: Literal["auto", "grey", "rgb"] = "grey",
    **image_params: Any,
) -> Bunch:
    """Stanford Online Products from its unpacked folder: 120,053 pictures in 12 super classes.

    Parameters
    ----------
    folder : str or Path
        Where ``Ebay_train.txt`` and ``Ebay_test.txt`` are, and the folders of pictures beside them.
    size : int or (int, int), default=32
        ``(height, width)`` of the images.
    subset : {"all", "train", "test"}, default="all"
        Which of the two lists.
    color : {"grey", "rgb", "auto"}, default="grey"
        NCSC's paper takes grey images of 32 x 32.
    **image_params
        Further arguments of :func:`load_images`, such as `fit`, `out` and `n_jobs`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        As of :func:`load_images`, in the order of the lists; ``target`` is the super class, for scoring only, and
        ``products`` : ndarray of shape (n,), int64, the number of the product, of which there are 22,634.

    Raises
    ------
    FileNotFoundError
        If a list is missing.

    Notes
    -----
    NCSC's paper takes 10,056 pictures of ten classes, which were picked by hand and are not published.
    """
    if subset not in _LISTS:
        raise ValueError(f"subset={subset!r} must be one of {', '.join(map(repr, _LISTS))}.")
    folder = Path(folder)
    lines = [line for name in _LISTS[subset] for line in _lines(folder / name)]
    bunch = load_images([folder / line["path"] for line in lines], size, color=color, **image_params)
    by_file = {str(folder / line["path"]): line for line in lines}
    kept = [by_file[name] for name in bunch.filenames.tolist()]
    names = {int(line["super_class_id"]): line["path"].split("/")[0].removesuffix("_final") for line in lines}
    classes = sorted(names)
    bunch.target = np.searchsorted(classes, [int(line["super_class_id"]) for line in kept]).astype(np.int64)
    bunch.target_names = [names[number] for number in classes]
    bunch.products = np.array([int(line["class_id"]) for line in kept], dtype=np.int64)
    return bunch


def _lines(path):
    """Lines of a list as dicts by its head: image_id, class_id, super_class_id, path."""
    if not path.exists():
        raise FileNotFoundError(
            f"There is no list {str(path)!r}: give the unpacked folder of Stanford Online Products."
        )
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter=" "))
