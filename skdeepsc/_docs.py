"""Paragraphs of docstrings that several estimators share, written once."""

import textwrap
from dataclasses import fields

_AUTOENCODER_PARAMETERS = """\
image_shape : tuple of int or None, default=None
    ``(height, width)`` or ``(channels, height, width)``, under which flat rows are viewed as images. ``None``: arrays
    of shape (n, h, w) or (n, c, h, w) are images, flat rows stay flat. Never guessed.
input_scale : float or "auto", default="auto"
    The samples are divided by it before the network and all costs see them. ``"auto"``: 255 for uint8 images, else the
    largest magnitude in the training data, so that the costs see values in [-1, 1] whatever the units of `X`. 1 leaves
    the samples as they are. Kept as `input_scale_`.
autoencoder : {None, "conv", "dense", "residual"}, torch Module or callable, default=None
    ``None``: convolutional for images, dense for flat rows. ``"residual"``: a convolution, then residual blocks
    (:class:`~skdeepsc.nn.ResidualAutoEncoder`). A module must have the sub-modules `encoder` and
    `decoder`; it is copied and starts from its own weights. A callable gets the shape of a sample and returns such a
    module.
channels : tuple of int, default={channels}
    Filters of each convolutional layer; every layer halves height and width.
kernel_sizes : tuple of int, default={kernel_sizes}
    Odd filter sizes of the convolutional layers; one for all or one for each.
hidden_sizes : tuple of int, default={hidden_sizes}
    Widths of the dense encoder's layers; the last is the length of the code. The papers' network for large data is
    ``(500, 500, 2000, n_clusters)``.
pretrain_epochs : int or "auto", default="auto"
    Epochs of pre-training. ``"auto"``: as many as give 1500 optimiser steps, 200 at most. 0 leaves the random (or the
    user's) weights.
pretrain_lr : float, default=1e-3
    Adam's step size in pre-training.
pretrain_batch_size : int or "all", default={pretrain_batch_size}
    Samples in a batch of pre-training.
callbacks : list of skorch callbacks or None, default=None
    Called in every phase; ``net.phase.name`` tells which. EarlyStopping ends the phase it stops.
memory : str, joblib.Memory or None, default=None
    Where to cache the pre-trained auto-encoder, as in :class:`~sklearn.pipeline.Pipeline`. A search over weights of the
    later phases then pre-trains once for each training set and integer `random_state`.
device : str, default="auto"
    Where the network is trained: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` takes CUDA if there is any.
    ``"accelerate"``: in the processes of `accelerate launch`, which share out the rows of each batch; phases that take
    all samples at once run in each of them.
verbose : int, default=0
    1 prints one line an epoch (skorch's table). For progress bars see ``set_callbacks`` and
    :class:`sklearn.callback.ProgressBar`.
random_state : int, RandomState instance or None, default=None
    An int gives the same result each time. NumPy's and torch's global generators are neither used nor changed."""

_EXPRESSION_PARAMETERS = """\
solver : {"ridge", "trained"}, default="ridge"
    How C is found. ``"trained"``: an N x N parameter of the network, as in the papers. ``"ridge"``: the exact
    zero-diagonal minimiser of :math:`\\|Z - CZ\\|^2 + \\lambda \\|C\\|^2`, recomputed from the current features,
    differentiable, without any parameter.
subspace_dim : float, default={subspace_dim}
    Expected dimension q of a subspace, for ``solver="ridge"``: :math:`\\lambda` is chosen so that the ridge has
    ``n_clusters * subspace_dim`` effective degrees of freedom (at most 0.7 n_samples).
ridge_lambda : float or None, default=None
    :math:`\\lambda` itself; ``None``: from `subspace_dim`.
latent_normalization : {"auto", "none", "unit", "centered"}, default="auto"
    What is done to the features before they express each other: nothing, as in the papers, where the network can shrink
    them to lower the costs; rows scaled to unit length; the mean subtracted, then rows scaled. ``"auto"``: "centered"
    for the ridge with ``affinity="top"``, which takes positive coefficients, else "unit": around the mean,
    coefficients between opposite sides are large and negative, and the other affinities take magnitudes. The same
    features are searched for neighbours in `predict`.
coef_init : float or "ridge", default=1e-8
    Start of a trained C: a constant, or the ridge solution on the pre-trained features.
zero_diagonal : bool or "auto", default="auto"
    Whether diag(C) = 0 is forced on a trained C. ``"auto"``: where the method's paper says so, or its l1 norm needs it.
    The ridge solution always has a zero diagonal.
expression_epochs : int or "auto", default="auto"
    Epochs in which a trained C alone learns to express the fixed features, before the joint phase. ``"auto"``: until
    its entries can have grown to three over the mean size of a cluster, ``3 * n_clusters / n_samples /
    expression_lr``; none if C starts from the ridge solution. The papers have no such phase.
expression_lr : float, default=1e-3
    Adam's step size in it.
max_epochs : int, default={max_epochs}
    Full-batch epochs of the joint phase, in which all parts of the network learn. 0 clusters the pre-trained features.
lr : float, default={lr}
    Adam's step size in the joint phase.
affinity : {"enhanced", "symmetric", "thresholded", "row_normalized", "top"} or callable, default="{affinity}"
    From C to the affinity, see :mod:`skdeepsc.affinity`. A callable gets C.
affinity_params : dict or None, default=None
    Further arguments of that function.
assign_labels : {"auto", "kmeans", "discretize", "cluster_qr", "diffusion", "best"}, default="auto"
    Last step of spectral clustering, see :func:`~skdeepsc.segmentation.spectral_labels`. ``"auto"``: "best" for
    ``affinity="top"``, a graph of the few edges that its choice needs, else "kmeans".
n_neighbors : int, default=1
    Neighbours in the latent space that label new rows, and with `subsample` the rest of the training set.
subsample : int or None, default=None
    Train C and cluster on this many rows only, drawn at random without any label, and label the others by their
    neighbours (Algorithm 3 of PSSC). The auto-encoder is pre-trained on all rows. ``None``: all rows."""

