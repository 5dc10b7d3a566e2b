"""Einstein's notation: against NumPy, and with the order of products that it takes."""

import importlib
from itertools import pairwise

import numpy as np
import pytest

import gradx as gx
from gradx.errors import ShapeError
from gradx.ops import einsum as module
from gradx.testing import check_derivatives

RNG = np.random.default_rng(0)

CASES = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,jk->", (2, 3), (3, 4)),
    ("ji,jk->ik", (3, 2), (3, 4)),
    ("i,i", (3,), (3,)),
    ("i,j", (3,), (2,)),
    ("ii->i", (3, 3)),
    ("iijk->kj", (2, 2, 3, 4)),
    ("abab->ab", (2, 3, 2, 3)),
    ("iji,ij->j", (2, 3, 2), (2, 3)),
    ("zxy->yz", (2, 3, 4)),
    ("bac", (2, 3, 4)),
    ("B,a", (2,), (3,)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)),
    ("i...,...i", (3, 2), (4, 2, 3)),
    ("...i->...", (2, 3)),
    ("...,...", (2, 3), (3,)),
    ("ij,ij->ij", (2, 1), (2, 3)),
    ("ij,jk->ik", (2, 1), (3, 4)),
    ("ij,jk,kl,lm->im", (2, 3), (3, 4), (4, 2), (2, 5)),
    ("ab,bc,ca", (2, 3), (3, 4), (4, 2)),
    ("a,a,a,a->a", (3,), (3,), (3,), (3,)),
    ("a,b,c,d,e->ecb", (2,), (3,), (2,), (3,), (2,)),
    ("bi,bj,bk,ijk->b", (4, 2), (4, 3), (4, 2), (2, 3, 2)),
]


def operands(shapes, dtype=float):
    arrays = [RNG.normal(size=shape) for shape in shapes]
    return [a + 1j * RNG.normal(size=a.shape) for a in arrays] if dtype is complex else arrays


every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])


@every_case
@pytest.mark.parametrize("dtype", [float, complex])
def test_value_is_that_of_numpy(case, dtype, backend):
    subscripts, *shapes = case
    arrays = operands(shapes, dtype)

    out = gx.einsum(subscripts, *[backend.from_numpy(a, backend.devices()[0]) for a in arrays])

    np.testing.assert_allclose(backend.to_numpy(out), np.einsum(subscripts, *arrays), rtol=1e-12)


@every_case
def test_derivatives_of_each_operand(case):
    subscripts, *shapes = case

    check_derivatives(lambda *xs: gx.einsum(subscripts, *xs), *operands(shapes), order=2)


@every_case
def test_path_of_its_own_finds_the_same(case, monkeypatch):
    subscripts, *shapes = case
    arrays = operands(shapes)

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    module._planned.cache_clear()
    out = gx.einsum(subscripts, *arrays)
    module._planned.cache_clear()

    np.testing.assert_allclose(out, np.einsum(subscripts, *arrays), rtol=1e-12)


def test_own_path_multiplies_small_products_first():
    sizes = {"i": 100, "j": 2, "k": 100, "l": 1}

    assert module._greedy_path(["ij", "jk", "kl"], "il", sizes) == [(1, 2), (0, 1)]


def test_steps_of_several_terms_are_split():
    assert list(module._two_by_two([(0, 1, 2)], 3)) == [(0, 1), (0, 1)]
    assert list(module._two_by_two([(1, 3), (0, 1, 2)], 4)) == [(1, 3), (0, 1), (0, 1)]
    assert list(module._two_by_two([(0, 2, 4), (0, 1, 2)], 5)) == [(0, 2), (2, 3), (0, 1), (0, 1)]


def test_form_with_lists_is_that_of_numpy():
    x, y = operands([(2, 3), (3, 4)])

    np.testing.assert_allclose(gx.einsum(x, [0, 1], y, [1, 2], [2, 0]), (x @ y).T)
    np.testing.assert_allclose(gx.einsum(x, [0, 30], y, [30, 2]), x @ y)
    np.testing.assert_allclose(gx.einsum(x, [..., 1], [..., 1]), x)


def test_axes_of_dots_that_the_result_lacks_are_added_up():
    (x,) = operands([(2, 3, 4)])

    np.testing.assert_allclose(gx.einsum("i...->i", x), x.sum((1, 2)))


def test_many_operands_are_never_multiplied_out():
    # All at once this would have 2**60 terms.
    matrices = operands([(8, 8)] * 20)
    letters = [chr(ord("a") + i) for i in range(21)]
    subscripts = ",".join(a + b for a, b in pairwise(letters))

    chain = gx.einsum(f"{subscripts}->au", *matrices)

    np.testing.assert_allclose(chain, np.linalg.multi_dot(matrices), rtol=1e-9)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3)], "2 terms for 1 arrays"),
        ("ij->i", [(2,)], r"'ij' for an array of shape \(2,\)"),
        ("i->i", [(2, 3)], r"'i' for an array of shape \(2, 3\)"),
        ("ij,jk->ik", [(2, 3), (4, 2)], "'j' is both 3 and 4"),
        ("ii->i", [(1, 3)], "'i' is both 1 and 3"),
        ("...i,...i", [(2, 3), (4, 3)], "'...' is both 2 and 4"),
        ("ij->ik", [(2, 3)], "the result cannot have 'k'"),
        ("ij->ii", [(2, 3)], "the result cannot have 'i'"),
        ("i1->i", [(2, 3)], "'1' is not a letter"),
    ],
)
def test_what_does_not_fit_is_named(subscripts, shapes, message):
    with pytest.raises(ShapeError, match=message):
        gx.einsum(subscripts, *operands(shapes))
