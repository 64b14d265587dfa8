"""SSC-OMP: sparse self-expression by orthogonal matching pursuit, many samples at once."""

import numpy as np
from scipy import sparse

from .._params import Count, NonNegative, estimator
from .._scale import squared_norms
from ._base import BaseShallowSubspaceClustering, dense


@estimator
class SSCOMP(BaseShallowSubspaceClustering):
    r"""Sparse subspace clustering by orthogonal matching pursuit.

    .. math:: \min_{c_i} \|z_i - c_i Z\|^2 \quad\text{s.t. } \|c_i\|_0 \le k,\ c_{ii} = 0

    greedily: the sample with the largest magnitude of the correlation with the residual joins the support, and the
    residual becomes what the span of the support leaves of :math:`z_i`. No N x N matrix is ever held.

    Parameters
    ----------
    n_nonzero_coefs : int
        k, the most coefficients of a sample; about the dimension of the subspaces.
    residual_tol : float
        A sample needs no more coefficients when the squared length of its residual is this share of its own.

    Attributes
    ----------
    coef_ : csr_array of shape (n_rows, n_rows)
        Self-expression coefficients; row i rebuilds sample i. With `subsample`, n_rows is that, else n_samples.

    References
    ----------
    C. You, D. Robinson, R. Vidal, "Scalable sparse subspace clustering by orthogonal matching pursuit", CVPR 2016,
    doi:10.1109/CVPR.2016.425.
    R. Rubinstein, M. Zibulevsky, M. Elad, "Efficient implementation of the K-SVD algorithm using batch orthogonal
    matching pursuit", Technion CS-2008-08, 2008: the progressive factorisation.

    Examples
    --------
    >>> from skdeepsc import SSCOMP
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> from skdeepsc.metrics import clustering_accuracy_score
    >>> X, y = make_union_of_subspaces(150, 30, random_state=0)
    >>> clustering = SSCOMP(3, n_nonzero_coefs=4, random_state=0).fit(X)
    >>> clustering_accuracy_score(y, clustering.labels_), clustering.coef_.nnz <= 4 * 150
    (1.0, True)
    """

    n_nonzero_coefs: Count = 10
    residual_tol: NonNegative = 1e-6

    def _coefficients(self, z):
        rows = np.arange(z.shape[0])
        blocks = self._by_blocks(lambda block: self._pursue(z[block], own=rows[block]), z.shape[0])
        return sparse.vstack(blocks, format="csr")

    def _express(self, z):
        return self._pursue(z)

    def _pursue(self, targets, own=None):
        return matching_pursuit(targets, self.embedding_, self.n_nonzero_coefs, self.residual_tol, own=own)

    def _denser(self):
        return ["a larger n_nonzero_coefs"]

    def _bytes_per_pair(self):
        return 0


def matching_pursuit(targets, atoms, n_nonzero_coefs, tol, *, own=None):
    """Coefficients of all targets over the atoms by orthogonal matching pursuit.

    With the atoms of a support orthonormalised in the order in which they were chosen, :math:`q_k = t_k Z_S`, every
    step adds one direction: its coordinates t over the atoms come from the inner products of the new atom with the
    former ones, and neither coefficients nor residual are solved for again.

    Parameters
    ----------
    targets : ndarray or CSR matrix of shape (n_targets, n_features)
    atoms : ndarray or CSR matrix of shape (n_atoms, n_features)
    n_nonzero_coefs : int
    tol : float
        Least share of a target's squared length that is worth a further atom.
    own : ndarray of shape (n_targets,) or None
        The atom that each target must not use.

    Returns
    -------
    coef : csr_array of shape (n_targets, n_atoms)
    """
    n_targets, n_steps = targets.shape[0], min(n_nonzero_coefs, atoms.shape[0] - (own is not None))
    support = np.zeros((n_targets, n_steps), dtype=np.int64)
    coef, coordinates = np.zeros((n_targets, n_steps)), np.zeros((n_targets, n_steps, n_steps))
    lengths = squared_norms(targets)
    active, residuals = np.flatnonzero(lengths > 0), targets
    for step in range(n_steps):
        if step:
            used, places = np.unique(support[active, :step], return_inverse=True)
            places = places.reshape(len(active), step)
            left = targets[active] - _csr(coef[active, :step], places, len(used)) @ atoms[used].astype(np.float64)
            goes_on = squared_norms(left) > tol * lengths[active]
            active, residuals = active[goes_on], left[goes_on]
        elif len(active) < n_targets:
            residuals = targets[active]
        if not len(active):
            break
        banned = support[active, :step] if own is None else np.column_stack([own[active], support[active, :step]])
        chosen = _most_correlated(residuals, atoms, banned)
        active = active[_add(active, chosen, step, targets, atoms, support, coef, coordinates)]
    return _csr(coef, support, atoms.shape[0]).astype(atoms.dtype, copy=False)


