"""scikit-learn's functions that follow the array API, differentiated: none of them knows of gradx.

Run by ``nox -s oracles``, or by name:

    SCIPY_ARRAY_API=1 python -m pytest -n auto tests/oracles/sklearn_functions.py

Each is called with random arrays under ``array_api_dispatch``: estimators are fitted and asked
inside of what is differentiated. The derivative along a random direction is compared with finite
differences of scikit-learn's own values on plain arrays, in both modes, to second order and on
the tape of ``gx.tensor``; compiled and mapped it must be the same. Passed is right, failed is
wrong. Skipped is refused: a graph and ``vmap`` have no numbers for an ``if`` of scikit-learn's.
What returns a Python float, or is compiled code of NumPy arrays, must refuse and say so. Written
for scikit-learn 1.9.
"""

import itertools
import os

os.environ["SCIPY_ARRAY_API"] = "1"  # which SciPy reads when it is imported

import warnings
from functools import partial

import numpy as np
import pytest
import sklearn
from sklearn import covariance, linear_model, metrics, preprocessing
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, RidgeClassifier, RidgeClassifierCV, RidgeCV
from sklearn.metrics import pairwise
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KernelCenterer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.utils import extmath

import gradx as gx
from gradx.core import tree

pytestmark = pytest.mark.filterwarnings("ignore")
rng = np.random.default_rng(0)
signed = lambda *shape: rng.normal(size=shape)
positive = lambda *shape: rng.uniform(0.2, 0.8, size=shape)

X, OTHERS, WEIGHTS = signed(12, 3), signed(4, 3), positive(12)
Y, SEVERAL = signed(12), signed(12, 2)
THREE, TWO = np.asarray([0, 1, 2] * 4), np.asarray([0, 1] * 6)
FEW, MORE = positive(4, 3), positive(5, 3)
TRUTH, GUESS = positive(9, 2), positive(9, 2)

# A function of a namespace and of the arrays that follow, by which it is differentiated.
CASES = {}


def case(name, function, *arrays):
    assert name not in CASES, name
    CASES[name] = (function, arrays)


for scaler in (MinMaxScaler, MaxAbsScaler, StandardScaler, Normalizer, PolynomialFeatures):
    name = scaler.__name__
    case(f"{name} fit_transform", lambda xp, x, s=scaler: s().fit_transform(x), X)
    case(f"{name} transform", lambda xp, x, q, s=scaler: s().fit(x).transform(q), X, OTHERS)
for scaler in (MinMaxScaler, MaxAbsScaler, StandardScaler):
    name = scaler.__name__
    case(f"{name} inverse", lambda xp, x, q, s=scaler: s().fit(x).inverse_transform(q), X, OTHERS)
    case(
        f"{name} partial_fit",
        lambda xp, x, q, s=scaler: s().partial_fit(x).partial_fit(q).transform(q),
        X,
        OTHERS,
    )
case("StandardScaler weighted", lambda xp, x, w: StandardScaler().fit(x, None, w).var_, X, WEIGHTS)
case(
    "MinMaxScaler clipped", lambda xp, x, q: MinMaxScaler(clip=True).fit(x).transform(q), X, OTHERS
)
case("QuantileTransformer", lambda xp, x: QuantileTransformer(n_quantiles=5).fit(x).quantiles_, X)
case("PolynomialFeatures 3", lambda xp, x: PolynomialFeatures((2, 3)).fit_transform(x), X)
case("Binarizer", lambda xp, x: x * Binarizer(threshold=0.3).fit_transform(x), X)
case("KernelCenterer", lambda xp, k, q: KernelCenterer().fit(k).transform(q), X[:3], OTHERS)
for norm in ("l1", "l2", "max"):
    case(
        f"normalize {norm}",
        lambda xp, x, n=norm: [*preprocessing.normalize(x, norm=n, return_norm=True)],
        X,
    )

