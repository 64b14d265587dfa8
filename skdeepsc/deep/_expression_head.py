"""A head on the codes from which C is computed, supervised by the graph of its own coefficients."""

import math
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch
from sklearn.metrics import silhouette_score
from torch import nn
from torch.nn import functional as F

from .._compat import VALIDATION
from .._dimension import N_COEFS, best_graph
from .._params import Probability, estimator
from .._random import generator_for
from .._ridge import limited_freedom, penalties_by_dim
from ..affinity import affinity_from_top
from ..nn import (
    ExpressionHead,
    RidgeExpression,
    RidgePath,
    answering,
    gram_spectrum,
    ridge_coefficients,
    ridge_penalty,
)
from ..nn.network import augmented
from ..segmentation import match_labels
from ..training import Phase
from ..training.augment import IMAGE_POLICIES, as_augmentation
from ..training.batches import in_blocks
from ..training.callbacks import Renew
from ..training.construction import Construction
from ..training.trainer import run_phase
from ._views import MOST_CONTRASTED, ChoosesViews

# Logits are products of unit rows: of this length they can be confident.
_LOGIT_SCALE = 10.0
# Hidden units of a head that learns from random views; without them, it would bend to anything.
_N_HIDDEN = 512
# The policies that are tried. Under changing light, clusters have more dimensions than are contrasted.
_POLICIES = [policy for policy in IMAGE_POLICIES if policy != "light"]
# Views of each sample, and samples of a batch, where features are contrasted.
_N_VIEWS, _BATCH = 16, 200
# A head that contrasts may part a cluster: weight of the links that tell which parts belong together.
_BRIDGE = 0.1
# Steps of each way, and between two graphs.
_STEPS = {"contrast": (300, 50), "rate": (150, 20)}


@estimator
class LearnsHead(ChoosesViews):
    """A clusterer whose C is computed from a head on the pre-trained codes.

    Parameters
    ----------
    confidence : float
        Least share of its links with which a sample must be tied to its own cluster for its label to supervise.
    augment
        For "auto", all but "light" are tried: where the light differs, clusters have more dimensions than are
        contrasted; the one is kept whose features have the highest mean silhouette coefficient in their own clusters.
        Flat rows have no views, and then the head is linear.

    Attributes
    ----------
    augment_scores_
        By the mean silhouette coefficient.
    supervision_ : {"contrast", "rate", "none"}
        How the head learnt: where the clusters of the codes are subspaces of expected dimensions up to 2, by contrast
        along the edges of the graph, else by coding rates, which keep the dimensions; "none" without a joint phase.
    """

    confidence: Probability = 0.8

    def _contrast_costs(self, out):
        """Costs of a batch for clusters of few dimensions, from :class:`HeadOutputs`."""
        raise NotImplementedError

    def _rate_costs(self, out):
        """Costs of all samples for clusters of many dimensions."""
        raise NotImplementedError

    def _learn_head(self, rows, progress):
        """Let the head learn on the pre-trained codes, and make the network express samples by it."""
        z = self._codes(self.network_, rows)
        self._choose_freedom(z)
        dim = self.subspace_dim_ or self._choice(z)["subspace_dim"]
        self.supervision_ = "contrast" if dim <= MOST_CONTRASTED else "rate"
        policies = [None] if self.supervision_ == "rate" else self._policies(_POLICIES, None)
        with progress.task("head", len(policies) * self._head_phase(len(z)).epochs) as context:
            self.network_.features, history, _ = self._choose_views(
                policies,
                lambda policy: self._trained_head(z, policy, dim, rows, self._reporting(progress, context)),
                lambda head, _, graph: silhouette_of(head, graph),
                progress,
            )
        self._graph["chosen"]["top"] = {"bridge": _BRIDGE}
        self.history_ = [*self.history_, *history]
        self.n_iter_ += len(history)

    def _trained_head(self, z, policy, dim, rows, reporting):
        """A head that learnt on codes, its history, and its graph."""
        with Construction():
            head = ExpressionHead.of_codes(z, n_hidden=_N_HIDDEN if policy is not None else 0).to(z.device)
        augment = as_augmentation(policy, self.image_shape_)
        x = directions_of_views(self.network_, head, rows, augment, _N_VIEWS)
        graph = PseudoGraph(x, self.n_clusters, dim, self.confidence, self._seeds["labels"])
        graph.renew(head)
        with Construction():
            network = HeadNetwork(head, graph, self.n_clusters).to(self.device_)
        network.start_classifier(graph.p, graph.labels)
        renewed = Renew(partial(graph.renew, head), _STEPS[self.supervision_][1])
        phase = replace(self._head_phase(len(z)), callbacks=(renewed,))
        reporting = {**reporting, "group": None}  # All processes learn alike.
        history = run_phase(phase, network, graph.p, keeps=[(graph, name) for name in graph.changing], **reporting)
        graph.renew(head)
        return head, history, graph

    def _head_phase(self, n_samples):
        """The phase in which a head learns: in batches of equal size where features are contrasted."""
        costs, n_batches = self._rate_costs, 1
        if self.supervision_ == "contrast":
            costs, n_batches = self._contrast_costs, math.ceil(n_samples / _BATCH)
        epochs = math.ceil(_STEPS[self.supervision_][0] / n_batches) if self.max_epochs == "auto" else self.max_epochs
        return Phase("head", costs, epochs, self.lr, batch_size=math.ceil(n_samples / n_batches))


