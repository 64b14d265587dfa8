"""What happens between epochs: skorch callbacks of the package's own."""

import time

from skorch.callbacks import Callback


class StopTraining(Exception):
    """Raise it in a skorch callback to end the current phase; the fit goes on with the next one.

    An epoch that it cuts short, raised before ``on_epoch_end``, is left out of the history.
    """


class DeadAutoEncoder(Exception):
    """The auto-encoder does not learn from this initialisation."""


class EpochTerms(Callback):
    """Sum the cost terms that the batches recorded into one figure per epoch and term."""

    def on_epoch_end(self, net, **kwargs):
        for name in (*net.term_names_, "train_loss"):
            net.history.record(name, sum(net.history[-1, "batches", :, name]))


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

    Each epoch's history gets ``segmentation_seconds`` and ``label_changes``, the share of samples that changed cluster.
    The last epoch of a phase is left to what follows.

    Parameters
    ----------
    segment : callable
        ``segment(network, samples)`` sets ``network.segments`` and returns the share of changes.
    every : int or None, default=None
        Epochs between two segmentations; ``None``: only before the phase, if the network has no segments yet.
    """

    def __init__(self, segment, every=None):
        self.segment = segment
        self.every = every

    def on_train_begin(self, net, X=None, **kwargs):
        if net.module_.segments is None:
            self.segment(net.module_, X)

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        epoch = len(net.history)
        if not self.every:
            return
        begin, changes = time.perf_counter(), 0.0
        if epoch % self.every == 0 and epoch < net.phase.epochs:
            changes = self.segment(net.module_, dataset_train)
        net.history.record("segmentation_seconds", time.perf_counter() - begin)
        net.history.record("label_changes", changes)


class CountClusters(Callback):
    """Count how many samples of an epoch the classifier puts into each cluster.

    Parameters
    ----------
    report : callable
        ``report(phase_name, counts)`` is called at the end of each epoch and returns what the history gets as
        ``clusters``.
    """

    def __init__(self, report):
        self.report = report

    def on_epoch_begin(self, net, **kwargs):
        self.counts = 0

    def on_batch_end(self, net, y_pred=None, **kwargs):
        logits = y_pred.logits.detach()
        self.counts = self.counts + logits.argmax(1).bincount(minlength=logits.shape[1])

    def on_epoch_end(self, net, **kwargs):
        net.history.record("clusters", self.report(net.phase.name, self.counts.cpu().numpy()))


class EpochTasks(Callback):
    """Report every epoch to scikit-learn's callbacks; one of them may end the phase.

    An epoch that is run again, because the network was drawn anew, is reported once.

    Parameters
    ----------
    estimator : estimator
        Whose fit this is.
    context : callback context
        Of the phase.
    X : ndarray
        Training data, for callbacks that ask for it.
    """

    def __init__(self, estimator, context, X):
        self.estimator = estimator
        self.context = context
        self.X = X
        self.reported = 0
        self.is_new = False

    def on_epoch_begin(self, net, **kwargs):
        self.is_new = len(net.history) > self.reported
        if self.is_new:
            self.task = self.context.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(estimator=self.estimator, X=self.X)

    def on_epoch_end(self, net, **kwargs):
        if not self.is_new:
            return
        self.reported += 1
        self.is_new = False
        if self.task.call_on_fit_task_end(estimator=self.estimator, X=self.X):
            raise StopTraining

    def on_train_end(self, net, **kwargs):
        if self.is_new:  # Another callback ended the phase in this epoch.
            self.is_new = False
            self.reported += 1
            self.task.call_on_fit_task_end(estimator=self.estimator, X=self.X)
