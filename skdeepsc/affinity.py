"""From self-expression coefficients to a symmetric affinity between samples.

Every function takes ``coef`` of shape (n_samples, n_samples), in which row i holds the weights that rebuild sample i
(the papers' C transposed), and returns a new non-negative affinity of the same shape, symmetric but for one option; the
input is never changed. The diagonal of C says nothing about pairs and is left out unless a function says otherwise.
Sparse coefficients give a sparse affinity, but for those that a decomposition makes dense.
"""

from collections.abc import Callable
from numbers import Real
from typing import Annotated, Any, Literal

import numpy as np
from scipy import sparse
from scipy.linalg import svd
from scipy.sparse.linalg import ArpackError, eigsh

from ._arrays import as_numbers, naming, numeric
from ._compat import Interval
from ._eigenpairs import all_eigenpairs
from ._params import Count, NonNegative, Positive, RandomState, call_given, checked
from ._random import generator_of
from ._scale import divided, exponent_of, scaled_rows, unit_exponent

# Names of affinities, and those that make sparse coefficients dense.
Affinity = Literal["symmetric", "scaled", "thresholded", "enhanced", "low_rank", "row_normalized", "top"]
DENSE_AFFINITIES = ("enhanced", "low_rank")
# The largest coefficients that together hold this share of a norm.
Kept = Annotated[float, Interval(Real, 0, 1, closed="right")]
# Up to this share of all eigenpairs, a partial decomposition is faster than a full one, which takes as long as its
# restarts do once they have made half as many vectors as there are samples.
_FEW, _RESTARTED = 1 / 12, 1 / 2
# Rows with equal coefficients that are ordered at once.
_TIED_ROWS = 256
# Rows of the factors of C up to so many units of the last place are rounding errors.
_ROUNDING = 10
# Shares that differ by so little, relative to them, are the same.
_TIE = 1e-9

__all__ = [
    "affinity_from_top",
    "compute_affinity",
    "enhanced_affinity",
    "low_rank_affinity",
    "row_normalized_affinity",
    "scaled_affinity",
    "symmetric_affinity",
    "threshold_coefficients",
    "thresholded_affinity",
    "top_affinity",
]


@checked
def symmetric_affinity(coef: Any) -> Any:
    r"""The plain affinity of all four papers, :math:`(|C| + |C|^T) / 2`, with a zero diagonal.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients.

    Returns
    -------
    affinity : ndarray or csr_array of shape (n_samples, n_samples)

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepsc.affinity import symmetric_affinity
    >>> symmetric_affinity(np.array([[5.0, 1.0], [-3.0, 5.0]]))
    array([[0., 2.],
           [2., 0.]])
    """
    magnitude = abs(_without_diagonal(coef))
    magnitude = magnitude * magnitude.dtype.type(0.5)
    affinity = magnitude + magnitude.T
    return _csr(affinity) if sparse.issparse(affinity) else affinity


@checked
def scaled_affinity(coef: Any, *, norm: Literal["max", "l2", "l1"] = "max") -> Any:
    """The plain affinity after each row of C has been divided by its norm, so that all samples have their say.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients.
    norm : {"max", "l2", "l1"}, default="max"
        The largest magnitude, as in SSC (Elhamifar, Vidal, TPAMI 2013, Algorithm 1), or the length, as in the released
        code of SSC-OMP and EnSC.

    Returns
    -------
    affinity : ndarray or csr_array of shape (n_samples, n_samples)

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepsc.affinity import scaled_affinity
    >>> scaled_affinity(np.array([[0.0, 2.0, 1.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    array([[0.  , 1.  , 0.25],
           [1.  , 0.  , 0.  ],
           [0.25, 0.  , 0.  ]])
    """
    return symmetric_affinity(scaled_rows(abs(_without_diagonal(coef)), norm))


