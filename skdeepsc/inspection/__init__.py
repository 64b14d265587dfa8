"""Pictures, as scikit-learn's Displays. matplotlib is imported when something is drawn."""

from .._explanation import Explanation, PairExplanation
from ._affinity import AffinityDisplay
from ._candidates import CandidatesDisplay
from ._history import HistoryDisplay
from ._images import ClusterImagesDisplay

__all__ = [
    "AffinityDisplay",
    "CandidatesDisplay",
    "ClusterImagesDisplay",
    "Explanation",
    "HistoryDisplay",
    "PairExplanation",
]