SIGNLESS = {
    "explained_variance_ratio_": lambda xp, pca, x, q: pca.explained_variance_ratio_,
    "get_covariance": lambda xp, pca, x, q: pca.get_covariance(),
    "get_precision": lambda xp, pca, x, q: pca.get_precision(),
    "inverse_transform": lambda xp, pca, x, q: pca.inverse_transform(pca.transform(q)),
    "score_samples": lambda xp, pca, x, q: pca.score_samples(q),
    "singular_values_": lambda xp, pca, x, q: pca.singular_values_,
    "transform": lambda xp, pca, x, q: xp.abs(pca.transform(q)),
}
SOLVERS = {
    "full": partial(PCA, 2, svd_solver="full"),
    "covariance_eigh": partial(PCA, 2, svd_solver="covariance_eigh"),
    "whitened": partial(PCA, 2, svd_solver="full", whiten=True),
    # As many columns as the data have: more are dependent, and have no derivative of ``qr``.
    "randomized": partial(
        PCA,
        2,
        svd_solver="randomized",
        n_oversamples=1,
        power_iteration_normalizer="QR",
        random_state=0,
    ),
}
for solver, make in SOLVERS.items():
    for asked, ask in SIGNLESS.items():
        case(
            f"PCA {solver} {asked}",
            lambda xp, x, q, make=make, ask=ask: ask(xp, make().fit(x), x, q),
            X,
            OTHERS,
        )
case("PCA of a fraction", lambda xp, x: PCA(0.9, svd_solver="full").fit(x).explained_variance_, X)

ridge = lambda alpha=0.5, **settings: Ridge(alpha, solver="svd", **settings)
case("Ridge", lambda xp, x, y, q: ridge().fit(x, y).predict(q), X, Y, OTHERS)
case("Ridge of several", lambda xp, x, y, q: ridge().fit(x, y).predict(q), X, SEVERAL, OTHERS)
case("Ridge weighted", lambda xp, x, y, w: ridge().fit(x, y, w).coef_, X, Y, WEIGHTS)
case("Ridge of alphas", lambda xp, x, y, a: ridge(a).fit(x, y).coef_, X, SEVERAL, positive(2))
case("Ridge of alpha", lambda xp, x, y, a: ridge(a).fit(x, y).coef_, X, Y, positive(1))
case("Ridge through 0", lambda xp, x, y: ridge(fit_intercept=False).fit(x, y).coef_, X, Y)
case("ridge_regression", lambda xp, x, y: linear_model.ridge_regression(x, y, 0.5), X, Y)
for mode in ("svd", "eigen"):
    case(
        f"RidgeCV {mode}",
        lambda xp, x, y, q, mode=mode: RidgeCV([0.1, 1.0], gcv_mode=mode).fit(x, y).predict(q),
        X,
        Y,
        OTHERS,
    )
for classifier in (RidgeClassifier, RidgeClassifierCV):
    case(
        classifier.__name__,
        lambda xp, x, c=classifier: c().fit(x, xp.asarray(THREE)).decision_function(x),
        X,
    )
for asked in ("predict_proba", "predict_log_proba", "decision_function"):
    case(
        f"LinearDiscriminantAnalysis {asked}",
        lambda xp, x, q, asked=asked: getattr(
            LinearDiscriminantAnalysis().fit(x, xp.asarray(THREE)), asked
        )(q),
        X,
        OTHERS,
    )
for asked in ("predict_proba", "predict_log_proba", "predict_joint_log_proba"):
    case(
        f"GaussianNB {asked}",
        lambda xp, x, q, asked=asked: getattr(GaussianNB().fit(x, xp.asarray(THREE)), asked)(q),
        X,
        OTHERS,
    )
mixture = lambda kind, **settings: GaussianMixture(
    2,
    covariance_type=kind,
    init_params="random_from_data",
    random_state=0,
    max_iter=5,
    tol=0,
    **settings,
)
for kind in ("full", "tied", "diag", "spherical"):
    case(f"GaussianMixture {kind}", lambda xp, x, k=kind: mixture(k).fit(x).covariances_, X)
    case(
        f"GaussianMixture {kind} score_samples",
        lambda xp, x, q, k=kind: mixture(k).fit(x).score_samples(q),
        X,
        OTHERS,
    )
    case(
        f"GaussianMixture {kind} predict_proba",
        lambda xp, x, q, k=kind: mixture(k).fit(x).predict_proba(q),
        X,
        OTHERS,
    )
