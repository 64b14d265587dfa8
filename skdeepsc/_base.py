"""The one skeleton of all clusterers: read -> draw rows -> represent -> affinity -> segment -> label the rest."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import field
from numbers import Integral, Real
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._arrays import plain
from ._compat import CallbackSupportMixin, ClusterMixin, Interval
from ._dimension import N_COEFS
from ._explanation import Explanation, PairExplanation, explained, explained_pair
from ._input import row_blocks
from ._mapped import require_whole, unchanged
from ._memory import require_memory, segmentation_bytes, way_out
from ._noise import noise_bound, unexplained_shares
from ._params import Count, Estimator, Threads, answers, checked, estimator, fits, twin
from ._random import Randomized, draw_rows
from ._row_keys import distinct_rows, equal_pairs, first_copies, row_keys
from ._threads import threads
from ._warn import advising, muted, warn_user
from .affinity import DENSE_AFFINITIES, Affinity, check_affinity_params, compute_affinity
from .segmentation import AssignLabels, DegenerateAffinityWarning, spectral_labels

# What the weights of rows in themselves leave to the others is a rounding error up to this.
_ROUNDING = 1e-6
# Rows that are compared with what their clusters make of them at once.
_JUDGED_ROWS = 512
# A share of the samples, not all of them.
Share = Annotated[float, Interval(Real, 0, 1, closed="left")]


@estimator
class BaseSubspaceClustering(CallbackSupportMixin, ClusterMixin, Randomized):
    """A clusterer says how samples are represented, how the rows are segmented, and what labels new rows.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int64
        Cluster of each training sample, consecutive from 0.
    """

    n_clusters: Count = field(default=8, kw_only=False)

    # Independent parts of a fit that draw at random, in the order of their seeds.
    _drawing: ClassVar[tuple[str, ...]] = ("labels",)

    @fits
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Cluster the samples.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples: flat rows, or images.
        y : Ignored

        Returns
        -------
        self : estimator

        Raises
        ------
        MemoryError
            If matrices of pairs of samples cannot fit the memory there is; the message says what can.
        FloatingPointError
            If a cost becomes infinite or NaN.
        OSError
            If `X` is memory-mapped, and its file is cut off or changed meanwhile.
        """
        samples = self._read(X)
        with unchanged(samples), self._keeping(samples):
            self._seeds = dict(zip(self._drawing, self._draw_seeds(len(self._drawing)), strict=True))
            self._draw_rows(samples)
            with self._reported(samples, self._n_tasks()) as progress:
                self._represent(samples, progress)
                with progress.task("segment"):
                    self._label_all(self._segment(samples), samples)
        return self

    @answers
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Clusters of new samples.

        The clustered samples themselves, given again, need not get their `labels_`, which come from the whole graph.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples like those in `fit`; read block by block.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
        """
        check_is_fitted(self)
        return self._label(self._read(X, reset=False))

    @answers
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Shares of the clusters in what labels samples; the largest is what `predict` gives for new ones.

        A sample that was clustered, known by its values, and its copies have no say in their own shares: where the
        others would rather have it elsewhere, the largest share is not that of its label. Only a classifier (NCSC,
        S2ConvSCN, k-SCN, EDESC) has learnt from them, and is surer of them than of new ones.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples like those in `fit`; read block by block.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_found), float64
            A column for each cluster in `labels_`, and, of methods whose network itself tells the clusters (NCSC,
            k-SCN, EDESC), for those that no sample has, last, into which new ones may fall; rows sum to 1.
        """
        check_is_fitted(self)
        samples = self._read(X, reset=False)
        return self._fill(self._shares(of_others=True), samples, np.empty((samples.shape[0], self._n_found())))

    def _can_explain(self):
        """Refuse where there are no coefficients."""
        if hasattr(self, "_new_coefficients"):
            return True
        raise AttributeError(
            f"{type(self).__name__} has no explain: its samples do not express each other in one matrix of "
            "coefficients; predict_proba says which clusters a sample is near to."
        )

    @available_if(_can_explain)
    @answers
    @checked
    def explain(
        self, i: int | None = None, j: int | None = None, *, X: ArrayLike | None = None, top: Count | None = None
    ) -> Explanation | PairExplanation | list[Explanation]:
        """Which samples express sample i, why samples i and j are together or not, or what expresses new samples.

        Weights are the coefficients of the sample over the others, those that `affinity` takes where it takes the few
        largest; of new samples, those that label them: for a network's codes equal weights of the nearest
        `n_neighbors`. Clusterers without such coefficients have no `explain`.

        Parameters
        ----------
        i : int or None, default=None
            Number of a training sample that was clustered; one beyond `subsample` is expressed by those that were, as a
            new one, and is given as `X`.
        j : int or None, default=None
            Number of another.
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...) or None, default=None
            New samples, in place of `i`. Training samples among them are known by their values, and do not express
            themselves.
        top : int or None, default=None
            The most samples to name, those of the largest weights. ``None``: all that have a weight.

        Returns
        -------
        explanation : Explanation, PairExplanation or list of Explanation
            For `i`, for `i` and `j`, or for each row of `X`.
        """
        check_is_fitted(self)
        if (i is None) == (X is None) or (i is None and j is not None):
            raise ValueError("explain takes the number i of a sample, two numbers i and j, or new samples X=rows.")
        return self._explain_new(X, top) if i is None else self._explain_known(i, j, top)

    # What a clusterer supplies

    def _way_out(self, n_samples):
        """What to do where memory runs out."""
        return "Choose a smaller batch_size."

    def _represent(self, samples, progress):
        """Learn from the samples what their clusters follow from."""
        raise NotImplementedError

    def _segment(self, samples):
        """Labels of the rows that are clustered."""
        raise NotImplementedError

    def _shares(self, *, of_others=False):
        """A function that gives the shares of the clusters for a block of samples.

        `of_others` leaves a sample that was clustered, and its copies, out of what speaks for it.
        """
        raise NotImplementedError

    def _n_found(self):
        """Columns of these shares."""
        return int(self.labels_.max()) + 1

    def _n_tasks(self):
        """Tasks that a fit reports."""
        return 1

    # The steps

    @contextmanager
    def _reported(self, samples, n_tasks):
        """A context for work on samples: its progress, and what to do where memory runs out."""
        with way_out(self._way_out(samples.shape[0])), Progress(self, n_tasks, samples) as progress:
            yield progress

    def _draw_rows(self, samples):
        """Choose the rows that are clustered: all of them."""
        self._check_n_clusters(samples.shape[0], f"n_samples = {samples.shape[0]}")

    def _least_clusters(self):
        return self.n_clusters

    def _check_n_clusters(self, n_rows, sizes):
        if self._least_clusters() > n_rows:
            raise ValueError(
                f"n_clusters={self.n_clusters} must not be larger than the number of samples to cluster: {sizes}."
            )

    def _label_all(self, row_labels, samples):
        """Set the labels of all samples from those of the rows that were clustered."""
        self.labels_ = row_labels

    def _label(self, samples, rows=None):
        """Labels of samples, or of some of them by their numbers, block by block."""
        shares, n_rows = self._shares(), samples.shape[0] if rows is None else len(rows)
        return self._fill(lambda block: shares(block).argmax(axis=1), samples, np.empty(n_rows, np.int64), rows)

    def _fill(self, function, samples, out, rows=None):
        """An array filled with what a function gives for blocks of samples, or of some of them."""

        def fill(block):  # Pieces that are kept until the end would scatter the memory.
            require_whole(samples)
            out[block] = function(samples[block if rows is None else rows[block]])

        self._by_blocks(fill, len(out))
        return out

    def _by_blocks(self, function, n_rows):
        """What a function returns for each block of rows, a slice."""
        return [function(block) for block in row_blocks(n_rows, self._block_rows())]

    def _block_rows(self):
        """Rows that are worked on at once."""
        return None


