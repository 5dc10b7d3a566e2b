"""Special functions, named as in ``scipy.special``."""

from gradx.ops.exponential import expm1 as expm1
from gradx.ops.exponential import log1p as log1p
from gradx.ops.neural import log_softmax as log_softmax
from gradx.ops.neural import sigmoid as expit
from gradx.ops.neural import softmax as softmax
from gradx.ops.neural import softplus as softplus
from gradx.ops.rounding import round as round
from gradx.ops.special import erf as erf
from gradx.ops.special_bessel import exprel as exprel
from gradx.ops.special_bessel import i0 as i0
from gradx.ops.special_bessel import i0e as i0e
from gradx.ops.special_bessel import i1 as i1
from gradx.ops.special_bessel import i1e as i1e
from gradx.ops.special_bessel_any import iv as iv
from gradx.ops.special_bessel_any import ive as ive
from gradx.ops.special_bessel_any import j0 as j0
from gradx.ops.special_bessel_any import j1 as j1
from gradx.ops.special_bessel_any import jv as jn
from gradx.ops.special_bessel_any import jv as jv
from gradx.ops.special_bessel_any import k0 as k0
from gradx.ops.special_bessel_any import k0e as k0e
from gradx.ops.special_bessel_any import k1 as k1
from gradx.ops.special_bessel_any import k1e as k1e
from gradx.ops.special_bessel_any import kn as kn
from gradx.ops.special_bessel_any import kv as kv
from gradx.ops.special_bessel_any import kve as kve
from gradx.ops.special_bessel_any import y0 as y0
from gradx.ops.special_bessel_any import y1 as y1
from gradx.ops.special_bessel_any import yn as yn
from gradx.ops.special_bessel_any import yv as yv
from gradx.ops.special_beta import bdtr as bdtr
from gradx.ops.special_beta import bdtrc as bdtrc
from gradx.ops.special_beta import bdtri as bdtri
from gradx.ops.special_beta import betainccinv as betainccinv
from gradx.ops.special_beta import betaincinv as betaincinv
from gradx.ops.special_beta import fdtr as fdtr
from gradx.ops.special_beta import fdtrc as fdtrc
from gradx.ops.special_beta import fdtri as fdtri
from gradx.ops.special_beta import nbdtr as nbdtr
from gradx.ops.special_beta import nbdtrc as nbdtrc
from gradx.ops.special_beta import nbdtri as nbdtri
from gradx.ops.special_beta_shapes import betainc as betainc
from gradx.ops.special_beta_shapes import betaincc as betaincc
from gradx.ops.special_box_cox import boxcox as boxcox
from gradx.ops.special_box_cox import boxcox1p as boxcox1p
from gradx.ops.special_box_cox import inv_boxcox as inv_boxcox
from gradx.ops.special_box_cox import inv_boxcox1p as inv_boxcox1p
from gradx.ops.special_carlson import elliprc as elliprc
from gradx.ops.special_carlson import elliprd as elliprd
from gradx.ops.special_carlson import elliprf as elliprf
from gradx.ops.special_carlson import elliprg as elliprg
from gradx.ops.special_carlson import elliprj as elliprj
from gradx.ops.special_elliptic import agm as agm
from gradx.ops.special_elliptic import ellipeinc as ellipeinc
from gradx.ops.special_elliptic import ellipj as ellipj
from gradx.ops.special_elliptic import ellipkinc as ellipkinc
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
from gradx.ops.special_gamma import gammaln as gammaln
from gradx.ops.special_gamma import polygamma as polygamma
from gradx.ops.special_gamma import zetac as zetac
from gradx.ops.special_gamma_inverses import chdtr as chdtr
from gradx.ops.special_gamma_inverses import chdtrc as chdtrc
from gradx.ops.special_gamma_inverses import chdtri as chdtri
from gradx.ops.special_gamma_inverses import gammainccinv as gammainccinv
from gradx.ops.special_gamma_inverses import gammaincinv as gammaincinv
from gradx.ops.special_gamma_inverses import gammasgn as gammasgn
from gradx.ops.special_gamma_inverses import gdtr as gdtr
from gradx.ops.special_gamma_inverses import gdtrc as gdtrc
from gradx.ops.special_gamma_inverses import loggamma as loggamma
from gradx.ops.special_gamma_inverses import multigammaln as multigammaln
from gradx.ops.special_gamma_inverses import pdtr as pdtr
from gradx.ops.special_gamma_inverses import pdtrc as pdtrc
from gradx.ops.special_gamma_inverses import pdtri as pdtri
from gradx.ops.special_gamma_inverses import poch as poch
from gradx.ops.special_gamma_inverses import rgamma as rgamma
from gradx.ops.special_gamma_inverses import zeta as zeta
from gradx.ops.special_gamma_shapes import gammainc as gammainc
from gradx.ops.special_gamma_shapes import gammaincc as gammaincc
from gradx.ops.special_hypergeometric import hyp0f1 as hyp0f1
from gradx.ops.special_hypergeometric import hyp1f1 as hyp1f1
from gradx.ops.special_hypergeometric import hyp2f1 as hyp2f1
from gradx.ops.special_hypergeometric import lpmv as lpmv
from gradx.ops.special_integrals import dawsn as dawsn
from gradx.ops.special_integrals import ellipe as ellipe
from gradx.ops.special_integrals import ellipk as ellipk
from gradx.ops.special_integrals import ellipkm1 as ellipkm1
from gradx.ops.special_integrals import erfi as erfi
from gradx.ops.special_integrals import exp1 as exp1
from gradx.ops.special_integrals import expi as expi
from gradx.ops.special_integrals import expn as expn
from gradx.ops.special_integrals import owens_t as owens_t
from gradx.ops.special_integrals import spence as spence
from gradx.ops.special_kelvin import bei as bei
from gradx.ops.special_kelvin import beip as beip
from gradx.ops.special_kelvin import ber as ber
from gradx.ops.special_kelvin import berp as berp
from gradx.ops.special_kelvin import kei as kei
from gradx.ops.special_kelvin import keip as keip
from gradx.ops.special_kelvin import kelvin as kelvin
from gradx.ops.special_kelvin import ker as ker
from gradx.ops.special_kelvin import kerp as kerp
from gradx.ops.special_lambert import lambertw as lambertw
from gradx.ops.special_normal import erfc as erfc
from gradx.ops.special_normal import erfcinv as erfcinv
from gradx.ops.special_normal import erfcx as erfcx
from gradx.ops.special_normal import erfinv as erfinv
from gradx.ops.special_normal import log_ndtr as log_ndtr
from gradx.ops.special_normal import ndtr as ndtr
from gradx.ops.special_normal import ndtri as ndtri
from gradx.ops.special_normal import ndtri_exp as ndtri_exp
from gradx.ops.special_polynomials import eval_chebyt as eval_chebyt
from gradx.ops.special_polynomials import eval_chebyu as eval_chebyu
from gradx.ops.special_polynomials import eval_gegenbauer as eval_gegenbauer
from gradx.ops.special_polynomials import eval_genlaguerre as eval_genlaguerre
from gradx.ops.special_polynomials import eval_hermite as eval_hermite
from gradx.ops.special_polynomials import eval_hermitenorm as eval_hermitenorm
from gradx.ops.special_polynomials import eval_jacobi as eval_jacobi
from gradx.ops.special_polynomials import eval_laguerre as eval_laguerre
from gradx.ops.special_polynomials import eval_legendre as eval_legendre
from gradx.ops.special_powers import cbrt as cbrt
from gradx.ops.special_powers import cosdg as cosdg
from gradx.ops.special_powers import cosm1 as cosm1
from gradx.ops.special_powers import cotdg as cotdg
from gradx.ops.special_powers import diric as diric
from gradx.ops.special_powers import exp2 as exp2
from gradx.ops.special_powers import exp10 as exp10
from gradx.ops.special_powers import huber as huber
from gradx.ops.special_powers import powm1 as powm1
from gradx.ops.special_powers import pseudo_huber as pseudo_huber
from gradx.ops.special_powers import radian as radian
from gradx.ops.special_powers import sindg as sindg
from gradx.ops.special_powers import tandg as tandg
from gradx.ops.special_powers import wrightomega as wrightomega
from gradx.ops.special_spherical import spherical_in as spherical_in
from gradx.ops.special_spherical import spherical_jn as spherical_jn
from gradx.ops.special_spherical import spherical_kn as spherical_kn
from gradx.ops.special_spherical import spherical_yn as spherical_yn
from gradx.ops.special_struve import hyperu as hyperu
from gradx.ops.special_struve import modstruve as modstruve
from gradx.ops.special_struve import struve as struve
from gradx.ops.special_student import stdtr as stdtr
from gradx.ops.special_student import stdtrit as stdtrit
from gradx.ops.special_voigt import voigt_profile as voigt_profile
from gradx.ops.special_waves import airy as airy
from gradx.ops.special_waves import fresnel as fresnel
from gradx.ops.special_waves import shichi as shichi
from gradx.ops.special_waves import sici as sici
from gradx.ops.statistical import logsumexp as logsumexp
from gradx.ops.trigonometric import sinc as sinc

