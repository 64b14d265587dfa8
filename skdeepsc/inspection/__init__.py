"""Pictures, as scikit-learn's Displays. matplotlib is imported when something is drawn."""

from .._explanation import Explanation, PairExplanation
from ._affinity import AffinityDisplay
from ._candidates import CandidatesDisplay
from ._contingency import ContingencyDisplay
from ._doubtful import DoubtfulDisplay
from ._embedding import EmbeddingMapDisplay
from ._explained import ExplanationDisplay
from ._history import HistoryDisplay
from ._images import ClusterImagesDisplay
from ._number import NumberOfClustersDisplay
from ._sheet import ContactSheetDisplay

__all__ = [
    "AffinityDisplay",
    "CandidatesDisplay",
    "ClusterImagesDisplay",
    "ContactSheetDisplay",
    "ContingencyDisplay",
    "DoubtfulDisplay",
    "EmbeddingMapDisplay",
    "Explanation",
    "ExplanationDisplay",
    "HistoryDisplay",
    "NumberOfClustersDisplay",
    "PairExplanation",
]