case("GaussianMixture of given means", lambda xp, x, m: mixture("full", means_init=m).fit(x).means_,
     X, signed(2, 3))  # fmt: skip
case("Nystroem", lambda xp, x, q: Nystroem(n_components=4, random_state=0).fit(x).transform(q),
     X, OTHERS)  # fmt: skip
case("a pipeline", lambda xp, x, y, q: make_pipeline(StandardScaler(),
     PolynomialFeatures(2, include_bias=False), ridge()).fit(x, y).predict(q),
     X, Y, OTHERS)  # fmt: skip
case("a union", lambda xp, x: FeatureUnion(
     [("a", StandardScaler()), ("b", MinMaxScaler())]).fit_transform(x), X)  # fmt: skip

KERNELS = """
    cosine_similarity cosine_distances euclidean_distances manhattan_distances linear_kernel
    polynomial_kernel sigmoid_kernel rbf_kernel laplacian_kernel additive_chi2_kernel chi2_kernel
    nan_euclidean_distances
"""
for name in KERNELS.split():
    f = getattr(pairwise, name)
    case(name, lambda xp, x, y, f=f: f(x, y), FEW, MORE)
    case(f"{name} of one", lambda xp, x, f=f: f(x), FEW)
for name in ["cosine", "euclidean", "manhattan"]:
    case(f"paired {name}", lambda xp, x, y, n=name: pairwise.paired_distances(x, y, metric=n),
         FEW, MORE[:4])  # fmt: skip
for name in ["cityblock", "cosine", "euclidean", "l1", "l2", "manhattan"]:
    case(f"pairwise_distances {name}", lambda xp, x, y, n=name: metrics.pairwise_distances(x, y, n),
         FEW, MORE)  # fmt: skip
for name in ["rbf", "sigmoid", "poly", "linear", "laplacian", "chi2", "additive_chi2", "cosine"]:
    case(f"pairwise_kernels {name}", lambda xp, x, y, n=name: pairwise.pairwise_kernels(x, y, n),
         FEW, MORE)  # fmt: skip
case("pairwise_distances_argmin_min",
     lambda xp, x, y: pairwise.pairwise_distances_argmin_min(x, y)[1], FEW, MORE)  # fmt: skip
case("pairwise_distances_chunked",
     lambda xp, x: next(metrics.pairwise_distances_chunked(x)), FEW)  # fmt: skip

OF_REGRESSION = """
    mean_squared_error mean_absolute_error mean_absolute_percentage_error root_mean_squared_error
    mean_squared_log_error root_mean_squared_log_error median_absolute_error r2_score
    explained_variance_score mean_pinball_loss d2_pinball_score d2_absolute_error_score
"""
each = {"multioutput": "raw_values"}
for name in OF_REGRESSION.split():
    f = getattr(metrics, name)
    case(name, lambda xp, t, p, f=f: f(t, p, **each), TRUTH, GUESS)
    case(
        f"{name} weighted",
        lambda xp, t, p, w, f=f: f(t, p, sample_weight=w, **each),
        TRUTH,
        GUESS,
        positive(9),
    )
case("roc_curve", lambda xp, p: metrics.roc_curve(xp.asarray(TWO), p)[2][1:], positive(12))
case("precision_recall_curve",
     lambda xp, p: metrics.precision_recall_curve(xp.asarray(TWO), p)[2], positive(12))  # fmt: skip

case("row_norms", lambda xp, x: extmath.row_norms(x), X)
case("softmax", lambda xp, x: extmath.softmax(x), X)
case("safe_sparse_dot", lambda xp, x, y: extmath.safe_sparse_dot(x, y.T), X, OTHERS)
case("fast_logdet", lambda xp, x: extmath.fast_logdet(x.T @ x), X)
case("empirical_covariance", lambda xp, x: covariance.empirical_covariance(x), X)
case("ledoit_wolf", lambda xp, x: covariance.ledoit_wolf(x)[0], X)

