"""ADBench's objective functions as they are written for PyTorch, differentiated by gradx.

Run by name, with PyTorch and a checkout of https://github.com/microsoft/ADBench:

    ADBENCH=PATH python -m pytest -n auto tests/oracles/adbench_objectives.py

Gaussian mixtures, bundle adjustment, hand tracking and an LSTM, of random inputs of their shapes.
Each module is run twice: with PyTorch, whose Jacobian is the judge, and with a stand-in for it made
of NumPy's functions, in every mode of gradx.
"""

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import gradx as gx

torch = pytest.importorskip("torch")
SOURCES = Path(os.environ.get("ADBENCH", "?")) / "src" / "python"
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not SOURCES.is_dir(), reason="ADBENCH names no checkout of ADBench"),
]


def stand_in(xp):
    """Return what ADBench uses of PyTorch; ``xp`` makes arrays that what is tracked fits into."""
    along = lambda f: lambda x, dim=None: f(x, axis=dim)
    return SimpleNamespace(
        cat=lambda arrays: np.concatenate(tuple(arrays)),
        cos=np.cos,
        cross=np.cross,
        dot=np.dot,
        einsum=np.einsum,
        exp=np.exp,
        eye=lambda n, dtype=None: xp.eye(n),
        float64=np.float64,
        log=np.log,
        logsumexp=along(gx.logsumexp),
        max=lambda x, dim=None: (
            np.max(x) if dim is None else SimpleNamespace(values=np.max(x, dim))
        ),
        ones=lambda shape: xp.ones(shape),
        sigmoid=gx.nn.sigmoid,
        sin=np.sin,
        sqrt=np.sqrt,
        stack=lambda arrays, dim=0: np.stack(arrays, axis=dim),
        sum=along(np.sum),
        t=np.transpose,
        tanh=np.tanh,
        transpose=np.swapaxes,
        zeros=lambda shape, dtype=None: xp.zeros(shape),
    )


def module_of(name, library):
    """Return one of ADBench's modules, with ``library`` for PyTorch."""
    path = SOURCES / "modules" / "PyTorch" / f"{name}_objective.py"
    text = path.read_text(encoding="utf-8-sig")
    if library is not torch:
        # Methods that arrays of NumPy have not, or have for something else.
        text = re.sub(r"\.transpose\((\d)", r".swapaxes(\1", text)
        text = text.replace(".clone().detach()", " * 1.0")
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SOURCES))
        patch.setitem(sys.modules, "torch", library)
        exec(compile(text, str(path), "exec"), vars(module))
    return module


@pytest.fixture(autouse=True)
def double_precision():
    """Give PyTorch's rotations, which are made by ``torch.eye(3)``, all digits."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


class Problem(NamedTuple):
    """A function of a module: what is differentiated, then the rest of its arguments."""

    module: str
    function: str
    varied: tuple[Any, ...]
    others: tuple[Any, ...]
    chooses: bool = False  # by numbers, in Python

    def run(self, library, varied):
        """Run the function, with PyTorch or with the stand-in."""
        others = [as_tensor(x) for x in self.others] if library is torch else self.others
        return getattr(module_of(self.module, library), self.function)(*varied, *others)


def as_tensor(x):
    return torch.tensor(x) if isinstance(x, np.ndarray) else x


def mixture(draw):
    size, dimensions, components = 5, 3, 4
    varied = draw(components), draw(components, dimensions), draw(components, 6) / 2
    return Problem("gmm", "gmm_objective", varied, (draw(size, dimensions), 1.0, 0))


def reprojection(draw, turned=1.0):
    camera = np.concatenate([draw(3) * turned, draw(8)])
    varied = camera, draw(3) + 4.0, draw()
    return Problem("ba", "compute_reproj_err", varied, (draw(2),), chooses=True)


def lstm(draw):
    layers, size = 2, 3
    varied = draw(2 * layers, 4 * size), draw(3, size), draw(2 * layers, size)
    return Problem("lstm", "lstm_objective", varied, (draw(4, size),))


def hand(draw, complicated=False):
    bones, vertices, points = 22, 6, 4
    parents = np.maximum(np.arange(bones) - 1, 0)
    parents[[0, 5, 9, 13, 17]] = [-1, 0, 0, 0, 0]
    model = parents, draw(bones, 4, 4) / 2, draw(bones, 4, 4) / 2, draw(vertices, 4)
    weights = draw(vertices, bones)
    data = draw(points, 3), np.asarray([0, 3, 2, 3])
    angles = draw(26)
    if not complicated:
        others = (bones, *model, weights, 1.0, *data)
        return Problem("hand", "hand_objective", (angles,), others, chooses=True)
    triangles = np.asarray([[0, 1, 2], [1, 2, 3], [2, 4, 5], [0, 3, 5]])
    others = (bones, *model, weights, 1.0, *data, triangles)
    varied = (np.concatenate([draw(2 * points), angles]),)
    return Problem("hand", "hand_objective_complicated", varied, others, chooses=True)


PROBLEMS = {
    "mixture": mixture,
    "reprojection": reprojection,
    "reprojection without a turn": lambda draw: reprojection(draw, turned=0.0),
    "LSTM": lstm,
    "hand": hand,
    "hand with a surface": lambda draw: hand(draw, complicated=True),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_jacobian_is_that_of_pytorch(name):
    normal = np.random.default_rng(0).normal
    problem = PROBLEMS[name](lambda *shape: np.asarray(normal(size=shape)))
    leaves = tuple(map(torch.tensor, problem.varied))
    expected = torch.autograd.functional.jacobian(lambda *xs: problem.run(torch, xs), leaves)
    everything = tuple(range(len(leaves)))

    def f(*xs):
        return problem.run(stand_in(xs[0].__array_namespace__()), xs)

    agree(np.asarray(f(*problem.varied)), problem.run(torch, leaves))
    for found in jacobians(f, problem, everything):
        for one, other in zip(found, expected, strict=True):
            agree(one, other)


def jacobians(f, problem, everything):
    """Return the Jacobian in each way that the problem can be differentiated in."""
    out, pullback = gx.vjp(f, *problem.varied)
    rows = np.eye(out.size).reshape(out.size, *out.shape)
    pulled = [pullback(row) for row in rows]
    yield [np.stack(x).reshape(out.shape + x[0].shape) for x in zip(*pulled, strict=True)]
    yield [forward(f, problem.varied, i) for i in everything]
    yield gx.jacobian(f, everything)(*problem.varied)
    if not problem.chooses:
        yield gx.compile(gx.jacobian(f, everything))(*problem.varied)
        batch = [np.stack([2 * x, x]) for x in problem.varied]
        yield [j[1] for j in gx.vmap(gx.jacobian(f, everything))(*batch)]


def forward(f, varied, position):
    x = varied[position]
    columns = []
    for direction in np.eye(x.size).reshape(x.size, *x.shape):
        along = [direction if i == position else np.zeros_like(v) for i, v in enumerate(varied)]
        columns.append(gx.jvp(f, varied, tuple(along))[1])
    return np.stack(columns, axis=-1).reshape(columns[0].shape + x.shape)


def agree(found, expected):
    expected = expected.detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * np.max(np.abs(expected)))