@checked
def threshold_coefficients(coef: Any, keep: Kept = 0.2, *, axis: Literal[0, 1] = 0) -> Any:
    """Keep the largest coefficients of each column until they hold the share `keep` of its l1 norm; zero the others.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients.
    keep : float in (0, 1], default=0.2
        Share of the l1 norm to keep (`ro` in the released code of DSC-Net, `alpha` in its scripts); the coefficient
        that passes the share is kept, so that one coefficient always is. 1 keeps everything.
    axis : {0, 1}, default=0
        0 works on columns, as the released code does; 1 on rows, each of which rebuilds one sample.

    Returns
    -------
    thresholded : ndarray or csr_array of shape (n_samples, n_samples)
    """
    coef = as_coefficients(coef)
    if keep >= 1:
        return coef
    if sparse.issparse(coef):
        rows = _threshold_rows(coef.T.tocsr() if axis == 0 else coef, keep)
        return rows.T.tocsr() if axis == 0 else rows
    rows = coef.T if axis == 0 else coef
    order = np.argsort(-np.abs(rows), axis=1, kind="stable")
    magnitude = np.take_along_axis(np.abs(divided(rows, unit_exponent(rows))), order, axis=1)
    before = np.cumsum(magnitude, axis=1) - magnitude
    kept = before < _just_below(keep) * magnitude.sum(1, keepdims=True)
    np.put_along_axis(rows, order, np.where(kept, np.take_along_axis(rows, order, axis=1), 0), axis=1)
    return coef


@checked
def thresholded_affinity(coef: Any, *, keep: Kept = 0.2, axis: Literal[0, 1] = 0) -> Any:
    """The plain affinity of the largest coefficients only.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients.
    keep, axis
        See :func:`threshold_coefficients`.

    Returns
    -------
    affinity : ndarray or csr_array of shape (n_samples, n_samples)
    """
    return symmetric_affinity(threshold_coefficients(_without_diagonal(coef), keep, axis=axis))


@checked
def enhanced_affinity(
    coef: Any,
    n_clusters: Count,
    *,
    subspace_rank: Count = 12,
    power: Positive = 8.0,
    keep: Kept | Literal["auto"] = "auto",
    diagonal: Literal["auto", "zero", "keep", "one"] = "auto",
    variant: Literal["released", "paper"] = "released",
    axis: Literal[0, 1] = 0,
    random_state: RandomState = 0,
) -> np.ndarray:
    r"""Block-enhancing affinity: Algorithm 2 of PSSC, the post-processing of DSC-Net.

    1. Keep the largest coefficients (:func:`threshold_coefficients`) and symmetrise: :math:`S = (C + C^T) / 2`.
    2. Truncated singular value decomposition of S to rank ``n_clusters * subspace_rank + 1``.
    3. :math:`Z = U \Sigma^{1/2}`, rows scaled to unit length.
    4. :math:`A = [Z Z^T]_+^{\alpha}`, entry by entry, divided by the largest entry.

    ``variant="paper"`` is Algorithm 2 as printed: :math:`S = (|C| + |C|^T) / 2` of all coefficients, rows of Z not
    scaled, negative entries of :math:`ZZ^T` by their magnitude. ``variant="released"`` is what the authors' code does.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients.
    n_clusters : int
        Number of clusters k.
    subspace_rank : int, default=12
        Intrinsic dimension of the subspaces (q in the paper, d in the code).
    power : float, default=8.0
        The exponent :math:`\alpha`; the larger, the more the affinity is concentrated on near-parallel rows.
    keep : float in (0, 1] or "auto", default="auto"
        Share of each column's l1 norm that is kept. ``"auto"``: .05 as released, 1 as printed.
    diagonal : {"auto", "zero", "keep", "one"}, default="auto"
        What becomes of diag(C): ``"zero"`` removes it before thresholding; ``"keep"`` lets it be thresholded with the
        rest, as the released code does; ``"one"`` removes it and adds the identity to S before the decomposition, as
        the released code does for COIL-20. A diagonal that dominates, as that of a ridge solution without the zero
        constraint, destroys the clustering under ``"keep"``. ``"auto"``: "one" as released, "keep" as printed.
    variant : {"released", "paper"}, default="released"
        See above.
    axis : {0, 1}, default=0
        See :func:`threshold_coefficients`.
    random_state : int, RandomState instance or None, default=0
        Of the start vector of the partial eigen-decomposition; it changes nothing but rounding, and
        which vectors are taken where equal singular values stand on both sides of the rank.

    Returns
    -------
    affinity : ndarray of shape (n_samples, n_samples)
        In [0, 1] for ``variant="released"``.

    References
    ----------
    Ji, Zhang, Li, Salzmann, Reid, "Deep subspace clustering networks", NeurIPS 2017.
    Lv, Kang, Lu, Xu, "Pseudo-supervised deep subspace clustering", IEEE TIP 30, 2021, doi:10.1109/TIP.2021.3079800.
    """
    is_printed = variant == "paper"
    keep = keep if keep != "auto" else 1.0 if is_printed else 0.05
    diagonal = diagonal if diagonal != "auto" else "keep" if is_printed else "one"
    coef = threshold_coefficients(coef if diagonal == "keep" else _without_diagonal(coef), keep, axis=axis)
    coef = coef.toarray() if sparse.issparse(coef) else coef
    if is_printed:
        coef = np.abs(coef)
    graph = (coef + coef.T) / 2
    if diagonal == "one":
        np.fill_diagonal(graph, 1)
    singular_values, vectors = _largest_singular(graph, n_clusters * subspace_rank + 1, generator_of(random_state))
    factor = vectors * np.sqrt(singular_values)
    if not is_printed:
        norms = np.linalg.norm(factor, axis=1, keepdims=True)
        factor = np.divide(factor, norms, out=np.zeros_like(factor), where=norms > 1e-6 * norms.max(initial=0))
    affinity = factor @ factor.T
    affinity = np.abs(affinity) if is_printed else np.clip(affinity, 0, None)
    affinity /= affinity.max(initial=0) or 1  # Powers of what may be of any magnitude.
    affinity **= power
    affinity = (affinity + affinity.T) / 2
    largest = affinity.max(initial=0)
    return affinity / largest if largest > 0 else affinity


