"""SciPy's functions that follow the array API, and arrays for them, for `scipy_functions.py`.

``CASES`` are right in every way of differentiating; what is in ``COMPILED`` computes in compiled
code of NumPy arrays or of Python numbers, and must refuse.
"""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # which SciPy reads when it is imported

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.differentiate
from scipy import constants, fft, integrate, interpolate, linalg, ndimage, optimize, signal
from scipy import special as special
from scipy import stats as stats
from scipy.cluster import hierarchy, vq
from scipy.optimize import elementwise
from scipy.signal import windows
from scipy.spatial import distance
from scipy.spatial.transform import RigidTransform, Rotation, Slerp

import gradx as gx

rng = np.random.default_rng(0)
signed = lambda *shape: rng.normal(size=shape)
positive = lambda *shape: rng.uniform(0.2, 0.8, size=shape)


class Fixed(NamedTuple):
    """An argument that is not differentiated, and lies beside those that are."""

    array: Any


def fixed(*numbers):
    return [Fixed(np.full(5, number)) for number in numbers]


CASES: dict[str, tuple[Any, tuple[Any, ...]]] = {}


def case(name, function, *arrays):
    assert name not in CASES, name
    CASES[name] = (function, arrays)


def names_in(text):
    return text.split()


def statistic_and_p(test):
    return lambda *samples: test(*samples)[:2]


def each(space, names, *arrays, label="", **settings):
    """Add functions of a module that take the same arguments."""
    for name in names_in(names):
        function = partial(getattr(space, name), **settings)
        case(f"{space.__name__.removeprefix('scipy.')}.{name}{label}", function, *arrays)


OF_ONE = """
    entr erfinv exprel expit gamma gammaln loggamma logit psi digamma rgamma sindg cosdg tandg cotdg
    i0 i0e i1 i1e k0 k0e k1 k1e y0 y1 j0 j1 cbrt cosm1 ellipk ellipkm1 erf erfc erfcx ndtr ndtri
    log_ndtr exp2 exp10 exp1 expi spence sinc log_expit dawsn erfi ellipe expm1 log1p
    softplus ber bei ker kei berp beip kerp keip
"""
each(special, OF_ONE, positive(5))
each(special, "gamma erf j0 y0 i1e cbrt exp2 spence ndtr", positive(5) + 1, label=" beyond 1")
each(
    special,
    """xlogy xlog1py beta betaln binom kl_div rel_entr boxcox boxcox1p inv_boxcox inv_boxcox1p
    huber pseudo_huber poch owens_t powm1 agm elliprc""",
    positive(5),
    positive(5) + 0.3,
)
each(special, "gammainc gammaincc gammaincinv gammainccinv", *fixed(1.5), positive(5))
each(special, "chdtr chdtrc chdtri stdtr stdtrit jv yv iv kv ive kve", *fixed(3.0), positive(5))
each(special, "polygamma expn yn pdtr pdtrc pdtri", *fixed(2), positive(5))
each(special, "ellipkinc ellipeinc ellipj", positive(5) + 1, positive(5))
each(special, "elliprf elliprd elliprg", positive(5), positive(5), positive(5))
case("special.elliprj", special.elliprj, positive(5), positive(5), positive(5), positive(5))
case("special.lambertw", lambda x: gx.real(special.lambertw(x)), positive(5))
each(special, "struve modstruve", *fixed(1.0), positive(5))
each(special, "betainc betaincc betaincinv hyp1f1 hyperu", *fixed(1.5, 2.0), positive(5))
each(special, "fdtr fdtrc fdtri gdtr gdtrc", *fixed(3.0, 4.0), positive(5))
each(special, "bdtr bdtrc nbdtr nbdtrc", *fixed(2, 5), positive(5))
each(special, "logsumexp softmax log_softmax", signed(4, 3), axis=1)
case("special.logsumexp weighted", lambda x, b: special.logsumexp(x, b=b), signed(4), positive(4))
case("special.multigammaln", lambda a: special.multigammaln(a, 3), positive(4) + 3)
case("special.radian", special.radian, positive(4), positive(4), positive(4))

