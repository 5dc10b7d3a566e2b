"""SciPy's functions that follow the array API, differentiated: none of them knows of gradx.

Run by ``nox -s oracles``, or by name:

    SCIPY_ARRAY_API=1 python -m pytest -n auto tests/oracles/scipy_functions.py

Each is called with arrays, at random points, and its derivative along a random direction, in
both modes, is compared with finite differences of SciPy's own values on plain arrays. What
SciPy computes in compiled code of NumPy arrays must refuse with an error that says so.
"""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # which SciPy reads when it is imported

import warnings
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.differentiate
from scipy import constants, fft, integrate, interpolate, linalg, ndimage, optimize, signal
from scipy import special as special
from scipy import stats as stats
from scipy.cluster import vq
from scipy.optimize import elementwise
from scipy.spatial import distance
from scipy.spatial.transform import RigidTransform, Rotation, Slerp

import gradx as gx
from gradx.core import tree

pytestmark = pytest.mark.filterwarnings("ignore")
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
"""
each(special, OF_ONE, positive(5))
each(special, "gamma erf j0 y0 i1e cbrt exp2 spence ndtr", positive(5) + 1, label=" beyond 1")
each(
    special,
    """xlogy xlog1py beta betaln binom kl_div rel_entr boxcox boxcox1p inv_boxcox inv_boxcox1p
    huber pseudo_huber poch owens_t powm1""",
    positive(5),
    positive(5) + 0.3,
)
each(special, "gammainc gammaincc gammaincinv gammainccinv", *fixed(1.5), positive(5))
each(special, "chdtr chdtrc chdtri stdtr stdtrit jv yv iv kv ive kve", *fixed(3.0), positive(5))
each(special, "polygamma expn yn pdtr pdtrc pdtri", *fixed(2), positive(5))
each(special, "betainc betaincc betaincinv hyp1f1", *fixed(1.5, 2.0), positive(5))
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
}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        yield


def varied(arrays):
    """Return the places of the arguments that are differentiated, and those arguments."""
    places = [i for i, array in enumerate(arrays) if not isinstance(array, Fixed)]
    return places, [np.asarray(arrays[i], dtype=float) for i in places]


def weighed(function, arrays, weights):
    """Return a number made of all that a function returns, as a function of what varies."""
    places, _ = varied(arrays)

    def scalar(*given):
        full = list(arrays)
        for place, array in zip(places, given, strict=True):
            full[place] = array
        beside = getattr(given[0], "__array_namespace__", lambda: np)()
        full = [beside.asarray(a.array) if isinstance(a, Fixed) else a for a in full]
        parts = outputs(function(*full))
        return sum(gx.sum(w * part) for w, part in zip(weights, parts, strict=True))

    return scalar


def outputs(found):
    return tree.leaves(list(found) if isinstance(found, tuple) else found)


def drawn(name, directions):
    """Return a number made of all that a function returns, its arguments, and directions."""
    function, arrays = CASES[name]
    draw = np.random.default_rng(1)
    plain = [a.array if isinstance(a, Fixed) else a for a in arrays]
    weights = [draw.normal(size=np.shape(part)) for part in outputs(function(*plain))]
    points = tuple(varied(arrays)[1])
    along = [tuple([draw.normal(size=p.shape) for p in points]) for _ in range(directions)]
    return weighed(function, arrays, weights), points, along


def in_all_places(gradients, along):
    return sum(gx.sum(g * t) for g, t in zip(gradients, along, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_derivative_is_that_of_scipys_values(name):
    scalar, points, (along,) = drawn(name, 1)

    value, gradients = gx.value_and_grad(scalar, tuple(range(len(points))))(*points)
    forward_value, forward = gx.jvp(scalar, points, along)

    reverse = in_all_places(gradients, along)
    np.testing.assert_allclose([value, forward_value], scalar(*points), 1e-7, 1e-9)
    np.testing.assert_allclose(forward, reverse, 1e-9, 1e-11)
    np.testing.assert_allclose(reverse, difference(scalar, points, along), 2e-5, 1e-7)


def difference(scalar, points, along):
    """Return the five-point difference along a direction, of the step that suits best."""
    found = []
    for step in (1e-3, 1e-4, 1e-5):
        at = lambda n, step=step: scalar(
            *[p + n * step * t for p, t in zip(points, along, strict=True)]
        )
        found.append((8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step))
    apart = np.abs(np.diff(found))
    return found[1 + int(np.argmin(apart))]


@pytest.mark.parametrize("name", CASES)
def test_second_derivative_is_the_same_in_every_mix(name):
    scalar, points, (along, other) = drawn(name, 2)
    places = tuple(range(len(points)))

    forward = lambda *xs: gx.jvp(scalar, xs, along)[1]
    reverse = lambda *xs: in_all_places(gx.grad(scalar, places)(*xs), along)
    found = [gx.jvp(slope, points, other)[1] for slope in (forward, reverse)]
    found += [in_all_places(gx.grad(f, places)(*points), other) for f in (forward, reverse)]

    np.testing.assert_allclose(found, found[0], 1e-7, 1e-9)


@pytest.mark.parametrize("name", COMPILED)
def test_what_compiled_code_computes_is_refused(name):
    with pytest.raises(gx.GradxError, match=r"would lose its derivative"):
        gx.grad(lambda x: gx.sum(COMPILED[name](x)))(np.abs(signed(3, 3)))