# Returned as a Python float, or read as one on the way.
NUMBERS = {}
for name in OF_REGRESSION.split():
    f = getattr(metrics, name)
    NUMBERS[f"{name}, one number"] = (lambda xp, t, p, f=f: f(t, p), TRUTH, GUESS)
for name in ["max_error", "mean_poisson_deviance", "mean_gamma_deviance", "d2_tweedie_score"]:
    f = getattr(metrics, name)
    NUMBERS[name] = (lambda xp, t, p, f=f: f(t, p), TRUTH[:, 0], GUESS[:, 0])
for name in ["log_loss", "brier_score_loss", "d2_brier_score"]:
    f = getattr(metrics, name)
    NUMBERS[name] = (lambda xp, p, f=f: f(xp.asarray(TWO), p), positive(12))
for name in ["calinski_harabasz_score", "davies_bouldin_score"]:
    f = getattr(metrics, name)
    NUMBERS[name] = (lambda xp, x, f=f: f(x, xp.asarray(THREE)), X)
NUMBERS |= {
    "auc": (lambda xp, x, y: metrics.auc(x, y), np.sort(positive(6)), positive(6)),
    "GaussianMixture.score": (lambda xp, x: mixture("diag").fit(x).score(x), X),
    "LogisticRegression": (
        lambda xp, x: linear_model.LogisticRegression().fit(x, xp.asarray(TWO)).coef_,
        X,
    ),
    "PCA.score": (lambda xp, x: PCA(2, svd_solver="full").fit(x).score(x), X),
    "Ridge.score": (lambda xp, x, y: ridge().fit(x, y).score(x, y), X, Y),
}

# Computed by compiled code of NumPy arrays.
COMPILED = {
    "BayesianRidge": (lambda xp, x, y: linear_model.BayesianRidge().fit(x, y).coef_, X, Y),
    "haversine_distances": (lambda xp, x: pairwise.haversine_distances(x[:, :2]), X),
    "KernelRidge": (lambda xp, x, y: KernelRidge(kernel="rbf").fit(x, y).predict(x), X, Y),
    "LinearRegression": (lambda xp, x, y: linear_model.LinearRegression().fit(x, y).coef_, X, Y),
    "pairwise_distances": (lambda xp, x: metrics.pairwise_distances(x, metric="chebyshev"), X),
    "scale": (lambda xp, x: preprocessing.scale(x), X),
}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        yield


@pytest.fixture(autouse=True)
def dispatched():
    with sklearn.config_context(array_api_dispatch=True):
        yield


def outputs(found):
    return tree.leaves(list(found) if isinstance(found, tuple) else found)


def weighed(function, arrays):
    """Return a number made of all that a function returns, as a function of the arrays."""
    draw = np.random.default_rng(1)
    weights = [draw.normal(size=np.shape(part)) for part in outputs(function(np, *arrays))]

    def scalar(*given):
        xp = given[0].__array_namespace__() if type(given[0]) is gx.Tensor else np
        parts = outputs(function(xp, *given))
        return sum(gx.sum(w * part) for w, part in zip(weights, parts, strict=True))

    return scalar


def prepared(name):
    """Return the function, the arguments' places, their values and a direction for each."""
    function, arrays = CASES[name]
    draw = np.random.default_rng(2)
    return (
        weighed(function, arrays),
        tuple(range(len(arrays))),
        arrays,
        tuple([draw.normal(size=np.shape(array)) for array in arrays]),
    )


def joined(arrays):
    return gx.concat([gx.reshape(array, (-1,)) for array in arrays])


def difference(function, points, along):
    """Return the five-point difference along a direction, of the step that suits best."""
    found = []
    for step in (1e-3, 1e-4, 1e-5):
        at = lambda n, step=step: function(
            *[p + n * step * t for p, t in zip(points, along, strict=True)]
        )
        found.append((8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step))
    apart = [np.max(np.abs(one - other)) for one, other in itertools.pairwise(found)]
    return found[1 + int(np.argmin(apart))]


