"""What happens between epochs: skorch callbacks of the package's own."""

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
    """Give up on an auto-encoder whose reconstruction cost is not below `limit` in epoch `after`."""

    def __init__(self, limit, after):
        self.limit = limit
        self.after = after

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.after and net.history[-1, "reconstruction"] > self.limit > 0:
            raise DeadAutoEncoder


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