_DATA_ATTRIBUTES = """\
image_shape_ : tuple of int
    Shape of a sample in the network: ``(channels, height, width)`` or ``(n_features,)``.
input_scale_ : float
    What the samples are divided by.
device_ : str
    Device in use.
n_features_in_ : int
    Number of values of a sample.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the columns, if `X` was a data frame with string column names."""

_FITTED_ATTRIBUTES = """\
labels_ : ndarray of shape (n_samples,), int64
    Cluster of each training sample.
coef_ : ndarray of shape (n_rows, n_rows), float32
    Self-expression coefficients; row i rebuilds sample i. With `subsample`, n_rows is that, else n_samples.
affinity_matrix_ : ndarray or sparse array of shape (n_rows, n_rows)
    The affinity that was clustered; computed again from `coef_` when it is asked for after unpickling.
embedding_ : ndarray of shape (n_rows, n_latent), float32
    Codes of the rows that were clustered.
sample_indices_ : ndarray of shape (n_rows,)
    Which training samples the rows are.
network_ : SubspaceNetwork
    The trained encoder, decoder and heads, without the self-expression layer.
history_ : list of dict
    One entry an epoch: ``phase``, ``epoch``, every cost under its name (weighted, a sum over the samples),
    ``train_loss`` (their sum), ``seconds``.
n_iter_ : int
    Epochs of all phases after pre-training."""

_SHALLOW_PARAMETERS = """\
normalization : {"unit", "centered", "none"}, default="{normalization}"
    What is done to the samples before they express each other: scaled to unit length, the mean subtracted and then
    scaled (not for sparse input), or nothing.
affinity : {"symmetric", "scaled", "thresholded", "enhanced", "low_rank", "row_normalized", "top"} or callable, \
        default="{affinity}"
    From C to the affinity, see :mod:`skdeepsc.affinity`. A callable gets C.
affinity_params : dict or None, default=None
    Further arguments of that function.
assign_labels : {"auto", "kmeans", "discretize", "cluster_qr", "diffusion", "best"}, default="auto"
    Last step of spectral clustering, see :func:`~skdeepsc.segmentation.spectral_labels`. ``"auto"``: "best" for
    ``affinity="top"``, a graph of the few edges that its choice needs, else "kmeans".
subsample : int or None, default=None
    Cluster this many rows, drawn at random without any label, and label the others as `predict` does. ``None``: all
    rows.
n_jobs : int or None, default=None
    Blocks of rows that are expressed at once, in threads, as in :class:`joblib.Parallel`. Without it, linear algebra
    uses all cores by itself.
random_state : int, RandomState instance or None, default=None
    An int gives the same result each time. NumPy's global generator is neither used nor changed."""

_SPARSE_PARAMETERS = """\
max_iter : int, default={max_iter}
    Most rounds of the solver: each solves the problem over the active set, and looks for samples that should join it.
tol : float, default={tol}
    Largest violation of a condition of optimality, as a share of the weight of the l1 norm."""

_SOLVER_ATTRIBUTES = """\
n_iter_ : int
    Rounds of the solver, of the block of samples that needed the most.
kkt_violation_ : float
    Largest violation of a condition of optimality of all samples, as a share of the weight of the l1 norm. In single
    precision, what rounding leaves counts as `tol`."""

_SHALLOW_ATTRIBUTES = """\
labels_ : ndarray of shape (n_samples,), int64
    Cluster of each training sample, consecutive from 0.
coef_ : {coef} of shape (n_rows, n_rows)
    Self-expression coefficients; row i rebuilds sample i. With `subsample`, n_rows is that, else n_samples.
affinity_matrix_ : ndarray or csr_array of shape (n_rows, n_rows)
    The affinity that was clustered.
embedding_ : ndarray or CSR matrix of shape (n_rows, n_features)
    The rows that were clustered, under `normalization`.
sample_indices_ : ndarray of shape (n_rows,)
    Which training samples the rows are.
n_features_in_ : int
    Number of values of a sample.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the columns, if `X` was a data frame with string column names."""


def shared_parameters(cls):
    """Fill the shared paragraphs and the defaults of the class's own fields into its docstring."""
    for name, text in (
        ("autoencoder_parameters", _AUTOENCODER_PARAMETERS),
        ("expression_parameters", _EXPRESSION_PARAMETERS),
        ("data_attributes", _DATA_ATTRIBUTES),
        ("fitted_attributes", _FITTED_ATTRIBUTES),
        ("sparse_parameters", _SPARSE_PARAMETERS),
        ("solver_attributes", _SOLVER_ATTRIBUTES),
        ("shallow_parameters", _SHALLOW_PARAMETERS),
        ("dense_attributes", _SHALLOW_ATTRIBUTES.replace("{coef}", "ndarray")),
        ("sparse_attributes", _SHALLOW_ATTRIBUTES.replace("{coef}", "csr_array")),
    ):
        cls.__doc__ = cls.__doc__.replace("{" + name + "}", textwrap.indent(text, "    ").strip())
    for field in fields(cls):
        cls.__doc__ = cls.__doc__.replace("{" + field.name + "}", str(field.default))
    return cls
