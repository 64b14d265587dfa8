"""Self-expression: every sample as a combination of the others, ``z_hat = coef @ z``.

Samples are rows: ``coef[i, j]`` is the weight of sample j in sample i (the papers' C transposed).
"""

from functools import cached_property

import torch
from torch import nn

from .._eigenpairs import all_eigenpairs
from .._ridge import MOST_FREEDOM, NEGLIGIBLE, penalty_of_freedom
from .._threads import FEW_MULTIPLICATIONS, blas_on_one_core
from .autoencoders import checked_size

# Samples for each feature from which the ridge solution combines by its factors.
_FEW_FEATURES = 3
# Coefficients computed at once where only a few of each row are kept.
_BLOCK_VALUES = 2**23
# The power of cosines that makes them an affinity; from 4 to 16, motions are told apart as well.
_COSINE_POWER = 8
_NOT_FINITE = "features that are to express each other hold NaN or infinite values, or their products do"


class SelfExpression(nn.Module):
    """Base of the two ways to C: it keeps the latent normalisation under which samples express each other.

    With ``center=True`` the samples' mean is subtracted, with ``unit=True`` rows are scaled to unit length; `combine`
    undoes both, so that the decoder and the losses see features in the encoder's own scale.

    Parameters
    ----------
    center, unit : bool
        The latent normalisation.
    """

    def __init__(self, *, center, unit):
        super().__init__()
        self.center = center
        self.unit = unit

    def normalize(self, z):
        """Normalised features and what undoes the normalisation, ``(features, mean, norms)``."""
        mean = z.mean(0, keepdim=True) if self.center else None
        features = z - mean if self.center else z
        if not self.unit:
            return features, mean, None
        norms = features.norm(dim=1, keepdim=True)
        return features / norms.clamp_min(_tiny(norms)), mean, norms

    def combine(self, coef, z, expressed):
        """Self-expressed codes ``z_hat``, shape (n_samples, n_latent): C Z, taken of normalised codes.

        Parameters
        ----------
        coef : tensor of shape (n_samples, n_samples)
            C.
        z : tensor of shape (n_samples, n_latent)
            Codes.
        expressed : tensor of shape (n_samples, n_expressed)
            The features from which C was computed.
        """
        features, mean, norms = self.normalize(z)
        return self.restore(coef @ features, mean, norms)

    def restore(self, features, mean, norms):
        """Features in the encoder's own scale."""
        z_hat = features if norms is None else features * norms
        return z_hat if mean is None else z_hat + mean


class TrainedExpression(SelfExpression):
    """C as a free N x N parameter, learnt by the optimiser, as in the papers.

    Parameters
    ----------
    n_samples : int
        Number of samples N; the layer holds N * N float32 weights.
    init : float or tensor of shape (n_samples, n_samples), default=1e-8
        Start of C. The released code starts from a constant near 0, though the papers say random.
    zero_diagonal : bool, default=False
        Force diag(C) = 0. Needed with the l1 penalty, whose optimum is else C = I.
    center, unit : bool, default=False
        Latent normalisation, see :class:`SelfExpression`.
    """

    def __init__(self, n_samples, init=1e-8, *, zero_diagonal=False, center=False, unit=False):
        super().__init__(center=center, unit=unit)
        n_samples = checked_size("n_samples", n_samples)
        coef = torch.as_tensor(init, dtype=torch.float32).expand(n_samples, n_samples).clone()
        self.coef = nn.Parameter(coef)
        self.zero_diagonal = zero_diagonal

    @torch.no_grad()
    def start_from_ridge(self, z, degrees_of_freedom, weight=1.0):
        """Set C to the ridge solution on the codes `z`, under the same normalisation, see :class:`RidgeExpression`."""
        ridge = RidgeExpression(None, degrees_of_freedom, weight=weight, center=self.center, unit=self.unit)
        self.coef.copy_(ridge.to(z.device)(precise(z)))

    def forward(self, z, index=None):
        """C, shape (n_samples, n_samples), for the codes `z` of all samples in their order."""
        if not self.zero_diagonal:
            return self.coef
        return self.coef - torch.diag(self.coef.diagonal())


