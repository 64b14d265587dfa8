"""What happens between epochs: skorch callbacks of the package's own.

Their attributes in `keeps` go with the phase into a checkpoint.
"""

import time

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from .._warn import warn_user
from ..segmentation import match_labels

# A cluster is in use if it has this share of the samples that it would have if all were of equal size.
_FAIR_SHARE = 0.1


class StopTraining(Exception):
    """Raise it in a skorch callback to end the current phase; the fit goes on with the next one.

    An epoch that it cuts short, raised before ``on_epoch_end``, is left out of the history.
    """


class EpochSeconds(Callback):
    """Record under ``dur`` how long an epoch took, by a clock that is never set; skorch's own timer reads the time."""

    def on_epoch_begin(self, net, **kwargs):
        self.begin = time.perf_counter()

    def on_epoch_end(self, net, **kwargs):
        net.history.record("dur", time.perf_counter() - self.begin)


class DeadAutoEncoder(Exception):
    """The auto-encoder does not learn from this initialisation."""


class RedrawIfDead(Callback):
    """Give up on a network that `is_dead` after some epochs."""

    def __init__(self, is_dead, after, group=None):
        self.is_dead = is_dead
        self.after = after
        self.group = group

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) != self.after:
            return
        is_dead = self.is_dead(net.module)
        if is_dead if self.group is None else self.group.agree(is_dead):
            raise DeadAutoEncoder


class Resegment(Callback):
    """Give the network the clusters of the samples before a phase, and new ones every few epochs of it.

    New clusters are renamed to agree with the former ones (Hungarian method). Each epoch's history gets
    ``segmentation_seconds`` and ``label_changes``, the share of samples that changed cluster. The last epoch of a phase
    is left to what follows.

    Parameters
    ----------
    segment : callable
        Labels from the coefficients C, both arrays.
    on_first : callable or None, default=None
        ``on_first(out)`` gets the :class:`~skdeepsc.nn.Outputs` that were clustered first, without gradients.
    every : int or None, default=None
        Epochs between two segmentations; ``None``: only before the phase, if the network has no segments yet.
    """

    def __init__(self, segment, on_first=None, every=None):
        self.segment = segment
        self.on_first = on_first
        self.every = every

    def on_train_begin(self, net, X=None, **kwargs):
        if net.module_.segments is None:
            out = self.resegment(net.module_, X)
            if self.on_first is not None:
                self.on_first(out)

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        if not self.every:
            return
        begin, epoch, before, network = time.perf_counter(), len(net.history), net.module_.segments, net.module_
        if epoch % self.every == 0 and epoch < net.phase.epochs:
            self.resegment(network, dataset_train)
        net.history.record("segmentation_seconds", time.perf_counter() - begin)
        net.history.record("label_changes", (before != network.segments).float().mean().item())

    @torch.no_grad()
    def resegment(self, network, samples):
        """Cluster the samples under the present C; their outputs."""
        out = network.eval()(samples)
        labels = self.segment(out.coef.cpu().numpy())
        if network.segments is not None:
            labels = match_labels(labels, network.segments.cpu().numpy())
        network.segments = torch.from_numpy(labels).to(samples.device)
        return out


class Weigh(Callback):
    """Show a method the outputs of the first batch of a phase before anything is learnt from it.

    Parameters
    ----------
    weigh : callable
        ``weigh(out)`` gets the :class:`~skdeepsc.nn.Outputs`, without gradients.
    """

    keeps = ("is_first",)

    def __init__(self, weigh):
        self.weigh = weigh

    def on_train_begin(self, net, **kwargs):
        self.is_first = True

    def on_batch_begin(self, net, batch=None, **kwargs):
        if self.is_first:
            self.is_first = False
            with torch.no_grad():
                self.weigh(net.module_(**batch[0]))


class Renew(Callback):
    """Call a function before a phase, and again after every few of its batches, without gradients.

    Parameters
    ----------
    renew : callable
        It takes no argument.
    every : int
        Batches between two calls.
    """

    keeps = ("n_batches",)

    def __init__(self, renew, every):
        self.renew = renew
        self.every = every

    def on_train_begin(self, net, **kwargs):
        self.n_batches = 0

    @torch.no_grad()
    def on_batch_begin(self, net, **kwargs):
        if self.n_batches % self.every == 0:
            self.renew()
        self.n_batches += 1


class CountClusters(Callback):
    """Count how many clusters the classifier uses in an epoch, for the history, and tell once when they are too few.

    Parameters
    ----------
    n_clusters : int
    advice : str
        What to do about it.
    after_epoch : callable
        Called at the end of each epoch.
    """

    is_collapsed = False

    def __init__(self, n_clusters, advice, after_epoch):
        self.n_clusters = n_clusters
        self.advice = advice
        self.after_epoch = after_epoch

    def on_epoch_begin(self, net, **kwargs):
        self.counts = 0

    def on_batch_end(self, net, y_pred=None, **kwargs):
        logits = y_pred.logits.detach()
        self.counts = self.counts + logits.argmax(1).bincount(minlength=logits.shape[1])

    def on_epoch_end(self, net, **kwargs):
        net.history.record("clusters", self.n_used(net.phase.name, self.counts.cpu().numpy()))
        self.after_epoch()

    def n_used(self, phase, counts):
        """Clusters with a tenth of a fair share of the samples or more; a collapse is told once."""
        n_used = int((counts >= max(1, _FAIR_SHARE * counts.sum() / self.n_clusters)).sum())
        if n_used <= self.n_clusters / 2 and self.n_clusters > 1 and not self.is_collapsed:
            self.is_collapsed = True
            warn_user(
                f"The classifier is collapsing: it uses {n_used} of {self.n_clusters} clusters in phase {phase!r}. "
                f"{self.advice}",
                ConvergenceWarning,
            )
        return n_used


class EpochTasks(Callback):
    """Report every epoch to scikit-learn's callbacks; one of them may end the phase.

    An epoch that is run again, because the network was drawn anew, is reported once.

    Parameters
    ----------
    progress : Progress
        Of the fit.
    context : callback context
        Of the phase.
    """

    keeps = ("reported",)

    def __init__(self, progress, context):
        self.progress = progress
        self.context = context
        self.reported = 0
        self.is_new = False

    def on_epoch_begin(self, net, **kwargs):
        self.is_new = len(net.history) > self.reported
        if self.is_new:
            self.task = self.context.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(estimator=self.progress.estimator, X=self.progress.X)

    def on_epoch_end(self, net, **kwargs):
        if not self.is_new:
            return
        self.reported += 1
        self.is_new = False
        if self._end():
            raise StopTraining

    def on_train_end(self, net, **kwargs):
        if self.is_new:  # Another callback ended the phase in this epoch.
            self.is_new = False
            self.reported += 1
            self._end()

    def _end(self):
        return self.task.call_on_fit_task_end(estimator=self.progress.estimator, X=self.progress.X)