each(
    stats,
    """gmean hmean zscore gzscore skew kurtosis sem variation tmin tmax tmean tvar tstd tsem entropy
    circmean circvar circstd iqr median_abs_deviation lmoment gstd differential_entropy rankdata
    false_discovery_control""",
    positive(9),
)
each(stats, "gmean hmean skew kurtosis sem zscore iqr", signed(3, 6) ** 2, label=" of rows", axis=1)
each(stats, "gmean skew sem", positive(3, 6), label=" without NaNs", nan_policy="omit", axis=1)
each(stats, "tmean tvar tstd tsem", signed(9), label=" within", limits=(-1.5, 1.5))
each(stats, "skew kurtosis", signed(8), label=" unbiased", bias=False)
SUMMARIES = "gmean hmean skew kurtosis sem zscore variation gstd iqr median_abs_deviation"
each(stats, SUMMARIES, positive(5, 3), label=" of columns", axis=0)
each(stats, "gmean hmean skew kurtosis sem", positive(5, 3), label=" kept", axis=0, keepdims=True)
each(stats, "gmean hmean skew kurtosis sem", positive(5, 3), label=" of all", axis=None)
backwards = lambda function: lambda x: function(x[::-1, ::-2], axis=0)
for name in names_in(SUMMARIES):
    case(f"stats.{name} backwards", backwards(getattr(stats, name)), positive(5, 4))
for kind in ["vasicek", "van es", "ebrahimi", "correa"]:
    each(stats, "differential_entropy", signed(9), label=f" by {kind}", method=kind)
each(stats, "iqr", signed(9), label=" between midpoints", interpolation="midpoint", rng=(10, 80))
case("stats.pmean", lambda x: stats.pmean(x, 2.5), positive(8))
case("stats.moment", lambda x: stats.moment(x, [1, 2, 3], center=0.3), signed(8))
case("stats.describe", lambda x: stats.describe(x)[2:], signed(8))
case("stats.entropy of two", stats.entropy, positive(8), positive(8))
for kind in ["linear", "hazen", "median_unbiased", "inverted_cdf", "weibull", "harrell-davis"]:
    case(f"stats.quantile {kind}", partial(stats.quantile, p=0.3, method=kind), signed(8))
for kind in ["fisher", "pearson", "tippett", "stouffer", "mudholkar_george"]:
    case(
        f"stats.combine_pvalues {kind}",
        lambda p, m=kind: stats.combine_pvalues(p, m)[:],
        positive(8),
    )
TESTS_OF_TWO = """
    ttest_rel bartlett f_oneway levene fligner kruskal mood ansari brunnermunzel mannwhitneyu
    ttest_ind pearsonr spearmanrho
"""
for name in names_in(TESTS_OF_TWO):
    case(f"stats.{name}", statistic_and_p(getattr(stats, name)), signed(9), signed(9))
for name in names_in("jarque_bera skewtest kurtosistest normaltest"):
    case(f"stats.{name}", statistic_and_p(getattr(stats, name)), signed(25))
for name in names_in("ttest_ind ttest_rel pearsonr f_oneway levene bartlett"):
    by_row = statistic_and_p(partial(getattr(stats, name), axis=1))
    case(f"stats.{name} of rows", by_row, signed(3, 7), signed(3, 7))
case("stats.spearmanr", lambda x: stats.spearmanr(x)[:], signed(6, 3))
case("stats.ttest_1samp", lambda x: stats.ttest_1samp(x, 0.1)[:2], signed(8))
case(
    "stats.pearsonr bounds",
    lambda x, y: stats.pearsonr(x, y).confidence_interval()[:],
    signed(8),
    signed(8),
)
case("stats.chisquare", lambda x: stats.chisquare(x)[:], 9 * positive(8))
case("stats.power_divergence", lambda x: stats.power_divergence(x, lambda_=0.5)[:], positive(8))
case("stats.directional_stats", lambda x: stats.directional_stats(x).mean_direction, signed(6, 3))
case("stats.boxcox_llf", lambda x: stats.boxcox_llf(0.5, x), positive(8))
case("stats.yeojohnson_llf", lambda x: stats.yeojohnson_llf(0.5, x), signed(8))
case("stats.trim_mean", lambda x: stats.trim_mean(x, 0.2), signed(8))
case("stats.kstat", lambda x: stats.kstat(x, 3), signed(8))