@pytest.mark.parametrize("name", CASES)
def test_derivative_is_that_of_scikit_learns_values(name):
    scalar, places, points, along = prepared(name)

    value, gradients = gx.value_and_grad(scalar, places)(*points)
    forward_value, forward = gx.jvp(scalar, points, along)

    reverse = sum(np.sum(g * t) for g, t in zip(gradients, along, strict=True))
    np.testing.assert_allclose([value, forward_value], scalar(*points), 1e-7, 1e-9)
    np.testing.assert_allclose(forward, reverse, 1e-8, 1e-10)
    np.testing.assert_allclose(reverse, difference(scalar, points, along), 2e-5, 1e-7)


@pytest.mark.parametrize("name", CASES)
def test_second_derivative_is_that_of_the_first_in_every_mix(name):
    scalar, places, points, along = prepared(name)
    gradient = lambda *arrays: joined(gx.grad(scalar, places)(*arrays))

    slope = lambda *arrays: gx.jvp(scalar, arrays, along)[1]

    _, second = gx.jvp(gradient, points, along)
    of_slope = [joined(gx.grad(slope, places)(*points)), gx.jvp(slope, points, along)[1]]

    np.testing.assert_allclose(second, difference(gradient, points, along), 1e-4, 1e-5)
    np.testing.assert_allclose(of_slope[0], second, 1e-7, 1e-8)
    np.testing.assert_allclose(of_slope[1], np.sum(second * joined(along)), 1e-7, 1e-8)


@pytest.mark.parametrize("name", CASES)
def test_tape_by_hand_has_the_same_gradients(name):
    scalar, places, points, _ = prepared(name)
    leaves = [gx.tensor(point) for point in points]

    scalar(*leaves).backward()

    for leaf, expected in zip(leaves, gx.grad(scalar, places)(*points), strict=True):
        np.testing.assert_allclose(0.0 if leaf.grad is None else leaf.grad, expected, 1e-9, 1e-11)


@pytest.mark.parametrize("name", CASES)
def test_compiled_gradient_is_the_same(name):
    scalar, places, points, along = prepared(name)
    gradient = gx.grad(scalar, places)
    elsewhere = [p + 1e-3 * t for p, t in zip(points, along, strict=True)]
    try:
        with sklearn.config_context(assume_finite=True):  # to look for a NaN reads all numbers
            compiled = gx.compile(gradient)
            found = [compiled(*points), compiled(*elsewhere)]
    except gx.errors.CaptureError as error:
        pytest.skip(str(error))

    for arrays, inputs in zip(found, (points, elsewhere), strict=True):
        np.testing.assert_allclose(joined(arrays), joined(gradient(*inputs)), 1e-7, 1e-9)


@pytest.mark.parametrize("name", CASES)
def test_mapped_values_are_those_of_each_call(name):
    scalar, _, points, along = prepared(name)
    elsewhere = [p + 1e-3 * t for p, t in zip(points, along, strict=True)]
    pairs = [np.stack(pair) for pair in zip(points, elsewhere, strict=True)]
    try:
        with sklearn.config_context(assume_finite=True):
            found = gx.vmap(scalar)(*pairs)
    except gx.errors.TrackedError as error:
        pytest.skip(str(error))

    np.testing.assert_allclose(found, [scalar(*points), scalar(*elsewhere)], 1e-7, 1e-9)


@pytest.mark.parametrize("name", NUMBERS)
def test_what_becomes_a_python_number_is_refused(name):
    function, *arrays = NUMBERS[name]
    with pytest.raises(gx.GradxError, match=r"float\(\) .* would lose its derivative"):
        gx.grad(weighed(function, arrays), tuple(range(len(arrays))))(*arrays)


@pytest.mark.parametrize("name", COMPILED)
def test_what_compiled_code_computes_is_refused(name):
    function, *arrays = COMPILED[name]
    with pytest.raises(gx.GradxError, match=r"np\.asarray\(\) .* would lose its derivative"):
        gx.grad(weighed(function, arrays), tuple(range(len(arrays))))(*arrays)