class RidgeExpression(SelfExpression):
    """C as the exact zero-diagonal minimiser of ||Z - CZ||^2 + lam ||C||^2, recomputed from the current Z.

    No N x N parameter is learnt and the minimiser is differentiable. `lam` is given, or chosen once, at the first
    call, so that the ridge has ``degrees_of_freedom`` effective degrees of freedom.

    Parameters
    ----------
    lam : float or None
        Ridge penalty. ``None``: from `degrees_of_freedom`.
    degrees_of_freedom : float or None
        Expected number of dimensions of all subspaces together, for ``lam=None``.
    weight : float, default=1.0
        Factor of the penalty that has these degrees of freedom.
    center, unit : bool, default=True
        Latent normalisation, see :class:`SelfExpression`.
    """

    def __init__(self, lam=None, degrees_of_freedom=None, *, weight=1.0, center=True, unit=True):
        super().__init__(center=center, unit=unit)
        self.degrees_of_freedom = degrees_of_freedom
        self.weight = weight
        self.register_buffer("lam", None if lam is None else torch.tensor(float(lam), dtype=torch.float32))

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        """Weights of a layer whose penalty has been chosen have it, those of others have none."""
        lam = state_dict.get(f"{prefix}lam")
        if lam is not None and self.lam is None:
            self.lam = torch.empty_like(lam)
        elif lam is None and local_metadata and self.degrees_of_freedom is not None:  # Of a layer, not of another part.
            self.lam = None
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def forward(self, z, index=None):
        """C, shape (n_samples, n_samples), for the codes `z` of all samples."""
        features = self.normalize(z)[0]
        if self.lam is None:
            spectrum = gram_spectrum(features.detach())
            lam = ridge_penalty(spectrum, min(self.degrees_of_freedom, MOST_FREEDOM * len(z)))
            self.lam = (self.weight * lam).clamp_min(NEGLIGIBLE * spectrum.max())
        return ridge_coefficients(features, self.lam.to(features.dtype))

    def combine(self, coef, z, expressed):
        """C Z; of many samples by the factors of C, without a product of its N x N entries."""
        if expressed.shape[1] * _FEW_FEATURES > len(expressed):
            return super().combine(coef, z, expressed)
        features, mean, norms = self.normalize(z)
        basis = self.normalize(expressed)[0]
        scores = _ridge_scores(basis, self.lam.to(basis.dtype))
        leverage = scores.square().sum(1, keepdim=True)
        own = (1 - leverage).clamp_min(_tiny(leverage))
        return self.restore((scores @ (scores.T @ features) - leverage * features) / own, mean, norms)


def ridge_coefficients(z, lam):
    r"""Zero-diagonal ridge self-expression in closed form.

    .. math:: \min_C \|Z - CZ\|_F^2 + \lambda \|C\|_F^2 \quad\text{s.t. } \mathrm{diag}(C) = 0

    has the solution :math:`c_{ij} = -P_{ij} / P_{ii}` with :math:`P = (ZZ^T + \lambda I)^{-1}`, that is
    :math:`c_{ij} = H_{ij} / (1 - H_{ii})` with the hat matrix :math:`H = I - \lambda P`. The smaller of the two Gram
    matrices is factorised.

    Parameters
    ----------
    z : tensor of shape (n_samples, n_latent)
        Features, one sample a row.
    lam : float or 0-d tensor, > 0
        Ridge penalty.

    Returns
    -------
    coef : tensor of shape (n_samples, n_samples)
        Coefficients with a zero diagonal; differentiable with respect to `z`.

    References
    ----------
    C.-Y. Lu, H. Min, Z.-Q. Zhao, L. Zhu, D.-S. Huang, S. Yan, "Robust and efficient subspace segmentation via least
    squares regression" (LSR1), ECCV 2012, doi:10.1007/978-3-642-33786-4_26.
    """
    n_samples, n_latent = z.shape
    if n_latent < n_samples:
        scores = _ridge_scores(z, lam)
        hat = scores @ scores.T
        residual = 1 - hat.diagonal()
    else:
        factor = _cholesky(z @ z.T, lam)
        hat = -lam * torch.cholesky_inverse(factor)
        residual = -hat.diagonal()
    coef = hat / residual.clamp_min(_tiny(residual))[:, None]
    return coef.diagonal_scatter(torch.zeros_like(residual))