each(signal, "convolve correlate", signed(8), signed(3), label=" of one axis", method="fft")
each(signal, "convolve correlate", signed(4, 5), signed(2, 3), label=" by FFT", method="fft")
each(signal, "fftconvolve", signed(8), signed(3), mode="same")
each(signal, "oaconvolve", signed(60), signed(3))
each(signal, "envelope", signed(12))
for mode in ["full", "same", "valid"]:
    for name in names_in("fftconvolve oaconvolve"):
        columns = signed(37, 2), signed(4, 2)
        each(signal, name, *columns, label=f" of columns, {mode}", mode=mode, axes=0)
case("signal.hilbert", lambda x: gx.abs(signal.hilbert(x)), signed(8))
each(signal, "resample", signed(8), num=5)
case("signal.gauss_spline", lambda x: signal.gauss_spline(x, 3), signed(8))
case(
    "signal.freqz",
    lambda b, a: gx.abs(signal.freqz(b, a, worN=8)[1]),
    signed(4),
    positive(4) + [3, 0, 0, 0],
)
for name in names_in("lp2lp lp2hp lp2bp lp2bs normalize"):
    case(f"signal.{name}", getattr(signal, name), positive(4), positive(4))

each(integrate, "trapezoid cumulative_trapezoid cumulative_simpson romb", signed(9))
each(integrate, "trapezoid cumulative_trapezoid", signed(5, 3), label=" of columns", axis=0, dx=0.3)
case("integrate.trapezoid of places", integrate.trapezoid, signed(8), np.sort(positive(8)))
LIMIT = np.asarray([0.3, 0.7])
case("integrate.tanhsinh", lambda c: integrate.tanhsinh(np.cos, c * 0, c).integral, LIMIT)
case(
    "integrate.tanhsinh of a parameter",
    lambda c: integrate.tanhsinh(lambda t, c: np.cos(t * c), c * 0, c * 0 + 1, args=(c,)).integral,
    LIMIT,
)
case(
    "integrate.cubature",
    lambda c: integrate.cubature(lambda t: t[:, 0] * t[:, 1], c * 0, c).estimate,
    LIMIT,
)
case(
    "integrate.nsum",
    lambda c: integrate.nsum(lambda k, c: c / k**2, c * 0 + 1, c * 0 + 50, args=(c,)).sum,
    LIMIT,
)
each(optimize, "rosen rosen_der rosen_hess", signed(5))
case("optimize.rosen_hess_prod", optimize.rosen_hess_prod, signed(5), signed(5))
case(
    "elementwise.find_root",
    lambda c: elementwise.find_root(lambda t, c: t**3 - c, (c * 0, c * 0 + 2), args=(c,)).x,
    LIMIT,
)
case(
    "elementwise.find_minimum",
    lambda c: (
        elementwise.find_minimum(
            lambda t, c: (t - c) ** 2 + c, (c * 0 - 3, c * 0, c * 0 + 4), args=(c,)
        ).f_x
    ),
    LIMIT,
)
case(
    "differentiate.derivative",
    lambda c: scipy.differentiate.derivative(lambda t: t**3, c).df,
    LIMIT,
)
case("differentiate.jacobian", lambda c: scipy.differentiate.jacobian(lambda t: t**3, c).df, LIMIT)

squared = lambda function: lambda x: gx.abs(function(x)) ** 2
for name in ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]:
    case(f"fft.{name}", squared(getattr(fft, name)), signed(7))
for name in names_in("fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn hfftn ihfftn"):
    case(f"fft.{name}", squared(getattr(fft, name)), signed(4, 3))
