"""Special functions, named as in ``scipy.special``."""

from gradx.ops.neural import log_softmax as log_softmax
from gradx.ops.neural import sigmoid as expit
from gradx.ops.neural import softmax as softmax
from gradx.ops.special import erf as erf
from gradx.ops.statistical import logsumexp as logsumexp

__all__ = ["erf", "expit", "log_softmax", "logsumexp", "softmax"]