def silhouette_of(head, graph):
    """Mean silhouette coefficient of a head's features in the clusters of its graph."""
    with torch.inference_mode():
        features = RidgeExpression().normalize(head.project(graph.p))[0].cpu().numpy()
    labels = graph.labels.cpu().numpy()
    if not 1 < len(np.unique(labels)) < len(labels):
        return -1.0
    with VALIDATION:
        return float(silhouette_score(features, labels))


class HeadNetwork(nn.Module):
    """The head, and what is learnt beside it, on the directions of samples' codes; the graph has those of their views.

    Parameters
    ----------
    head : ExpressionHead
    graph : PseudoGraph
    n_clusters : int
    """

    def __init__(self, head, graph, n_clusters):
        super().__init__()
        n_axes = head.axes.shape[1]
        self.head = head
        self.decoder = nn.Linear(n_axes, n_axes)
        self.classifier = nn.Linear(n_axes, n_clusters, bias=False)
        nn.init.eye_(self.decoder.weight)
        nn.init.zeros_(self.decoder.bias)
        self.graph = graph

    def forward(self, x, index):
        """What a batch can answer."""
        return HeadOutputs(self, x, index)

    @torch.no_grad()
    def start_classifier(self, p, labels):
        """Let the classifier begin with the mean features of the clusters."""
        h, members = self.head.project(p), F.one_hot(labels, len(self.classifier.weight)).to(p.dtype)
        self.classifier.weight.copy_(F.normalize(members.T @ h))


class HeadOutputs:
    """What one pass of a batch can answer; all is computed when it is first asked for.

    Attributes
    ----------
    p : tensor of shape (n_samples, n_axes)
        Directions of the codes.
    p_near : tensor of shape (n_samples, n_axes)
        Means of the directions of the samples that the graph links to, by its weights.
    p_hat : tensor of shape (n_samples, n_axes)
        Directions decoded from the features.
    h : tensor of shape (n_samples, n_axes)
        Features, unit rows.
    h_view, h_neighbor : tensors of shape (n_samples, n_axes)
        Features of a random view of each sample, and of one of a random neighbour in the graph.
    linked : tensor of shape (n_samples, n_samples), bool
        Whether a sample is linked to, or is, the neighbour of another.
    logits : tensor of shape (n_samples, n_clusters)
        The classifier's, of ``h_view``.
    labels, confident : tensors of shape (n_samples,)
        Clusters of the samples in the graph, and whether the graph is sure of them.
    features, features_hat : tensors of shape (n_samples, n_axes)
        Centred unit rows of ``h``, and what the other samples of the batch express them as.
    edge_lengths : tensor of shape (n_samples, n_coefs)
        Squared distances between the features of samples and of those they are linked to, by the weights of the links.
    """

    def __init__(self, network, x, index):
        self._network, self._graph = network, network.graph
        self.p, self.index = x, index

    @cached_property
    def p_near(self):
        columns, weights = self._graph.columns[self.index], self._graph.weights[self.index]
        return (self._graph.p[columns] * weights[..., None]).sum(1)

    @cached_property
    def p_hat(self):
        return self._network.decoder(self.h)

    @cached_property
    def h(self):
        return self._network.head.project(self.p)

    @cached_property
    def h_view(self):
        return self._network.head.project(_any_view(self._graph.x, self.index))

    @cached_property
    def neighbors(self):
        weights = self._graph.weights[self.index]
        has_any = weights.sum(1) > 0
        drawn = torch.where(has_any[:, None], weights, 1).multinomial(1, generator=generator_for(weights.device))
        drawn = self._graph.columns[self.index].gather(1, drawn)[:, 0]
        return torch.where(has_any, drawn, self.index)

    @cached_property
    def h_neighbor(self):
        return self._network.head.project(_any_view(self._graph.x, self.neighbors))

    @cached_property
    def linked(self):
        columns = torch.where(self._graph.weights > 0, self._graph.columns, -1)
        linked = self.index[:, None] == self.neighbors
        for index in columns[self.index].T:
            linked |= index[:, None] == self.neighbors
        for index in columns[self.neighbors].T:
            linked |= self.index[:, None] == index
        return linked

    @cached_property
    def logits(self):
        return _LOGIT_SCALE * self._network.classifier(self.h_view)

    @cached_property
    def features_hat(self):
        features = self.features.double() if self.features.device.type != "mps" else self.features
        return (ridge_coefficients(features, self._graph.penalty(features)) @ features).to(self.h.dtype)

    @property
    def edge_lengths(self):
        columns, weights = self._graph.columns[self.index], self._graph.weights[self.index]
        return weights * (self._network.head.project(self._graph.p)[columns] - self.h[:, None]).square().sum(2)

    @cached_property
    def labels(self):
        return self._graph.labels[self.index]

    @cached_property
    def confident(self):
        return self._graph.confident[self.index]

    @cached_property
    def features(self):
        return RidgeExpression().normalize(self.h)[0]