@estimator
class Threaded(Estimator):
    """An estimator whose blocks of rows are worked on in threads.

    Parameters
    ----------
    n_jobs : int or None
        Threads, as in :class:`joblib.Parallel`, in each of which linear algebra uses one core; ``None``: as many as
        linear algebra would use. The result does not depend on it.
    """

    n_jobs: Threads | None = None

    def _by_blocks(self, function, n_rows):
        blocks = list(row_blocks(n_rows, self._block_rows()))
        if len(blocks) == 1:  # Linear algebra has all cores.
            return [function(blocks[0])]
        with threads(self.n_jobs) as run:
            return list(run(function, blocks))


@estimator
class BaseGraphClustering(BaseSubspaceClustering):
    """A clusterer of a graph of samples, all or some of them.

    Samples that equal each other are one row of the graph: a copy would express its copies and nothing else. All of
    them get the label of the first.

    Parameters
    ----------
    subsample : int or None
        Cluster this many rows, drawn at random without any label, and label the others as `predict` does. ``None``: all
        rows.
    noise : {"auto"}, float in [0, 1) or None
        Samples that nothing expresses get the label -1, as scikit-learn calls noise. They are those of which the rows
        of their own cluster, with their coefficients, leave too much: a number is the share of the clustered rows that
        are noise; ``"auto"`` puts the bound four spreads above the centre of the shortest half of what is left of all
        rows, from .05 to 1, so that few rows or none are noise where all are alike. `predict` gives -1 to new samples
        beyond the same bound. ``None``: there is no noise.

    Attributes
    ----------
    labels_
        With `noise`, -1 is noise.
    affinity_matrix_ : ndarray or csr_array of shape (n_rows, n_rows)
        The affinity that was clustered; n_rows is `subsample`, or the number of distinct samples if that is less.
    embedding_ : ndarray or CSR matrix of shape (n_rows, n_features_out)
        The rows that were clustered, as they were represented.
    sample_indices_ : ndarray of shape (n_rows,)
        Which training samples they are.
    """

    subsample: Count | None = None
    noise: Literal["auto"] | Share | None = None

    _drawing: ClassVar[tuple[str, ...]] = ("rows", "labels")
    # Keys of the rows that were clustered, and what of a sample their clusters may leave unexplained.
    _keys, _noise_bound, _copied = np.empty(0, dtype=np.uint64), None, None

    def _draw_rows(self, samples):
        """Choose the rows that are clustered, no two of them equal, if there are enough and the memory is."""
        n_samples = samples.shape[0]
        keys = row_keys(samples, self._compared)
        first = first_copies(samples, keys, self._compared)
        n_distinct, n_least = int((first == np.arange(n_samples)).sum()), self._least_clusters()
        if n_distinct < min(n_least, n_samples):
            warn_user(
                f"X holds {n_distinct} distinct sample{'s' * (n_distinct != 1)}, and n_clusters={n_least}: copies of a "
                "sample are told apart, arbitrarily.",
                DegenerateAffinityWarning,
            )
        distinct = distinct_rows(first, n_least)
        self._copied = first if len(distinct) < n_samples else None
        n_rows = min(self._n_drawn() or n_samples, len(distinct))
        self._check_n_clusters(n_rows, f"n_samples = {n_samples}, subsample={self.subsample}")
        self._check_memory(n_rows, samples.dtype)
        self.sample_indices_ = distinct[draw_rows(len(distinct), n_rows, self._seeds["rows"])]
        self._keys = keys[self.sample_indices_]

    def _compared(self, rows):
        """Rows as they are compared: equal ones are copies of each other."""
        return rows

    def _n_drawn(self):
        """The most rows that are clustered; None: all."""
        return self.subsample

    def _check_memory(self, n_rows, dtype):
        """Compare what matrices of pairs need with the memory there is."""

    def _way_out(self, n_samples):
        n_rows = max(self._least_clusters(), min(5000, len(self.sample_indices_) // 2))
        return f"Cluster a random part and label the rest as predict does: subsample={n_rows}."

    def _about_zeros(self):
        """That some rows are zeros, if they are: no change of a parameter links them to any other."""
        is_zero = np.asarray(abs(self.embedding_).sum(axis=1)).ravel() == 0
        if not is_zero.any():
            return ""
        samples = self.sample_indices_[is_zero]
        named = ", ".join(map(str, samples[:5])) + (", ..." if len(samples) > 5 else "")
        return f" Samples that are zeros, as they are represented ({named}), are expressed by nothing: leave them out."

    def _rows(self, samples):
        """The samples that are clustered."""
        return samples[self.sample_indices_ if len(self.sample_indices_) < samples.shape[0] else slice(None)]

    @property
    def _row_labels(self):
        """Labels of the rows that were clustered."""
        return self.labels_[self.sample_indices_]

    def _label_all(self, row_labels, samples):
        n_samples, rows = samples.shape[0], self.sample_indices_
        self.labels_ = np.zeros(n_samples, dtype=np.int64)
        self.labels_[rows] = row_labels
        if self.noise is not None:
            self._mark_noise()
        distinct = np.unique(np.arange(n_samples) if self._copied is None else self._copied)
        rest = np.setdiff1d(distinct, rows, assume_unique=True)
        if len(rest):
            self._label_rest(samples, rest)
        if self._copied is not None:
            self._label_copies()

    def _label_copies(self):
        """Give equal samples what the first of them has."""
        self.labels_ = self.labels_[self._copied]

    def _label_rest(self, samples, rest):
        """Set the labels of the samples that were not clustered."""
        self.labels_[rest] = self._label(samples, rest)

    def _twins(self, samples):
        """Pairs of a sample and a row that was clustered and equals it."""
        return equal_pairs(row_keys(samples, self._compared), self._keys)

    # Noise

    def _mark_noise(self):
        """Set the bound of noise, and the labels of the clustered rows beyond it; clusters of them alone are none."""
        unexplained, blocks = self._unexplained_rows(), row_blocks(len(self.sample_indices_), _JUDGED_ROWS)
        shares = np.concatenate([unexplained(block) for block in blocks])
        self._noise_bound, labels = noise_bound(shares, self.noise), self._row_labels
        kept = shares <= self._noise_bound
        present, labels[kept] = np.unique(labels[kept], return_inverse=True)
        labels[~kept] = -1
        self.labels_[self.sample_indices_] = labels
        self._keep_clusters(present)

    def _keep_clusters(self, present):
        """Forget what belongs to clusters of noise alone."""

    def _unexplained_rows(self):
        """A function that gives what their own clusters leave of a block of the rows that were clustered, as shares."""
        raise NotImplementedError

    def _judge(self):
        """A function that gives labels of a block of new samples, and what their clusters leave unexplained of them."""
        raise NotImplementedError

    def _label(self, samples, rows=None):
        if self._noise_bound is None:
            return super()._label(samples, rows)
        judge = self._judge()

        def label(block):
            labels, unexplained = judge(block)
            labels[unexplained > self._noise_bound] = -1
            known, places = self._twins(block)
            labels[known] = self._row_labels[places]
            return labels

        return self._fill(label, samples, np.empty(samples.shape[0] if rows is None else len(rows), np.int64), rows)

    def _is_member(self):
        """Which rows that were clustered are in which cluster, shape (n_rows, n_found)."""
        return self._row_labels[:, None] == np.arange(self._n_found())

    # Why samples are where they are

    def _own_coefficients(self, places):
        """Coefficients of some of the rows that were clustered over the others, as CSR."""
        raise NotImplementedError

    def _explain_known(self, i, j, top):
        numbers = [i] if j is None else [i, j]
        places = [self._place_of(number) for number in numbers]
        coefs, row_labels = self._own_coefficients(np.array(places)), self._row_labels
        rows = self.sample_indices_
        one = [
            explained(int(number), int(row_labels[place]), coefs[[row]], rows, row_labels, self._n_found(), top)
            for row, (number, place) in enumerate(zip(numbers, places, strict=True))
        ]
        if j is None:
            return one[0]
        shares = [a.shares[b.label] if b.label >= 0 else 0.0 for a, b in (one, one[::-1])]
        labels, affinity = [part.label for part in one], self.affinity_matrix_[places[0], places[1]]
        return explained_pair(numbers, labels, coefs, affinity, places, rows, shares, top)

    def _explain_new(self, X, top):
        samples = self._read(X, reset=False)
        labels, n_rows = self._label(samples), samples.shape[0]
        known = np.full(n_rows, -1)
        rows, places = self._twins(samples)
        known[rows[::-1]] = places[::-1]
        found, row_labels = [], self._row_labels
        for block in row_blocks(n_rows, self._block_rows()):
            places = known[block]
            new = _rows(self._new_coefficients, samples[block][places < 0])
            own = _rows(self._own_coefficients, places[places >= 0])
            for row, place in zip(range(n_rows)[block], places, strict=True):
                number, coef = (None, next(new)) if place < 0 else (int(self.sample_indices_[place]), next(own))
                label = int(labels[row])
                found.append(explained(number, label, coef, self.sample_indices_, row_labels, self._n_found(), top))
        return found

    def _places(self):
        """Where each training sample, or the one that it is a copy of, is among those that were clustered, or -1."""
        places = np.full(len(self.labels_), -1)
        places[self.sample_indices_] = np.arange(len(self.sample_indices_))
        return places if self._copied is None else places[self._copied]

    def _place_of(self, number):
        """Where a training sample is among those that were clustered."""
        n_samples = len(self.labels_)
        if not Interval(Integral, 0, n_samples, closed="left").is_satisfied_by(number):
            raise ValueError(f"i and j must be numbers of training samples, 0 to {n_samples - 1}; got {number!r}.")
        place = int(self._places()[number])
        if place < 0:
            raise ValueError(
                f"Sample {number} is beyond subsample: it is expressed by the {len(self.sample_indices_)} that were "
                f"clustered, as a new sample is: explain(X=X[[{number}]])."
            )
        return place


@estimator
class BaseSelfExpressive(BaseGraphClustering):
    """A clusterer whose graph is made of the coefficients with which samples express each other.

    Parameters
    ----------
    affinity : {"symmetric", "scaled", "thresholded", "enhanced", "low_rank", "row_normalized", "top"} or callable
        From C to the affinity, see :mod:`skdeepsc.affinity`. A callable gets C.
    affinity_params : dict or None
        Further arguments of that function.
    assign_labels : {"auto", "kmeans", "discretize", "cluster_qr", "diffusion", "best"}
        Last step of spectral clustering, see :func:`~skdeepsc.segmentation.spectral_labels`. ``"auto"``: "best" for
        ``affinity="top"``, a graph of the few edges that its choice needs, else "kmeans".

    Attributes
    ----------
    coef_ : ndarray of shape (n_rows, n_rows)
        Self-expression coefficients; row i rebuilds sample ``sample_indices_[i]`` by the others of them.
    """

    affinity: Affinity | Callable = "symmetric"
    affinity_params: dict | None = None
    assign_labels: AssignLabels | Literal["auto"] = "auto"

    @answers
    @checked
    def recluster(
        self,
        X: ArrayLike,
        *,
        affinity: Affinity | Callable | None = None,
        affinity_params: dict | None = None,
        assign_labels: AssignLabels | Literal["auto"] | None = None,
    ) -> np.ndarray:
        """Labels of the training samples under another affinity of the same coefficients, without fitting again.

        Nothing of the estimator changes.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            The samples that were fitted; with `subsample`, those outside of it are labelled as `predict` does, but by
            no classifier that has learnt the clusters of the fit.
        affinity : str, callable or None, default=None
            As the parameter of the class. ``None``: the estimator's own affinity.
        affinity_params : dict or None, default=None
            Further arguments of the affinity.
        assign_labels : str or None, default=None
            As the parameter of the class; ``None``: the estimator's own.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
        """
        check_is_fitted(self)
        samples = self._read(X, reset=False)
        if samples.shape[0] != len(self.labels_):
            raise ValueError(f"X must be the {len(self.labels_)} samples that were fitted; got {samples.shape[0]}.")
        other, graph = self._twin_to_relabel(), dict(self._graph)
        if affinity is None and affinity_params is None:
            matrix = self.affinity_matrix_
        else:
            graph |= {"affinity": graph["affinity"] if affinity is None else affinity, "params": affinity_params or {}}
            check_affinity_params(graph["affinity"], graph["params"])
            matrix = _affinity(self.coef_, graph)
        graph["assign_labels"] = assign_labels or graph["assign_labels"]
        other._label_all(_labels(matrix, graph, self._seeds["labels"]), samples)
        return other.labels_

    def _twin_to_relabel(self):
        """A twin without what follows from the labels of the fit."""
        return twin(self)

    @property
    def affinity_matrix_(self) -> Any:
        """The affinity that was clustered; made again from `coef_` when it is asked for after unpickling."""
        check_is_fitted(self)
        if self._matrix is None:
            self._matrix = self._affinity_of(self.coef_)
        return self._matrix

    def __getstate__(self):
        state = super().__getstate__()
        return {**state, "_matrix": None} if "_matrix" in state else state

    # Why samples are where they are

    def _own_coefficients(self, places):
        rows = others_of(self.coef_[places], places)
        return self._taken(sparse.csr_array(rows, dtype=np.float64))

    def _unexplained_rows(self):
        z, row_labels = self._expressed_rows(), self._row_labels

        def unexplained(block):
            places = np.arange(len(row_labels))[block]
            own = row_labels[places, None] == row_labels
            return unexplained_shares(self._aims(places), others_of(self.coef_[places], places), own, z)

        return unexplained

    def _expressed_rows(self):
        """The clustered rows as they express each other."""
        raise NotImplementedError

    def _aims(self, places):
        """The part of some of them that the others are to explain."""
        return self._expressed_rows()[places]

    def _taken(self, coefs):
        """Those of the coefficients, as CSR, that the affinity is made of, if it takes the few largest of each row."""
        if self._graph["affinity"] != "top":
            return coefs
        n_coefs = self._graph["params"].get("n_coefs", N_COEFS)
        coefs.data[coefs.data < 0] = 0
        for start, end in zip(coefs.indptr[:-1], coefs.indptr[1:], strict=True):
            if end - start > n_coefs:
                values = coefs.data[start:end]
                values[np.argsort(-values, kind="stable")[n_coefs:]] = 0
        coefs.eliminate_zeros()
        return coefs

    # From coefficients to labels

    def _draw_rows(self, samples):
        check_affinity_params(self.affinity, self.affinity_params or {})
        super()._draw_rows(samples)
        self._graph = {
            "affinity": self.affinity,
            "params": dict(self.affinity_params or {}),
            "chosen": {},  # Arguments that a method sets where the user has left them open.
            "assign_labels": self.assign_labels,
            "n_clusters": self.n_clusters,
        }

    def _affinity_of(self, coef):
        return _affinity(coef, self._graph)

    def _segment(self, samples):
        self._matrix = self._affinity_of(self.coef_)
        with advising(self._advice()):
            return _labels(self._matrix, self._graph, self._seeds["labels"])

    def _advice(self):
        """What to change where the graph does not hold together, by the names that this estimator has."""
        of_affinity = {"top": "a larger n_coefs in affinity_params", "thresholded": "a larger keep in affinity_params"}
        of_affinity["enhanced"] = "a larger keep or a smaller power in affinity_params"
        ways = [of_affinity.get(self.affinity, "") if isinstance(self.affinity, str) else "", *self._denser()]
        return f"Try {', '.join([*filter(None, ways), 'another affinity'])}.{self._about_zeros()}"

    def _denser(self):
        """Changes of the parameters with which samples have more, or larger, coefficients."""
        return ["a smaller subspace_dim"] if hasattr(self, "subspace_dim") else []

    def _passing_labels(self, coef, **chosen):
        """Labels of the rows under coefficients that are not the final ones, and need no warning."""
        graph = {**self._graph, "chosen": {self.affinity: chosen}} if chosen else self._graph
        with muted(DegenerateAffinityWarning):
            return _labels(_affinity(coef, graph), graph, self._seeds["labels"])

    def _check_memory(self, n_rows, dtype):
        bytes_per_pair = self._bytes_per_pair()
        if bytes_per_pair or self.affinity in DENSE_AFFINITIES:
            of_segmentation = segmentation_bytes(self.affinity, self._bytes_per_coef(dtype))
            require_memory(n_rows, bytes_per_pair, of_segmentation, getattr(self, "device_", "cpu"))

    def _bytes_per_coef(self, dtype):
        """Bytes of an entry of `coef_` for samples of a dtype."""
        return dtype.itemsize

    def _bytes_per_pair(self):
        """Bytes for each pair of samples at the peak of `_represent`; 0 if there is no N x N matrix."""
        raise NotImplementedError


def _rows(function, values):
    """One by one the rows of what a function makes of values, when the first is asked for."""
    made = function(values)
    yield from (made[[row]] for row in range(made.shape[0]))


def others_of(rows, own):
    """Rows of coefficients, dense or CSR, without that of each in itself; scaled where it was not 0.

    A row with the weight w of its own in itself is expressed by the others with what they have left for it, 1 - w.
    """
    if not sparse.issparse(rows):
        rows, each = np.array(rows), np.arange(len(own))
        rows *= _inverse(1 - rows[each, own])[:, None]
        rows[each, own] = 0
        return rows
    rows = sparse.csr_array(rows, copy=True)
    of_row = np.repeat(np.arange(len(own)), np.diff(rows.indptr))
    is_own = rows.indices == np.asarray(own)[of_row]
    scale = _inverse(1.0 - np.bincount(of_row[is_own], rows.data[is_own], minlength=len(own)))
    rows.data *= np.where(is_own, 0, scale[of_row]).astype(rows.dtype)
    rows.eliminate_zeros()
    return rows


def _inverse(left):
    return np.divide(1, left, out=np.zeros_like(left), where=left > _ROUNDING)


def _affinity(coef, graph):
    chosen = graph["chosen"].get(graph["affinity"], {}) if isinstance(graph["affinity"], str) else {}
    params = {**chosen, **graph["params"]}
    made = compute_affinity(coef, graph["affinity"], n_clusters=graph["n_clusters"], **params)
    made = sparse.csr_array(made) if sparse.issparse(made) else np.asarray(plain("affinity", made))
    if made.shape != coef.shape:
        raise ValueError(f"affinity must make a matrix of shape {coef.shape} of C; got {np.shape(made)}.")
    return made


def _labels(matrix, graph, seed):
    assign_labels = graph["assign_labels"]
    if assign_labels == "auto":
        assign_labels = "best" if graph["affinity"] == "top" else "kmeans"
    return spectral_labels(matrix, graph["n_clusters"], assign_labels=assign_labels, random_state=seed)


class Progress:
    """The tasks of a fit; a context in which the fit runs.

    Parameters
    ----------
    estimator : estimator with callback support
    n_tasks : int
        How many tasks the fit will report.
    X : ndarray
        Training data, for callbacks that ask for it.

    Attributes
    ----------
    stopped : bool
        Whether a callback asked at the end of a task to leave out the phases that follow.
    """

    def __init__(self, estimator, n_tasks, X):
        self.stopped = False
        self.estimator = estimator
        self.X = X
        self.root = estimator._init_callback_context(max_subtasks=n_tasks)

    def __enter__(self):
        self.root.call_on_fit_task_begin(estimator=self.estimator, X=self.X)
        return self

    def __exit__(self, error, *_):
        if error is None:
            self.root.call_on_fit_task_end(estimator=self.estimator, X=self.X)

    @contextmanager
    def task(self, name, n_steps=0):
        """A context in which a task of `n_steps` steps runs; gives scikit-learn's context of the task."""
        context = self.root.subcontext(task_name=name, max_subtasks=n_steps)
        context.call_on_fit_task_begin(estimator=self.estimator, X=self.X)
        yield context
        self.stopped |= context.call_on_fit_task_end(estimator=self.estimator, X=self.X)