@checked
def row_normalized_affinity(coef: Any, *, symmetric: bool = True) -> Any:
    r"""The subspace affinity of NCSC: :math:`(|C| + |C|^T) / 2`, each row divided by its largest entry, diagonal 1.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients.
    symmetric : bool, default=True
        Take the larger of the two entries of each pair. The affinity as printed (False) is not symmetric, and spectral
        clustering refuses it.

    Returns
    -------
    affinity : ndarray or csr_array of shape (n_samples, n_samples)
        In [0, 1].
    """
    affinity = scaled_rows(symmetric_affinity(coef), "max")
    if sparse.issparse(affinity):
        affinity = affinity.maximum(affinity.T) if symmetric else affinity
        return _csr(affinity + sparse.eye_array(affinity.shape[0], dtype=affinity.dtype))
    if symmetric:
        affinity = np.maximum(affinity, affinity.T)
    np.fill_diagonal(affinity, 1)
    return affinity


@checked
def low_rank_affinity(coef: Any, *, power: Positive = 4.0, rank_tol: NonNegative = 1e-4) -> np.ndarray:
    r"""The affinity of LRR: cosines between the rows of the factor :math:`U \Sigma^{1/2}` of C, to a power.

    1. Singular value decomposition :math:`C = U \Sigma V^T`, without the values that are numerically 0.
    2. :math:`Z = U \Sigma^{1/2}`, rows scaled to unit length.
    3. :math:`A = |Z Z^T|^{\alpha}`, entry by entry.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients; the diagonal counts.
    power : float, default=4.0
        :math:`\alpha`; 2 in the paper, 4 in its code.
    rank_tol : float, default=1e-4
        Singular values below this share of the largest are left out.

    Returns
    -------
    affinity : ndarray of shape (n_samples, n_samples)
        In [0, 1].

    References
    ----------
    Liu, Lin, Yan, Sun, Yu, Ma, "Robust recovery of subspace structures by low-rank representation", IEEE TPAMI 35,
    2013, doi:10.1109/TPAMI.2012.88.
    """
    coef = as_coefficients(coef)
    coef = coef.toarray() if sparse.issparse(coef) else coef
    exponent = exponent_of(coef)
    coef = divided(coef, exponent + exponent % 2).astype(coef.dtype, copy=False)
    left, values, _ = svd(coef, check_finite=False)
    counts = values > rank_tol * values[0]
    factor = scaled_rows(left[:, counts] * np.sqrt(values[counts]), floor=_ROUNDING * np.finfo(coef.dtype).eps)
    affinity = np.minimum(np.abs(factor @ factor.T), 1) ** power
    return (affinity + affinity.T) / 2