each(fft, "fftshift ifftshift", signed(7))
each(fft, "fht ifht", signed(8), dln=0.1, mu=0.5)
case("linalg.block_diag", linalg.block_diag, signed(2, 2), signed(3, 1))
case("linalg.fiedler", linalg.fiedler, signed(5))
case("linalg.orthogonal_procrustes", linalg.orthogonal_procrustes, signed(4, 3), signed(4, 3))
case("vq.whiten", vq.whiten, signed(6, 3))
case(
    "constants.convert_temperature",
    lambda t: constants.convert_temperature(t, "C", "F"),
    positive(3),
)
case("constants.lambda2nu", constants.lambda2nu, positive(3))

turns, vectors = signed(5, 4), signed(5, 3)
by = Rotation.from_quat
for name, function in {
    "as_matrix": lambda q: by(q).as_matrix(),
    "as_rotvec": lambda q: by(q).as_rotvec(),
    "as_mrp": lambda q: by(q).as_mrp(),
    "as_euler": lambda q: by(q).as_euler("zyx"),
    "as_euler of its own axes": lambda q: by(q).as_euler("XYZ", degrees=True),
    "product": lambda q: (by(q) * by(q[::-1, ...])).as_matrix(),
    "inv": lambda q: by(q).inv().as_quat(),
    "magnitude": lambda q: by(q).magnitude(),
    "mean": lambda q: by(q).mean().as_matrix(),
    "power": lambda q: (by(q) ** 0.5).as_matrix(),
    "Slerp": lambda q: Slerp([0, 1, 2, 3, 4], by(q))([0.5, 1.5]).as_matrix(),
}.items():
    case(f"Rotation.{name}", function, turns)
case("Rotation.apply", lambda q, v: by(q).apply(v), turns, vectors)
case("Rotation.from_rotvec", lambda v: Rotation.from_rotvec(v).as_matrix(), vectors)
case("Rotation.from_rotvec of nothing", lambda v: Rotation.from_rotvec(v).as_matrix(), 0 * vectors)
# A copy, as SciPy writes into what it is given.
case(
    "Rotation.from_matrix of no rotation",
    lambda m: Rotation.from_matrix(m * 1.0).as_quat(),
    by(turns).as_matrix() + 0.1 * signed(5, 3, 3),
)
case("Rotation.reduce", lambda v: Rotation.from_rotvec(v).reduce().as_rotvec(), vectors / 3)
case("Rotation.as_rotvec near 0", lambda v: Rotation.from_rotvec(v).as_rotvec(), 1e-3 * vectors)
case("Rotation.from_mrp", lambda v: Rotation.from_mrp(v).as_matrix(), vectors / 3)
case("Rotation.from_euler", lambda v: Rotation.from_euler("xyz", v).as_matrix(), vectors)
case(
    "Rotation.align_vectors",
    lambda x, y: Rotation.align_vectors(x, y)[0].as_matrix(),
    vectors,
    signed(5, 3),
)
rigid = lambda t, q: RigidTransform.from_components(t, by(q))
case("RigidTransform.as_matrix", lambda t, q: rigid(t, q).inv().as_matrix(), vectors[0], turns[0])
case("RigidTransform.as_exp_coords", lambda t, q: rigid(t, q).as_exp_coords(), vectors[0], turns[0])
case("RigidTransform power", lambda t, q: (rigid(t, q) ** 0.5).as_matrix(), vectors[0], turns[0])
case("RigidTransform.as_dual_quat", lambda t, q: rigid(t, q).as_dual_quat(), vectors[0], turns[0])
case("RigidTransform.apply", lambda t, q, v: rigid(t, q).apply(v), vectors[0], turns[0], vectors)

zeros, poles, gain = positive(2) / 2, positive(3) / 2 + 0.1, np.asarray(1.3)
numerator, denominator = positive(4), np.asarray([3.0, 0.4, 0.3, 0.2])
sizes = lambda parts: [gx.abs(part) for part in parts]
for name in names_in("lp2lp_zpk lp2hp_zpk lp2bp_zpk lp2bs_zpk bilinear_zpk"):
    of_system = lambda *system, name=name: sizes(getattr(signal, name)(*system, 2.0))
    case(f"signal.{name}", of_system, zeros, poles, gain)