def _most_correlated(residuals, atoms, banned):
    """The atom with the largest magnitude of the correlation with each residual; of equal ones, the first.

    Of single precision, correlations that rounding may have brought in another order are computed again in double.
    """
    correlations = dense(residuals.astype(atoms.dtype, copy=False) @ atoms.T)
    np.abs(correlations, out=correlations)
    np.put_along_axis(correlations, banned, -1, axis=1)
    leading = _leading(correlations)
    chosen = leading.argmax(axis=1)
    if atoms.dtype != np.float64:
        unsure = np.flatnonzero((leading.sum(axis=1) > 1) & (correlations[np.arange(len(chosen)), chosen] > 0))
        if len(unsure):
            near = np.flatnonzero(leading[unsure].any(axis=0))
            exact = np.abs(dense(residuals[unsure] @ atoms[near].astype(np.float64).T))
            exact[~leading[np.ix_(unsure, near)]] = -1
            chosen[unsure] = near[_leading(exact).argmax(axis=1)]
    return chosen


def _leading(values):
    """Which values of each row are as large as its largest, but for rounding."""
    return values >= values.max(axis=1, keepdims=True) * (1 - np.finfo(values.dtype).eps ** 0.6)


def _add(rows, chosen, step, targets, atoms, support, coef, coordinates):
    """Add the chosen atoms to the supports; False for rows whose atom lies in the span of the support."""
    new = atoms[chosen]
    with_former = np.column_stack(
        [_inner(new, atoms[support[rows, k]]) for k in range(step)] or [np.zeros((len(rows), 0))]
    )
    former = coordinates[rows, :step, :step]
    projections = np.einsum("nij,nj->ni", former, with_former)
    squares = squared_norms(new)
    height = squares - np.square(projections).sum(axis=1)
    independent = height > 100 * np.finfo(atoms.dtype).eps * squares
    rows, chosen, projections, former = (part[independent] for part in (rows, chosen, projections, former))
    height = np.sqrt(height[independent])

    direction = np.column_stack([-np.einsum("ni,nij->nj", projections, former), np.ones(len(rows))]) / height[:, None]
    support[rows, step] = chosen
    coordinates[rows, step, : step + 1] = direction
    along = np.column_stack([_inner(targets[rows], atoms[support[rows, k]]) for k in range(step + 1)])
    coef[rows, : step + 1] += (along * direction).sum(axis=1, keepdims=True) * direction
    return independent


def _inner(a, b):
    """Inner products of the rows of `a` with those of `b`, one to one, in float64; either may be sparse."""
    if sparse.issparse(b):
        a, b = b, a
    if sparse.issparse(a):
        return np.asarray(a.astype(np.float64, copy=False).multiply(b).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", a, b, dtype=np.float64)


def _csr(coef, support, n_atoms):
    """Rows of coefficients and which atoms they weigh, as a sparse array without zeros."""
    rows, places = np.nonzero(coef)
    return sparse.csr_array((coef[rows, places], (rows, support[rows, places])), shape=(len(coef), n_atoms))
