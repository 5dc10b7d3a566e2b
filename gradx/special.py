"""Special functions, named as in ``scipy.special``."""

from gradx.ops.neural import log_softmax as log_softmax
from gradx.ops.neural import sigmoid as expit
from gradx.ops.neural import softmax as softmax
from gradx.ops.special import erf as erf
from gradx.ops.special_normal import erfc as erfc
from gradx.ops.special_normal import erfcinv as erfcinv
from gradx.ops.special_normal import erfcx as erfcx
from gradx.ops.special_normal import erfinv as erfinv
from gradx.ops.special_normal import log_ndtr as log_ndtr
from gradx.ops.special_normal import ndtr as ndtr
from gradx.ops.special_normal import ndtri as ndtri
from gradx.ops.statistical import logsumexp as logsumexp

__all__ = [
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "expit",
    "log_ndtr",
    "log_softmax",
    "logsumexp",
    "ndtr",
    "ndtri",
    "softmax",
]
