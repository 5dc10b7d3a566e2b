"""SciPy's functions that follow the array API, differentiated: none of them knows of gradx.

Run by ``nox -s oracles``, or by name:

    SCIPY_ARRAY_API=1 python -m pytest -n auto tests/oracles/scipy_functions.py

Each is called with arrays, at random points, and its derivative along a random direction, in
both modes, is compared with finite differences of SciPy's own values on plain arrays; compiled and
of a batch it must be the same. Passed is right, failed is wrong. Skipped is refused: a graph and
``vmap`` have no numbers for an ``if`` of SciPy's, and SciPy refuses what it knows that it could not
do. What it computes in compiled code of NumPy arrays must refuse with an error that says so.
"""

import warnings

import numpy as np
import pytest

import gradx as gx
from gradx.core import tree
from tests.oracles.scipy_cases import CASES, COMPILED, Fixed, signed

pytestmark = pytest.mark.filterwarnings("ignore")


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


@pytest.mark.parametrize("name", CASES)
def test_compiled_gradient_is_the_same(name):
    scalar, points, (along,) = drawn(name, 1)
    gradient = gx.grad(scalar, tuple(range(len(points))))
    elsewhere = [p + 1e-3 * t for p, t in zip(points, along, strict=True)]
    try:
        compiled = gx.compile(gradient)
        found = [compiled(*points), compiled(*elsewhere)]
    except (gx.errors.CaptureError, NotImplementedError) as error:
        pytest.skip(str(error))

    for arrays, inputs in zip(found, (points, elsewhere), strict=True):
        for array, expected in zip(arrays, gradient(*inputs), strict=True):
            np.testing.assert_allclose(array, expected, 1e-7, 1e-9)


@pytest.mark.parametrize("name", CASES)
def test_mapped_gradient_is_that_of_each_call(name):
    scalar, points, (along,) = drawn(name, 1)
    gradient = gx.grad(scalar, tuple(range(len(points))))
    elsewhere = [p + 1e-3 * t for p, t in zip(points, along, strict=True)]
    pairs = [np.stack(pair) for pair in zip(points, elsewhere, strict=True)]
    try:
        found = gx.vmap(gradient)(*pairs)
    except (gx.errors.TrackedError, NotImplementedError) as error:
        pytest.skip(str(error))

    for arrays, *expected in zip(found, gradient(*points), gradient(*elsewhere), strict=True):
        np.testing.assert_allclose(arrays, expected, 1e-7, 1e-9)
