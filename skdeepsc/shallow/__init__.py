"""The classics: subspace clustering without a network, one file a method."""

from ._edsc import EDSC
from ._ensc import EnSC
from ._kssc import KSSC
from ._lrr import LRR
from ._lrsc import LRSC
from ._s3c import S3C
from ._ssc import SSC
from ._ssc_omp import SSCOMP

__all__ = ["EDSC", "KSSC", "LRR", "LRSC", "S3C", "SSC", "SSCOMP", "EnSC"]