case("signal.tf2zpk", lambda b, a: sizes(signal.tf2zpk(b, a)), numerator, denominator)
case("signal.zpk2tf", signal.zpk2tf, zeros, poles, gain)
sections = np.concatenate([positive(2, 3), np.ones((2, 1)), positive(2, 2)], axis=1)
case("signal.sos2tf", signal.sos2tf, sections)
case("signal.sos2zpk", lambda s: sizes(signal.sos2zpk(s)), sections)
case("signal.freqz_zpk", lambda *system: gx.abs(signal.freqz_zpk(*system, 8)[1]),
     zeros, poles, gain)  # fmt: skip
case("signal.group_delay", lambda b, a: signal.group_delay((b, a), 8)[1], numerator, denominator)
case("signal.lfiltic", signal.lfiltic, numerator, denominator, signed(3))
case("signal.hilbert2", lambda x: gx.abs(signal.hilbert2(x)), signed(4, 4))
case("signal.vectorstrength", lambda x: signal.vectorstrength(x, 2.0), positive(9))
case("signal.abcd_normalize", lambda a, b: signal.abcd_normalize(a, b, b.T), signed(2, 2),
     signed(2, 1))  # fmt: skip
case("signal.firwin", lambda cutoff: signal.firwin(9, cutoff), np.asarray([0.3]))
case("windows.general_cosine", lambda a: windows.general_cosine(7, a), positive(3))
case("windows.gaussian", lambda std: windows.gaussian(7, std), np.asarray(2.0))
case("windows.exponential", lambda tau: windows.exponential(7, tau=tau), np.asarray(2.0))

for name in names_in("hfft2 ihfft2"):
    case(f"fft.{name}", squared(getattr(fft, name)), signed(4, 3))
case("constants.nu2lambda", constants.nu2lambda, positive(3))
case("differentiate.hessian",
     lambda x: scipy.differentiate.hessian(lambda t: gx.sum(t**3, axis=0), x).ddf,
     LIMIT)  # fmt: skip
for name in names_in("bracket_root bracket_minimum"):
    bracket = lambda c, name=name: getattr(elementwise, name)(
        lambda t, c: (t - c) ** 2 - 0.01, c * 0 + 0.1, args=(c,)
    )
    case(f"elementwise.{name}", lambda c, bracket=bracket: bracket(c).bracket, LIMIT)

OF_TWO_SAMPLES = "alexandergovern chatterjeexi cramervonmises_2samp epps_singleton_2samp"
for name in names_in(OF_TWO_SAMPLES):
    statistic = lambda x, y, name=name: getattr(stats, name)(x, y).statistic
    case(f"stats.{name}", statistic, signed(9), signed(9))
case("stats.friedmanchisquare", lambda x, y: [*stats.friedmanchisquare(x, y, x * y)],
     signed(9), signed(9))  # fmt: skip
case("stats.kstatvar", stats.kstatvar, signed(9))
case("stats.sigmaclip", lambda x: [*stats.sigmaclip(x)], signed(9))
case("stats.zmap", stats.zmap, signed(5), signed(9))
case("stats.wilcoxon", lambda x: [*stats.wilcoxon(x, method="asymptotic")], signed(9))
case("stats.ttest_ind_from_stats",
     lambda m, s, n, t: [*stats.ttest_ind_from_stats(m, s, 9, n, t, 8)],
     signed(), 1 + positive(), signed(), 1 + positive())  # fmt: skip
mean = lambda x, axis: gx.mean(x, axis=axis)
case("stats.bootstrap", lambda x: [*stats.bootstrap(
     (x,), mean, n_resamples=9, rng=0).confidence_interval], signed(9))  # fmt: skip