def _ridge_scores(z, lam):
    """S with the hat matrix S S^T, for fewer features than samples."""
    return torch.linalg.solve_triangular(_cholesky(z.T @ z, lam).T, z, upper=True, left=False)


class RidgePath:
    r"""Zero-diagonal ridge self-expression of one set of samples for any penalty, from one eigen-decomposition.

    With the eigen-decomposition of the smaller Gram matrix, :math:`Z^TZ = V W V^T` or :math:`ZZ^T = U W U^T`, the hat
    matrix of every penalty is :math:`H = S (W + \lambda I)^{-1} S^T` with the scores :math:`S = ZV = U W^{1/2}`.
    Coefficients are made in blocks of rows, so that no N x N matrix is needed.

    Parameters
    ----------
    z : tensor of shape (n_samples, n_features)
        Features under the normalisation in which they express each other.
    affine : bool, default=False
        Whether the coefficients of a sample must sum to 1. `z` must then be centred; :math:`11^T / n` is added to H.

    Attributes
    ----------
    offset : float
        What is added to every entry of H, and to every coefficient of a new sample.
    spectrum : tensor of shape (n_components,), float64
        Eigenvalues that float32 can tell from 0, ascending.
    scores : tensor of shape (n_samples, n_components), float32
        S.
    axes : tensor of shape (n_features, n_components), float32
        V, so that new samples have the scores ``z @ axes``.
    """

    def __init__(self, z, *, affine=False):
        self.offset = 1 / len(z) if affine else 0.0
        flat, rows = z.shape[1] < z.shape[0], precise(z)
        values, vectors = eigenpairs(product(rows.T, rows) if flat else product(rows, rows.T))
        n_kept = max(int((values > max(NEGLIGIBLE * values[-1], 0)).sum()), 1)
        self.spectrum, vectors, z = values[-n_kept:].clamp_min(0), vectors[:, -n_kept:].float(), z.float()
        self.scores = product(z, vectors) if flat else vectors * self.spectrum.sqrt().float()
        self._axes_of = (None, vectors) if flat else (z, None)

    @cached_property
    def axes(self):
        """V; of many features, it takes as long as their Gram matrix, and only new samples need it."""
        z, vectors = self._axes_of
        if vectors is not None:
            return vectors
        spectrum = self.spectrum.float()
        return product(z.T, self.scores / spectrum.clamp_min(_tiny(spectrum)))

    def penalty(self, degrees_of_freedom):
        """The penalty with these degrees of freedom, see :func:`ridge_penalty`."""
        return penalty_of_freedom(self.spectrum.cpu().double().numpy(), degrees_of_freedom)

    def coefficients(self, lam, rows=slice(None)):
        """Rows of C, shape (n_rows, n_samples), as :func:`ridge_coefficients` gives them."""
        left, right, weights = self.scores[rows], self.scores, (self.spectrum + lam).float()
        if left.shape == right.shape and left.data_ptr() == right.data_ptr():
            left = right = right / weights.sqrt()  # Half of a symmetric product need be computed.
        else:
            left = left / weights
        hat = product(left, right.T).add_(self.offset)
        own = torch.arange(len(self.scores), device=hat.device)[rows, None]
        leverage = hat.gather(1, own)
        return hat.div_((1 - leverage).clamp_min(_tiny(hat))).scatter_(1, own, 0)

    def weights(self, lam):
        """The matrix W, shape (n_features, n_samples), of the coefficients of new samples, ``z @ W + offset``."""
        return product(self.axes / (self.spectrum + lam).float(), self.scores.T)

    def top_coefficients(self, lam, n_coefs):
        """The largest coefficients of each row.

        Parameters
        ----------
        lam : float or 0-d tensor, > 0
            Ridge penalty.
        n_coefs : int
            How many of each row.

        Returns
        -------
        columns : ndarray of shape (n_samples, n_coefs), int64
        coefs : ndarray of shape (n_samples, n_coefs), float32
        """
        return self._top(lambda rows: self.coefficients(lam, rows), n_coefs)

    def top_cosines(self, lams, n_coefs):
        r"""The samples that point most the same way under all of some penalties, for each sample.

        With :math:`H_\lambda = RR^T`, what ties samples i and j is the geometric mean of cosines,
        :math:`\prod_\lambda |\cos(R_{\lambda,i}, R_{\lambda,j})|^{8/m}` over m penalties. Samples on different flats
        are orthogonal in a room that is large enough for all flats (Costeira, Kanade 1998,
        doi:10.1023/A:1008000628999); lengths in it say how far out a sample lies, not where it belongs (Ji, Salzmann,
        Li, ICCV 2015, doi:10.1109/ICCV.2015.528). With more room, noise parts the samples of one flat, too, and with
        less, flats look alike: the mean over rooms of all sizes needs no choice, and one in which two samples are
        orthogonal parts them.

        Parameters
        ----------
        lams : list of float, > 0
            Ridge penalties.
        n_coefs : int
            How many of each row.

        Returns
        -------
        columns : ndarray of shape (n_samples, n_coefs), int64
        cosines : ndarray of shape (n_samples, n_coefs), float32
            In [0, 1], but for rounding.
        """
        constant = self.scores.new_full((len(self.scores), 1), self.offset**0.5)
        rooms = [torch.hstack([self.scores * (self.spectrum + lam).rsqrt().float(), constant]) for lam in lams]
        rooms = [nn.functional.normalize(room) for room in rooms]

        def means(rows):
            logs = sum(product(room[rows], room.T).abs_().clamp_min_(_tiny(room)).log_() for room in rooms)
            own = torch.arange(len(self.scores), device=logs.device)[rows, None]
            return logs.mul_(_COSINE_POWER / len(rooms)).exp_().scatter_(1, own, 0)

        return self._top(means, n_coefs)

    def _top(self, values, n_coefs):
        """The largest of each row, and whose they are, of what a function gives for a slice of rows."""
        n_samples = len(self.scores)
        block = max(1, _BLOCK_VALUES // n_samples)
        tops = [values(slice(start, start + block)).topk(n_coefs, dim=1) for start in range(0, n_samples, block)]
        return tuple(
            torch.cat(parts).cpu().numpy() for parts in ([top.indices for top in tops], [top.values for top in tops])
        )


def product(a, b):
    """A product of matrices without a gradient; on the CPU by numpy, on some processors in half of torch's time.

    Parameters
    ----------
    a : tensor of shape (n_rows, n_common)
    b : tensor of shape (n_common, n_columns)

    Returns
    -------
    product : tensor of shape (n_rows, n_columns)
    """
    a, b = a.detach(), b.detach()
    if a.device.type != "cpu":
        return a @ b
    with blas_on_one_core(len(a) * b.numel() <= FEW_MULTIPLICATIONS):
        return torch.from_numpy(a.numpy() @ b.numpy())


def precise(z):
    """A tensor in float64, where the device has it.

    Parameters
    ----------
    z : tensor

    Returns
    -------
    z : tensor
    """
    return z if z.device.type == "mps" else z.double()


def gram_spectrum(z):
    """Eigenvalues of ``z @ z.T`` that can differ from 0, from the smaller Gram matrix.

    Parameters
    ----------
    z : tensor of shape (n_samples, n_features)

    Returns
    -------
    spectrum : tensor of shape (min(n_samples, n_features),), float64
        Ascending, >= 0.
    """
    z = precise(z)
    gram = z.T @ z if z.shape[1] < z.shape[0] else z @ z.T
    if gram.device.type not in ("cpu", "cuda"):
        return torch.linalg.eigvalsh(gram.cpu().double()).to(gram).clamp_min(0)
    return torch.linalg.eigvalsh(gram).clamp_min(0)


def ridge_penalty(spectrum, degrees_of_freedom):
    r"""The ridge penalty with a given number of effective degrees of freedom.

    Solves :math:`\sum_i w_i / (w_i + \lambda) = q` for :math:`\lambda`.

    Parameters
    ----------
    spectrum : tensor of shape (n_eigenvalues,)
        Eigenvalues w of the Gram matrix, >= 0.
    degrees_of_freedom : float
        q; more than 95 % of the number of eigenvalues that count (see below) is brought down to that.

    Returns
    -------
    lam : 0-d tensor, float64, > 0
        At least 1e-6 of the largest eigenvalue; what lies below that, float32 cannot tell from 0.
    """
    lam = penalty_of_freedom(spectrum.cpu().double().numpy(), degrees_of_freedom)
    return torch.tensor(lam, dtype=spectrum.dtype, device=spectrum.device)


def _cholesky(gram, lam):
    """Cholesky factor of ``gram + lam I``."""
    penalized = gram + lam * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    try:
        return torch.linalg.cholesky(penalized)
    except torch.linalg.LinAlgError as error:
        if not gram.isfinite().all():
            raise FloatingPointError(_NOT_FINITE) from error
        if not penalized.isfinite().all():
            raise ValueError(
                f"A ridge penalty of {float(lam):g} is more than {gram.dtype} holds: give a smaller ridge_lambda "
                "or gamma_coef."
            ) from error
        raise ValueError(
            f"A ridge penalty of {float(lam):g} is too small for features whose Gram matrix has the trace "
            f"{float(gram.trace()):g}: give a larger ridge_lambda, or a smaller subspace_dim."
        ) from error


def eigenpairs(gram):
    """Eigenvalues, ascending, and eigenvectors of a Gram matrix, or of each of a stack of them; without a gradient."""
    gram = gram.detach()
    if not gram.diagonal(dim1=-2, dim2=-1).isfinite().all():  # No entry is larger than those of the diagonal.
        raise FloatingPointError(_NOT_FINITE)
    if gram.ndim == 2 and gram.device.type == "cpu":
        return _lapack_eigenpairs(gram)
    if gram.device.type not in ("cpu", "cuda"):  # Apple's have neither eigenpairs nor float64.
        return tuple(part.to(gram) for part in eigenpairs(gram.cpu().double()))
    try:
        return torch.linalg.eigh(gram)
    except torch.linalg.LinAlgError:
        pairs = [_lapack_eigenpairs(part) for part in gram.reshape(-1, *gram.shape[-2:]).cpu()]
        values, vectors = (torch.stack(parts).to(gram.device) for parts in zip(*pairs, strict=True))
        return values.reshape(gram.shape[:-1]), vectors.reshape(gram.shape)


def _lapack_eigenpairs(gram):
    """Those of one matrix by scipy, on some processors in two thirds of torch's time."""
    matrix = gram.numpy()
    with blas_on_one_core(len(matrix) ** 3 <= FEW_MULTIPLICATIONS):
        pairs = all_eigenpairs(matrix)
    return tuple(torch.from_numpy(part) for part in pairs)


def _tiny(tensor):
    return torch.finfo(tensor.dtype).tiny
