"""Image sets of the papers by name, as OpenML and scikit-learn keep them."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.datasets import fetch_olivetti_faces, fetch_openml
from sklearn.utils import Bunch

_FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def fetch_mnist(*, data_home=None, return_X_y=False):
    """MNIST, 70,000 handwritten digits of 28 x 28: 60,000 of training, then 10,000 of test.

    Parameters
    ----------
    data_home : str, Path or None, default=None
        Where the set is kept once it is loaded; ``None``: scikit-learn's folder.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` alone.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        ``images`` : ndarray of shape (n, height, width), uint8; ``target`` : ndarray of shape (n,), int64, for scoring
        only; ``target_names`` : list of str; ``DESCR`` : str.

    Raises
    ------
    ValueError
        If what was loaded has not the checksum that OpenML gives for it.

    Notes
    -----
    OpenML's data set 554.
    """
    return _fetched(554, [(28, 28)], data_home, return_X_y)


def fetch_fashion_mnist(*, data_home=None, return_X_y=False):
    """Fashion-MNIST, 70,000 grey pictures of clothes of 28 x 28: 60,000 of training, then 10,000 of test.

    Parameters
    ----------
    data_home : str, Path or None, default=None
        Where the set is kept once it is loaded; ``None``: scikit-learn's folder.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` alone.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        As of :func:`fetch_mnist`.

    Notes
    -----
    OpenML's data set 40996.
    """
    return _fetched(40996, [(28, 28)], data_home, return_X_y, names=_FASHION)


def fetch_usps(*, data_home=None, return_X_y=False):
    """USPS, 9,298 handwritten digits of 16 x 16: 7,291 of training, then 2,007 of test.

    Parameters
    ----------
    data_home : str, Path or None, default=None
        Where the set is kept once it is loaded; ``None``: scikit-learn's folder.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` alone.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        As of :func:`fetch_mnist`; `target` is the digit.

    Notes
    -----
    OpenML's data set 41082, whose values from -1 to 1 become 0 to 255, and whose labels 1 to 10 become 0 to 9.
    """
    return _fetched(41082, [(16, 16)], data_home, return_X_y, names=map(str, range(10)))


def fetch_olivetti(*, data_home=None, return_X_y=False):
    """The Olivetti faces, or ORL: 400 grey pictures of 64 x 64, ten of each of 40 persons.

    Parameters
    ----------
    data_home : str, Path or None, default=None
        Where the set is kept once it is loaded; ``None``: scikit-learn's folder.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` alone.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        As of :func:`fetch_mnist`.

    Notes
    -----
    The faces of :func:`sklearn.datasets.fetch_olivetti_faces`. The papers use 32 x 32, which is
    ``images.reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4))``.
    """
    faces = fetch_olivetti_faces(data_home=data_home)
    return _as_images(faces.data, [(64, 64)], faces.target, faces.DESCR, None, return_X_y)


def fetch_umist(*, data_home=None, return_X_y=False):
    """UMIST, 575 grey pictures of 112 x 92 of the faces of 20 persons, from profile to front.

    Parameters
    ----------
    data_home : str, Path or None, default=None
        Where the set is kept once it is loaded; ``None``: scikit-learn's folder.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` alone.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        As of :func:`fetch_mnist`.

    Notes
    -----
    OpenML's data set 41084. PSSC and DSCSC use another set of 480 images.
    """
    return _fetched(41084, [(112, 92)], data_home, return_X_y)


def fetch_coil20(*, data_home=None, return_X_y=False):
    """COIL-20, 1,440 grey pictures: 72 views of each of 20 objects on a turntable.

    Parameters
    ----------
    data_home : str, Path or None, default=None
        Where the set is kept once it is loaded; ``None``: scikit-learn's folder.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` alone.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        As of :func:`fetch_mnist`.

    Notes
    -----
    OpenML's data set 46783.
    """
    return _fetched(46783, [(32, 32), (128, 128)], data_home, return_X_y)


def _fetched(data_id, shapes, data_home, return_X_y, names=None):
    """Images of a set that OpenML has under a number."""
    how: dict[str, Any] = {"parser": "liac-arff"}
    if find_spec(
        "pandas"
    ):  # It is faster. Of classes as categories, pandas 3 makes numbers, which scikit-learn refuses.
        how = {"parser": "pandas", "read_csv_kwargs": {"dtype": None}}
    found = fetch_openml(data_id=data_id, data_home=data_home, as_frame=False, **how)
    return _as_images(found.data, shapes, found.target, found.DESCR, names, return_X_y)


def _as_images(rows, shapes, labels, description, names, return_X_y):
    """Images and numbered labels of flat rows."""
    shape = next((shape for shape in shapes if shape[0] * shape[1] == rows.shape[1]), None)
    if shape is None:
        raise ValueError(
            f"Images of {' or '.join(map(str, shapes))} were expected; rows have {rows.shape[1]} features."
        )
    found, target = np.unique(_numbers(labels), return_inverse=True)
    names = list(map(str, found.tolist() if names is None else names))
    if len(names) != len(found):
        raise ValueError(f"{len(names)} classes were expected; there are {len(found)}.")
    images = _unflattened(_as_bytes(rows), *shape)
    if return_X_y:
        return images, target.astype(np.int64)
    return Bunch(images=images, target=target.astype(np.int64), target_names=names, DESCR=description)


def _numbers(labels):
    """Labels that are numbers as such, in whose order "10" follows "9"."""
    labels = np.char.strip(np.asarray(labels).astype(str), "'")
    try:
        return labels.astype(float).astype(np.int64)
    except ValueError:
        return labels


def _as_bytes(rows):
    """Values from 0 to 1, or from -1 to 1, brought to 0 to 255; others as they are."""
    low, high = rows.min(), rows.max()
    if high <= 1:
        rows = (rows + 1) * 127.5 if low < 0 else rows * 255.0
    return np.rint(rows).astype(np.uint8)


def _unflattened(rows, height, width):
    """Images of rows that hold them row by row or, as MATLAB does, column by column: whichever is smoother.

    Of squares both are; they stay as they are stored.
    """
    images = rows.reshape(-1, height, width)
    if height == width:
        return images
    turned = rows.reshape(-1, width, height).transpose(0, 2, 1)
    return np.ascontiguousarray(min(images, turned, key=_roughness))


def _roughness(images):
    """How much neighbouring pixels of some images differ."""
    some = images[:20].astype(np.float32)
    return sum(float(np.abs(np.diff(some, axis=axis)).mean()) for axis in (1, 2))