case("stats.permutation_test", lambda x, y: stats.permutation_test(
     (x, y), lambda x, y, axis: mean(x, axis) - mean(y, axis) ** 3, vectorized=True,
     n_resamples=9, rng=0).statistic, signed(9), signed(9))  # fmt: skip

# Computed by compiled code of NumPy arrays, or of Python numbers.
COMPILED = {
    "cdist": lambda x: distance.cdist(x, x),
    "convolve direct": lambda x: signal.convolve(x[0], x[1], method="direct"),
    "BSpline": lambda x: interpolate.BSpline(gx.cumulative_sum(x[0]), x[1], 0)(0.5),
    "cubic spline": lambda x: interpolate.CubicSpline(gx.cumulative_sum(x[0]), x[1])(0.5),
    "dct": fft.dct,
    "detrend": signal.detrend,
    "gaussian_filter": lambda x: ndimage.gaussian_filter(x, 1.0),
    "inv": lambda x: linalg.inv(x @ x.T),
    "lfilter": lambda x: signal.lfilter(x[0] * 0 + 1, x[1] * 0 + 1, x),
    "gaussian_kde": lambda x: stats.gaussian_kde(x)(x),
    "norm.logpdf": stats.norm.logpdf,
    "Normal.logpdf": lambda x: stats.Normal(mu=x, sigma=1.0).logpdf(0.3),
    "PCHIP": lambda x: interpolate.PchipInterpolator(gx.cumulative_sum(x[0]), x[1])(0.5),
    "quad": lambda x: integrate.quad(lambda t: t * x[0, 0], 0, 1)[0],
    "solve_ivp": lambda x: integrate.solve_ivp(lambda t, y: x[0, 0] * y, (0, 1), [1.0]).y[0, -1],
    "svd": lambda x: linalg.svd(x)[1],
    "vq": lambda x: vq.vq(x, x[:1])[1],
    "wasserstein_distance": lambda x: stats.wasserstein_distance(x[0], x[1]),
    "welch": lambda x: signal.welch(x[0])[1],
    "kmeans": lambda x: vq.kmeans(x, x[:2])[0],
    "kmeans2": lambda x: vq.kmeans2(x, x[:2], minit="matrix")[0],
    "kaiser": lambda x: windows.kaiser(5, x[0, 0]),
    "ks_1samp": lambda x: stats.ks_1samp(x[0], lambda t: t / (1 + t)).statistic,
    "rotate": lambda x: ndimage.rotate(x, 10.0),
    "savgol_filter": lambda x: signal.savgol_filter(x, 3, 1),
    "tukey": lambda x: windows.tukey(5, x[0, 0] / 9),
    "zpk2sos": lambda x: signal.zpk2sos(x[0, :2], x[1, :2], 1.0),
}
LINKAGES = "average centroid complete median single ward linkage"
COMPILED |= {name: getattr(hierarchy, name) for name in names_in(LINKAGES)}
COMPILED |= {name: getattr(fft, name) for name in names_in("dctn dst dstn idct idctn idst idstn")}
IN_AN_IMAGE = """
    laplace prewitt sobel maximum minimum median variance standard_deviation spline_filter
    spline_filter1d sum_labels center_of_mass
"""
COMPILED |= {name: getattr(ndimage, name) for name in names_in(IN_AN_IMAGE)}
BY_A_SIZE = """
    gaussian_filter1d gaussian_gradient_magnitude gaussian_laplace uniform_filter uniform_filter1d
    maximum_filter minimum_filter median_filter grey_closing grey_dilation grey_erosion
    grey_opening black_tophat white_tophat morphological_gradient morphological_laplace shift zoom
"""
for name in names_in(BY_A_SIZE):
    COMPILED[name] = lambda x, name=name: getattr(ndimage, name)(x, 2)
for name in names_in("correlate convolve"):
    COMPILED[f"ndimage.{name}"] = lambda x, name=name: getattr(ndimage, name)(x, x[:2, :2])
for name in names_in("cspline1d qspline1d medfilt"):
    COMPILED[name] = lambda x, name=name: getattr(signal, name)(x[0])