class PseudoGraph:
    """The graph of a head's own largest coefficients, and the clusters in it; renewed while the head learns.

    Parameters
    ----------
    x : tensor of shape (n_samples, 1 + n_views, n_axes)
        Directions of the samples' codes, and of their views'.
    n_clusters : int
    dim : float
        Expected dimension of a subspace.
    confidence : float
        A label is sure if the graph links the sample to its own cluster with this share of its weights.
    seed : int
    """

    labels = lam = None
    changing = ("labels", "lam", "columns", "weights", "confident")

    def __init__(self, x, n_clusters, dim, confidence, seed):
        self.x, self.p = x, x[:, 0].contiguous()
        self.n_clusters, self.dim, self.confidence, self.seed = n_clusters, dim, confidence, seed

    def penalty(self, features):
        """Penalty of the ridge on a batch, by the first one."""
        if self.lam is None:
            spectrum = gram_spectrum(features.detach())
            self.lam = ridge_penalty(spectrum, limited_freedom(self.dim, self.n_clusters, len(features)))
        return self.lam

    @torch.no_grad()
    def renew(self, head):
        """Make graph and clusters of the present head."""
        z = RidgeExpression().normalize(head.project(self.p))[0]
        path, device = RidgePath(z), self.p.device
        ((dim, lam),) = penalties_by_dim(path.penalty, [self.dim], self.n_clusters, len(z)).items()
        columns, coefs = path.top_coefficients(lam, min(N_COEFS, len(z) - 1))
        _, labels, _ = best_graph({dim: affinity_from_top(columns, coefs)}, self.n_clusters, self.seed)
        labels = np.unique(labels, return_inverse=True)[1]
        if self.labels is not None:
            labels = match_labels(labels, self.labels.cpu().numpy()) % self.n_clusters
        self.labels = torch.from_numpy(labels).to(device)
        self.columns, weights = (torch.from_numpy(part).to(device) for part in (columns, coefs))
        weights = weights.clamp_min(0)
        self.weights = weights / weights.sum(1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
        own = (self.labels[self.columns] == self.labels[:, None]) * self.weights
        self.confident = own.sum(1) >= self.confidence


def directions_of_views(network, head, rows, augment, n_views):
    """Directions of the codes of samples, and of random views of each, shape (n_samples, 1 + n_views, n_axes)."""
    blocks = []
    with answering():
        for block in in_blocks(rows, 512):
            x = network.eval()(block).x
            views = [x, *(augmented(augment, x) for _ in range(n_views if augment else 0))]
            codes = [network.encoder(view).flatten(1) for view in views]
            blocks.append(torch.stack([head.directions(z) for z in codes], dim=1))
    return torch.cat(blocks).clone()


def _any_view(x, rows):
    """One of the views of each of some samples, at random; the sample itself where there is none."""
    n_kept = x.shape[1]
    first = min(1, n_kept - 1)
    drawn = torch.randint(first, n_kept, (len(rows),), device=x.device, generator=generator_for(x.device))
    return x[rows, drawn]
