"""CUTEst's optimization problems, by their own gradients, Jacobians and Hessians.

Run by name, with a checkout of https://github.com/GrattonToint/S2MPJ, which has them in NumPy:

    S2MPJ=PATH python -m pytest -n auto tests/oracles/cutest_problems.py

Each is judged where it starts and at a point beside it, in both modes, on an explored tape and
compiled. Its code runs as it is, but for three things that no Tensor goes through: the zeros that
it writes to are made beside its argument, its ``float(...)`` keeps a Tensor, and a sparse matrix
is an array.
"""

import os
import signal
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import gradx as gx
from gradx.errors import CaptureError, TrackedError

ROOT = Path(os.environ.get("S2MPJ", ""))
LISTED = ROOT / "list_of_python_problems"
NAMES = LISTED.read_text().replace(".py", "").split() if LISTED.is_file() else []
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not NAMES, reason="S2MPJ names no checkout of the problems"),
]

# Problems whose number of variables can be chosen are asked for few.
SIZES = [(), (5,), (10,), (4,), (3,), (2,), (3, 3), (5, 5)]
MOST, MOST_WITH_HESSIAN, SECONDS = 20, 14, 8
# Their own derivatives differ from finite differences of their own values, and gradx's do not.
WRONG_GRADIENTS = {"EQC", "QC"}
WRONG_HESSIANS = WRONG_GRADIENTS | {
    "ECKERLE4", "ECKERLE4LS", "GULF", "GULFNE", "HIMMELBB", "HIMMELBF", "HIMMELBFNE", "HS70",
    "WATSON", "WATSONNE",
}  # fmt: skip
# Of abs(t) * log(1 + abs(t)) at 0, each factor's derivative is that of a kink.
AT_A_KINK = {"TOINTGOR"}
# It has x**2 * x**0.85 at 0: zero times an infinite slope is NaN, in either mode.
NAN_OF_PARTS = {"DALLASS"}
# They ask for numbers by ``x.item()``, which has no derivative.
READING = {"HS67", "HS68", "HS69", "HS85", "HS88"}
READING_IN_CONSTRAINTS = READING | {"HS89", "HS90", "HS91", "HS92"}
OUTSIDE_ITS_DOMAIN = {"WATER"}  # at the second point: NumPy's own sum is complex
NAMES = [name for name in NAMES if name not in OUTSIDE_ITS_DOMAIN and "~" not in name]


class Numpy(types.ModuleType):
    """NumPy, with zeros that lie beside the Tensor that a problem is asked about."""

    def __init__(self):
        super().__init__("numpy_beside")
        self.__dict__.update(np.__dict__)
        self.zeros, self.np, self.beside = self.zeros_beside, self, None

    def zeros_beside(self, shape, *args, **kwargs):
        plain = np.zeros(shape, *args, **kwargs)
        return plain if self.beside is None else np.zeros_like(self.beside, shape=plain.shape)


class Dense:
    """A sparse matrix as an array."""

    def __init__(self, matrix):
        self.matrix = matrix.toarray()

    def dot(self, x):
        return self.matrix @ x


@pytest.fixture(scope="module")
def numpy():
    """Import the problems' library with a NumPy that knows of Tensors."""
    sys.path.insert(0, str(ROOT))
    library, module = __import__("s2mpjlib"), Numpy()
    sys.modules["numpy_beside"] = module
    library.np, number = module, library.to_scalar
    library.to_scalar = lambda x: x.reshape(()) if type(x) is gx.Tensor else number(x)
    return module


@pytest.fixture(autouse=True)
def within_time():
    """Leave out problems that take long: of minutes of Python nothing more is learned."""

    def too_long(*_):
        pytest.skip(f"takes more than {SECONDS} seconds")

    signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)


def problem_of(name):
    """Return a problem of few variables."""
    source = (ROOT / "python_problems" / f"{name}.py").read_text()
    space = {}
    exec(source.replace("import numpy as np", "from numpy_beside import np"), space)
    for size in SIZES:
        try:
            problem = space[name](*size)
        except (ValueError, IndexError, KeyError, ZeroDivisionError, TypeError):
            continue
        if problem.n <= MOST:
            return problem
    pytest.skip("has many variables")


