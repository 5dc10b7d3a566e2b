"""Special functions, named as in ``scipy.special``."""

from gradx.ops.neural import log_softmax as log_softmax
from gradx.ops.neural import sigmoid as expit
from gradx.ops.neural import softmax as softmax
from gradx.ops.special import erf as erf
from gradx.ops.special_bessel import exprel as exprel
from gradx.ops.special_bessel import i0 as i0
from gradx.ops.special_bessel import i0e as i0e
from gradx.ops.special_bessel import i1 as i1
from gradx.ops.special_bessel import i1e as i1e
from gradx.ops.special_entropy import entr as entr
from gradx.ops.special_entropy import kl_div as kl_div
from gradx.ops.special_entropy import log_expit as log_expit
from gradx.ops.special_entropy import logit as logit
from gradx.ops.special_entropy import rel_entr as rel_entr
from gradx.ops.special_entropy import xlog1py as xlog1py
from gradx.ops.special_entropy import xlogy as xlogy
from gradx.ops.special_gamma import beta as beta
from gradx.ops.special_gamma import betaln as betaln
from gradx.ops.special_gamma import binom as binom
from gradx.ops.special_gamma import digamma as digamma
from gradx.ops.special_gamma import digamma as psi
from gradx.ops.special_gamma import gamma as gamma
from gradx.ops.special_gamma import gammainc as gammainc
from gradx.ops.special_gamma import gammaincc as gammaincc
from gradx.ops.special_gamma import gammaln as gammaln
from gradx.ops.special_gamma import polygamma as polygamma
from gradx.ops.special_gamma import zeta as zeta
from gradx.ops.special_normal import erfc as erfc
from gradx.ops.special_normal import erfcinv as erfcinv
from gradx.ops.special_normal import erfcx as erfcx
from gradx.ops.special_normal import erfinv as erfinv
from gradx.ops.special_normal import log_ndtr as log_ndtr
from gradx.ops.special_normal import ndtr as ndtr
from gradx.ops.special_normal import ndtri as ndtri
from gradx.ops.statistical import logsumexp as logsumexp
from gradx.ops.trigonometric import sinc as sinc

__all__ = [
    "beta",
    "betaln",
    "binom",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "expit",
    "exprel",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "kl_div",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "rel_entr",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
    "zeta",
]