@checked
def top_affinity(coef: Any, *, n_coefs: Count = 5, bridge: NonNegative = 0.0) -> sparse.csr_array:
    """Sparse affinity of the few largest positive coefficients of each row.

    Each row keeps its `n_coefs` largest positive off-diagonal entries and is divided by their sum, which gives T;
    the affinity is ``(T + T.T) / 2``. Graphs made this way from different coefficients have the same density, so that
    their normalised cuts can be compared.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients.
    n_coefs : int, default=5
        Coefficients kept in each row; rows with fewer positive entries keep those.
    bridge : float, default=0
        Weight b of the affinity of four times as many coefficients, :math:`(A_n + b A_{4n}) / (1 + b)`. Where a graph
        falls into more parts than there are clusters, these weak links tell which parts belong together; else they
        change little.

    Returns
    -------
    affinity : csr_array of shape (n_samples, n_samples)
    """
    coef = _without_diagonal(coef)
    affinity = _top_of(coef, n_coefs)
    return _csr((affinity + bridge * _top_of(coef, 4 * n_coefs)) / (1 + bridge)) if bridge else affinity


def affinity_from_top(columns: np.ndarray, coefs: np.ndarray) -> sparse.csr_array:
    """The affinity of :func:`top_affinity` from the largest coefficients of each row alone.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, n_coefs), int
        Which samples the coefficients weigh; not the row's own sample.
    coefs : ndarray of shape (n_samples, n_coefs)
        The coefficients; those that are not positive are left out.

    Returns
    -------
    affinity : csr_array of shape (n_samples, n_samples)
    """
    with naming("columns and coefs"):
        columns, coefs = np.asarray(numeric("columns", columns)), np.asarray(numeric("coefs", coefs))
    if columns.ndim != 2 or columns.shape != coefs.shape:
        raise ValueError(
            f"columns and coefs must have the same shape (n_samples, n_coefs); got {columns.shape} and {coefs.shape}."
        )
    n_samples, n_coefs = columns.shape
    if columns.dtype.kind not in "iu" or (columns < 0).any() or (columns >= n_samples).any():
        raise ValueError(f"columns must hold numbers of the {n_samples} samples, from 0.")
    if coefs.dtype.kind not in "iuf" or not np.isfinite(coefs).all():
        raise ValueError("coefs must hold finite numbers; there are NaN, infinite or other values.")
    weights = scaled_rows(np.clip(coefs, 0.0, None), "l1")
    rows = np.repeat(np.arange(n_samples), n_coefs)
    top = sparse.csr_array((weights.ravel(), (rows, columns.ravel())), shape=(n_samples, n_samples))
    return _mean_of_both(top)


@checked
def compute_affinity(
    coef: Any, affinity: Affinity | Callable = "symmetric", *, n_clusters: Count | None = None, **params: Any
) -> Any:
    """Affinity by name.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients.
    affinity : {"symmetric", "scaled", "thresholded", "enhanced", "low_rank", "row_normalized", "top"} or callable, \
            default="symmetric"
        Which function of this module, or a callable ``affinity(coef, **params)`` of the user's.
    n_clusters : int, default=None
        Number of clusters, for ``"enhanced"``.
    **params
        Further arguments of that function.

    Returns
    -------
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
        Non-negative.

    Raises
    ------
    ValueError
        If the name is unknown, or a value is none that its parameter takes.
    TypeError
        If the function has no such parameter.
    """
    if callable(affinity):  # It may change what it gets.
        return call_given("affinity", affinity, "C and what is in affinity_params", coef.copy(), **params)
    if affinity == "enhanced":
        params = {"n_clusters": n_clusters, **params}
    return globals()[f"{affinity}_affinity"](coef, **params)


def check_affinity_params(affinity, params):
    """Refuse arguments that an affinity does not take, before anything is computed; the user's own is not asked."""
    if not callable(affinity):
        with naming("affinity_params"):
            globals()[f"{affinity}_affinity"].check_arguments(params, given=("coef", "n_clusters"))


def _largest_singular(graph, rank, generator):
    """The `rank` largest singular values and vectors of a symmetric matrix; a full decomposition only if they are many.

    The singular values of a symmetric matrix are the magnitudes of its eigenvalues.
    """
    n_samples = len(graph)
    rank = min(rank, n_samples)
    pairs = None if n_samples < 200 or rank > _FEW * n_samples else _iterated_eigenpairs(graph, rank, generator)
    values, vectors = all_eigenpairs(graph) if pairs is None else pairs
    largest = np.argsort(-np.abs(values), kind="stable")[:rank]
    return np.abs(values[largest]), vectors[:, largest]