def asked(numpy, problem, method):
    """Return a method of a problem as a function of a Tensor."""
    quadratic = problem.__dict__.get("H")

    def function(x):
        numpy.beside = x
        if quadratic is not None:
            problem.H = Dense(quadratic)
        try:
            return getattr(problem, method)(x)
        finally:
            numpy.beside = None
            if quadratic is not None:
                problem.H = quadratic

    return function


def assert_close(found, expected, rtol=1e-9):
    expected = np.asarray(expected, dtype=float)
    finite = np.abs(expected[np.isfinite(expected)])
    atol = rtol * max(1.0, finite.max(initial=0.0))
    np.testing.assert_allclose(found, expected.reshape(np.shape(found)), rtol=0, atol=atol)


def points_of(problem):
    rng = np.random.default_rng(0)
    start = np.asarray(problem.x0, dtype=float).ravel()
    return [start, start + 0.1 * rng.normal(size=start.shape) * np.maximum(1, np.abs(start))]


@pytest.mark.parametrize("name", NAMES)
def test_objective_has_the_derivatives_of_the_problem(name, numpy):
    problem = problem_of(name)
    if not len(getattr(problem, "objgrps", ())) or getattr(problem, "objderlvl", 2) < 1:
        pytest.skip("has no objective with derivatives")
    f = asked(numpy, problem, "fx")
    if name in READING:
        return assert_reading_is_refused(f, problem)
    if type(f(gx.tensor(points_of(problem)[0]))) is not gx.Tensor:
        pytest.skip("has a constant objective")

    for x in points_of(problem):
        value, gradient = problem.fgx(x)
        if not np.isfinite(value):
            continue
        if name in WRONG_GRADIENTS | NAN_OF_PARTS:
            gradient = [gx.jvp(f, (x,), (unit,))[1] for unit in np.eye(x.size)]
        check_gradient(f, x, value, np.ravel(gradient))
        if name not in WRONG_HESSIANS | AT_A_KINK | NAN_OF_PARTS and problem.n <= MOST_WITH_HESSIAN:
            assert_close(gx.hessian(f)(x), problem.fgHx(x)[2].toarray())


def assert_reading_is_refused(f, problem):
    with pytest.raises(TrackedError, match=r"item\(\) of a Tensor"):
        gx.vjp(f, points_of(problem)[0])


def check_gradient(f, x, value, gradient):
    direction = np.cos(np.arange(x.size))
    found, slope = gx.jvp(f, (x,), (direction,))
    explored = gx.tensor(x)
    f(explored).backward()

    assert_close(found, value)
    assert_close(slope, gradient @ direction)
    assert_close(gx.grad(f)(x), gradient)
    assert_close(explored.grad, gradient)
    try:
        assert_close(gx.compile(gx.grad(f))(x), gradient)
    except CaptureError as error:  # it chooses by numbers, in Python
        warnings.warn(str(error), stacklevel=1)


@pytest.mark.parametrize("name", NAMES)
def test_constraints_have_the_derivatives_of_the_problem(name, numpy):
    problem = problem_of(name)
    if not len(getattr(problem, "congrps", ())) or min(getattr(problem, "conderlvl", [2])) < 2:
        pytest.skip("has no constraints with derivatives")
    c = asked(numpy, problem, "cx")
    constraints = lambda x: c(x).reshape(-1)
    weights = np.cos(np.arange(problem.m))
    weighed = lambda x: gx.sum(constraints(x) * weights)
    if name in READING_IN_CONSTRAINTS:
        return assert_reading_is_refused(c, problem)

    for x in points_of(problem):
        values, jacobian, hessians = problem.cJHx(x)
        assert_close(gx.jvp(constraints, (x,), (x,))[0], values)
        assert_close(gx.jacobian(constraints)(x), jacobian.toarray())
        if name not in WRONG_HESSIANS and problem.n <= MOST_WITH_HESSIAN:
            pairs = zip(weights, hessians, strict=True)
            expected = sum(weight * hessian.toarray() for weight, hessian in pairs)
            assert_close(gx.hessian(weighed)(x), expected)
