"""The package's estimators by kind, as it lists them itself, and how tests make them."""

from sklearn.base import ClusterMixin

import skdeepsc


def listed_in(module, base=object):
    """Classes of a module's public names, those of a kind."""
    found = (getattr(module, name) for name in module.__all__)
    return [cls for cls in found if isinstance(cls, type) and issubclass(cls, base)]


SHALLOW = listed_in(skdeepsc.shallow)
DEEP = listed_in(skdeepsc.deep, ClusterMixin)
FEATURES = listed_in(skdeepsc.features)
ESTIMATORS = [*FEATURES, *DEEP, skdeepsc.SubspaceClustering, *SHALLOW]
# Those that train or hold a network.
ON_TORCH = [*FEATURES, *DEEP, skdeepsc.SubspaceClustering]


def make(estimator, n_clusters=None, **params):
    """An estimator with parameters that may be those of its parts, such as ``autoencoder__max_epochs``.

    First labels by a head take seconds, whatever the epochs of the rest: NCSC has others unless they are given.
    """
    own = {} if n_clusters is None else {"n_clusters": n_clusters}
    quick = {"init": "spectral"} if issubclass(estimator, skdeepsc.NCSC) else {}
    return estimator().set_params(**{**quick, **own, **params})


def make_known(estimator, **params):
    """The same with those of the parameters that it has."""
    known = set(estimator().get_params(deep=False))
    return make(estimator, **{name: value for name, value in params.items() if name.split("__")[0] in known})