def _iterated_eigenpairs(graph, rank, generator):
    """Those of the largest magnitudes; None where they bunch, which takes longer than all of them, or all are 0."""
    n_samples = len(graph)
    start = generator.uniform(-1, 1, n_samples).astype(graph.dtype)
    try:
        return eigsh(graph, k=rank, which="LM", v0=start, maxiter=int(_RESTARTED * n_samples / rank))
    except ArpackError:
        return None


def _just_below(keep):
    """A share with which equal coefficients are kept or left out as without rounding errors, in every row."""
    return keep * (1 - _TIE)


def _threshold_rows(coef, keep):
    """:func:`threshold_coefficients` of the rows of a CSR array."""
    values = abs(divided(coef, unit_exponent(coef.data)))
    order, first = _largest_first(values.data, coef.indptr)
    total = np.repeat(np.asarray(values.sum(axis=1, dtype=np.float64)).ravel(), np.diff(coef.indptr))
    shares = np.divide(values.data[order], total, out=np.zeros_like(total), where=total > 0)
    before = np.cumsum(shares) - shares
    before -= before[first]
    coef.data[order[before >= _just_below(keep)]] = 0
    coef.eliminate_zeros()
    return coef


def _top_of(coef, n_coefs):
    """Affinity of the largest coefficients of each row, without those on the diagonal, which are 0."""
    if sparse.issparse(coef):
        return _sparse_top_affinity(coef.copy(), n_coefs)
    n_coefs = min(n_coefs, len(coef) - 1)
    if not n_coefs:
        return affinity_from_top(np.empty((len(coef), 0), int), coef[:, :0])
    columns = np.argpartition(-coef, n_coefs - 1, axis=1)[:, :n_coefs]
    least = np.take_along_axis(coef, columns, axis=1).min(axis=1)
    tied = np.flatnonzero((least > 0) & (np.count_nonzero(coef >= least[:, None], axis=1) > n_coefs))
    for rows in np.split(tied, range(_TIED_ROWS, len(tied), _TIED_ROWS)):
        columns[rows] = np.argsort(-coef[rows], axis=1, kind="stable")[:, :n_coefs]  # Of equal ones the first.
    return affinity_from_top(columns, np.take_along_axis(coef, columns, axis=1))


def _sparse_top_affinity(coef, n_coefs):
    """:func:`_top_of` a CSR array, in place."""
    order, first = _largest_first(coef.data, coef.indptr)
    coef.data[order[np.arange(len(order)) - first >= n_coefs]] = 0
    coef.data[coef.data < 0] = 0
    return _mean_of_both(scaled_rows(coef, "l1"))


def _largest_first(values, indptr):
    """Order of the entries of CSR rows by falling value within each row, and where the row of each place begins."""
    sizes = np.diff(indptr)
    order = np.lexsort((-values, np.repeat(np.arange(len(sizes)), sizes)))
    return order, np.repeat(indptr[:-1], sizes)


def _mean_of_both(top):
    """``(T + T.T) / 2`` without stored zeros."""
    affinity = _csr((top + top.T) / 2)
    affinity.eliminate_zeros()
    return affinity


def _csr(affinity):
    """A CSR array with indices of 32 bits if they fit, as other libraries want them."""
    affinity = affinity.tocsr()
    if max(affinity.nnz, *affinity.shape) <= np.iinfo(np.int32).max:
        affinity.indices, affinity.indptr = affinity.indices.astype(np.int32), affinity.indptr.astype(np.int32)
    return affinity


def as_coefficients(coef):
    """A checked floating-point copy of coefficients, dense or CSR: square, real and finite."""
    dtypes = [np.float64, np.float32]
    coef = as_numbers("coef", coef, accept_sparse="csr", dtype=dtypes, copy=True, ensure_min_features=0)
    if sparse.issparse(coef):
        coef = sparse.csr_array(coef)
        coef.sum_duplicates()
    if coef.ndim != 2 or coef.shape[0] != coef.shape[1]:
        raise ValueError(f"coef must be a square matrix, one row and one column a sample; got shape {coef.shape}.")
    return coef


def _without_diagonal(coef):
    coef = as_coefficients(coef)
    if sparse.issparse(coef):
        coef.data[coef.indices == np.repeat(np.arange(coef.shape[0]), np.diff(coef.indptr))] = 0
        coef.eliminate_zeros()
    else:
        np.fill_diagonal(coef, 0)
    return coef
