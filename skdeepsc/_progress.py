"""What a fit tells scikit-learn's callbacks: its tasks, one after the other, and the steps within them."""

from contextlib import contextmanager


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