__all__ = [
    "agm",
    "airy",
    "bdtr",
    "bdtrc",
    "bdtri",
    "bei",
    "beip",
    "ber",
    "berp",
    "beta",
    "betainc",
    "betaincc",
    "betainccinv",
    "betaincinv",
    "betaln",
    "binom",
    "boxcox",
    "boxcox1p",
    "cbrt",
    "chdtr",
    "chdtrc",
    "chdtri",
    "cosdg",
    "cosm1",
    "cotdg",
    "dawsn",
    "digamma",
    "diric",
    "ellipe",
    "ellipeinc",
    "ellipj",
    "ellipk",
    "ellipkinc",
    "ellipkm1",
    "elliprc",
    "elliprd",
    "elliprf",
    "elliprg",
    "elliprj",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfi",
    "erfinv",
    "eval_chebyt",
    "eval_chebyu",
    "eval_gegenbauer",
    "eval_genlaguerre",
    "eval_hermite",
    "eval_hermitenorm",
    "eval_jacobi",
    "eval_laguerre",
    "eval_legendre",
    "exp1",
    "exp2",
    "exp10",
    "expi",
    "expit",
    "expm1",
    "expn",
    "exprel",
    "fdtr",
    "fdtrc",
    "fdtri",
    "fresnel",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammainccinv",
    "gammaincinv",
    "gammaln",
    "gammasgn",
    "gdtr",
    "gdtrc",
    "huber",
    "hyp0f1",
    "hyp1f1",
    "hyp2f1",
    "hyperu",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "inv_boxcox",
    "inv_boxcox1p",
    "iv",
    "ive",
    "j0",
    "j1",
    "jn",
    "jv",
    "k0",
    "k0e",
    "k1",
    "k1e",
    "kei",
    "keip",
    "kelvin",
    "ker",
    "kerp",
    "kl_div",
    "kn",
    "kv",
    "kve",
    "lambertw",
    "log1p",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "loggamma",
    "logit",
    "logsumexp",
    "lpmv",
    "modstruve",
    "multigammaln",
    "nbdtr",
    "nbdtrc",
    "nbdtri",
    "ndtr",
    "ndtri",
    "ndtri_exp",
    "owens_t",
    "pdtr",
    "pdtrc",
    "pdtri",
    "poch",
    "polygamma",
    "powm1",
    "pseudo_huber",
    "psi",
    "radian",
    "rel_entr",
    "rgamma",
    "round",
    "shichi",
    "sici",
    "sinc",
    "sindg",
    "softmax",
    "softplus",
    "spence",
    "spherical_in",
    "spherical_jn",
    "spherical_kn",
    "spherical_yn",
    "stdtr",
    "stdtrit",
    "struve",
    "tandg",
    "voigt_profile",
    "wrightomega",
    "xlog1py",
    "xlogy",
    "y0",
    "y1",
    "yn",
    "yv",
    "zeta",
    "zetac",
]
