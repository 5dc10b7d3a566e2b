"""NIST's nonlinear regressions, whose parameters are certified to eleven digits.

Run by name, with the folder of the files (``*.dat``) of NIST's Statistical Reference Datasets,
which https://github.com/lmfit/lmfit-py also has as ``NIST_STRD``:

    NIST_STRD=PATH python -m pytest -n auto tests/oracles/nist_regressions.py

Models are read from the files themselves. Jacobians, in both modes, compiled and of a batch, are
those of complex steps; by them alone the certified parameters are found from NIST's own starts.
"""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.optimize import least_squares

import gradx as gx

FILES = sorted(Path(os.environ.get("NIST_STRD", "?")).glob("*.dat"))
NAMES = [file.stem for file in FILES]
# From there the method of Levenberg and Marquardt goes to where the derivative is 0.
LEADS_ELSEWHERE = {("BoxBOD", 0)}
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not FILES, reason="NIST_STRD names no folder of NIST's files"),
]


class Problem(NamedTuple):
    """A model's residuals as a function of its parameters, where to start, and the result."""

    residuals: Any
    starts: tuple[Any, Any]
    certified: Any


def problem_of(name):
    text = next(file for file in FILES if file.stem == name).read_text()
    rows = re.findall(r"^ *b\d+ *= +(.*)$", text, re.MULTILINE)
    first, second, certified, _ = np.asarray([row.split() for row in rows], dtype=float).T
    return Problem(residuals_of(text), (first, second), certified)


def residuals_of(text):
    """Return the residuals of the model that a file has in words, and of its data."""
    columns = re.findall(r"^Data:? +((?:[xy]\d? *)+)$", text, re.MULTILINE)[-1]
    numbers = text[text.rindex(columns) + len(columns) :].split()
    names = columns.split()
    data = dict(zip(names, np.asarray(numbers, dtype=float).reshape(-1, len(names)).T, strict=True))
    left, right = re.search(r"^ *(y|log\[y\]) += *(.*?) *\+ *e *$", text, re.S | re.M).groups()
    formula = compile(f"({right.translate(str.maketrans('[]', '()'))})", text, "eval")
    observed = np.log(data["y"]) if left == "log[y]" else data["y"]
    known = {**data, "exp": np.exp, "cos": np.cos, "sin": np.sin, "arctan": np.arctan, "pi": np.pi}

    def residuals(b):
        return eval(formula, known, {f"b{i + 1}": b[i] for i in range(b.shape[0])}) - observed

    return residuals


def by_complex_steps(f, b):
    return np.stack([np.imag(f(b + 1e-200j * row)) / 1e-200 for row in np.eye(len(b))], axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_jacobian_is_that_of_complex_steps(name):
    f, starts, certified = problem_of(name)

    for b in (*starts, certified):
        expected = by_complex_steps(f, b)
        basis = np.eye(len(b))
        found = {
            "jacobian": gx.jacobian(f)(b),
            "forward": np.stack([gx.jvp(f, (b,), (row,))[1] for row in basis], axis=1),
            "reverse": np.stack([gx.vjp(f, b)[1](row)[0] for row in np.eye(len(expected))]),
            "compiled": gx.compile(gx.jacobian(f))(b),
            "batch": gx.vmap(gx.jacobian(f))(np.stack([2 * b, b]))[1],
        }
        for way, jacobian in found.items():
            largest = np.max(np.abs(expected), axis=0)
            np.testing.assert_array_less(np.abs(jacobian - expected) / largest, 1e-12, way)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_certified_parameters_are_found(name, start):
    if (name, start) in LEADS_ELSEWHERE:
        pytest.skip("leads elsewhere")
    f, starts, certified = problem_of(name)
    precise = {"method": "lm", "max_nfev": 20_000, "xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}

    found = least_squares(f, starts[start], jac=gx.jacobian(f), **precise).x

    np.testing.assert_allclose(found, certified, rtol=1e-6)
