"""The functions that SciPy's benchmarks of global optimization are made of: 195, in plain NumPy.

Run by name, with SciPy's sources (a checkout, or what ``pip download --no-binary`` brings):

    SCIPY_SOURCE=PATH python -m pytest -n auto tests/oracles/global_optimization.py

Each is asked at three points for its gradient and Hessian, which must be the same in all modes,
of a batch and compiled, and near the finite differences of its values and of its gradient.
"""

import inspect
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import gradx as gx
from gradx.errors import CaptureError, TrackedError

ROOT = Path(os.environ.get("SCIPY_SOURCE", "?")) / "benchmarks"
# They make arrays of lists with Tensors in them, or ask for a number as one of Python's.
REFUSED = {"Cola", "Deceptive", "Mishra10", "Pinter", "Rosenbrock"}
WITHOUT_A_VALUE = {"Stochastic", "XinSheYang01"}  # of their own: they draw random numbers
# Finite differences cross steps and kinks, or waves shorter than any step that rounding allows.
ROUGH = {
    "DeVilliersGlasser02", "Katsuura", "OddSquare", "Schaffer02", "Schaffer03", "Schaffer04",
    "Schwefel06", "Schwefel21", "Thurber", "Trigonometric02", "Weierstrass", "YaoLiu04",
}  # fmt: skip
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)


def functions():
    """Import SciPy's benchmarks, without the program that they are benchmarks for."""
    if not ROOT.is_dir():
        return {}
    for name in ("asv_runner", "asv_runner.benchmarks", "asv_runner.benchmarks.mark"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["asv_runner.benchmarks.mark"].SkipNotImplemented = NotImplementedError
    sys.path.insert(0, str(ROOT))
    from benchmarks import go_benchmark_functions as space

    kinds = dict(inspect.getmembers(space, inspect.isclass))
    base = kinds.pop("Benchmark")
    left_out = REFUSED | WITHOUT_A_VALUE
    return {n: kind for n, kind in kinds.items() if issubclass(kind, base) and n not in left_out}


FUNCTIONS = functions()
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not FUNCTIONS, reason="SCIPY_SOURCE names no sources of SciPy"),
]


def points_of(problem):
    """Return points where it is finite: two between the bounds, one beside a known least value."""
    low, high = np.asarray(problem.bounds, dtype=float).T
    rng = np.random.default_rng(5)
    drawn = [low + (high - low) * rng.uniform(0.1, 0.9, len(low)) for _ in range(2)]
    best = np.asarray(problem.global_optimum[0], dtype=float) + 0.013
    points = [*drawn, best] if best.size else drawn
    return [x for x in points if np.isfinite(problem.fun(np.copy(x)))]


def near(found, at, x):
    """Tell whether a derivative is near five-point differences of what ``at`` gives."""
    scale = max(np.max(np.abs(found)), 1e-3 * np.max(np.abs(at(x))), 1e-8)
    apart = []
    for step in STEPS:
        rows = step * np.maximum(1, np.abs(x)) * np.eye(len(x))
        slopes = [
            (8 * (at(x + row) - at(x - row)) - (at(x + 2 * row) - at(x - 2 * row))) / 12 / row.max()
            for row in rows
        ]
        apart.append(np.max(np.abs(np.stack(slopes) - found)))
    return min(apart) < 1e-4 * scale


def same(found, expected):
    scale = max(np.max(np.abs(expected)), 1e-8)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9 * scale)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_are_the_same_in_all_modes_and_near_differences(name):
    problem = FUNCTIONS[name]()
    f = lambda x: problem.fun(x)

    for x in points_of(problem):
        along = np.random.default_rng(1).normal(size=x.shape)
        gradient, hessian = gx.grad(f)(x), gx.hessian(f)(x)
        slope = lambda y, t=along: gx.jvp(f, (y,), (t,))[1]

        same(slope(x), gradient @ along)
        same(gx.linearize(f, x)[1](along), gradient @ along)
        same(gx.jacobian(gx.grad(f))(x), hessian)
        same(gx.hvp(f, (x,), (along,)), along @ hessian)
        same(gx.grad(slope)(x), along @ hessian)
        same(gx.jvp(slope, (x,), (along,))[1], along @ hessian @ along)
        if name not in ROUGH:
            assert near(gradient, f, x)
            assert near(hessian, gx.grad(f), x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_and_of_a_batch_it_is_the_same_or_refused(name):
    problem = FUNCTIONS[name]()
    f = lambda x: problem.fun(x)

    for x in points_of(problem):
        gradient = gx.grad(f)(x)
        try:  # many choose by numbers, in Python
            same(gx.compile(gx.grad(f))(x), gradient)
            same(gx.vmap(gx.grad(f))(np.stack([x, x]))[1], gradient)
        except (CaptureError, TrackedError):
            pytest.skip("asks for numbers")
