"""Donated arguments: their memory is reused, and no result changes."""

import numpy as np
import pytest

import gradx as gx
from gradx.graph.executors import numpy as numpy_executor


def test_donated_argument_holds_the_result():
    compiled = gx.compile(lambda x, y: x * 2 + y, donate="x")
    x = np.ones((300, 300))
    compiled(x.copy(), x)

    out = compiled(x, np.ones((300, 300)))

    assert out is x
    assert np.all(out == 3)


DONATING = {
    "read again later": lambda x, y: (x * 2 + y, gx.sum(x, axis=0)),
    "read again in the chain": lambda x, y: (y * 2, x * y + x, (x * y + x) * x),
    "swapped": lambda x, y: (y + 1, x + 1),
    "viewed": lambda x, y: (lambda v: (x * 2, gx.sin(v)))(gx.reshape(x, (-1,))),
    "returned": lambda x, y: (x, x + y, x[0]),
    "multiplied as matrices": lambda x, y: (x @ y, y @ x),
    "chosen": lambda x, y: (gx.where(y > 0, y, x), gx.where(x > 0, y, x)),
}


@pytest.mark.parametrize("name", DONATING)
@pytest.mark.parametrize("size", [3, 300])
@pytest.mark.parametrize("passed", ["apart", "twice", "as views", "transposed", "view and base"])
def test_donation_changes_no_result(name, size, passed):
    f = DONATING[name]
    compiled = gx.compile(f, donate=(0, 1))

    def arguments():
        x, y = np.random.default_rng(0).normal(size=(2, size, size)).copy()
        apart, base = (x.copy(), y.copy()), np.stack([x, y])
        return {
            "apart": apart,
            "twice": (apart[0], apart[0]),
            "as views": (base[0], base[1]),
            "transposed": (apart[0].T, apart[1].T),
            "view and base": (apart[0], apart[0][:]),
        }[passed]

    for _ in range(3):
        for a, e in zip(compiled(*arguments()), f(*arguments()), strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-12, atol=1e-12)


def test_donated_arrays_that_are_closed_over_are_left_alone():
    weight = np.ones((300, 300))
    compiled = gx.compile(lambda x: (x + weight, weight * 2), donate="x")

    for _ in range(2):
        compiled(weight)

    assert np.all(weight == 1)


@pytest.mark.parametrize("shape", [(40, 40), (600, 600)])  # the larger in blocks, without LLVM
def test_what_a_view_still_reads_is_not_overwritten(shape, monkeypatch):
    x = np.random.default_rng(0).normal(size=shape)
    f = lambda x: x * 2 + gx.matrix_transpose(x)
    kept = lambda x: (y := gx.exp(x)) * 2 + gx.matrix_transpose(y) + x

    for way in (None, lambda: None):
        if way is not None:
            monkeypatch.setattr(numpy_executor, "group_compiler", way)
        for one in (f, kept):
            found = gx.compile(one, donate="x")(x.copy())

            np.testing.assert_allclose(found, one(x), rtol=1e-13, atol=1e-13)


def test_view_of_what_is_given_up_is_read_as_it_was():
    f = lambda x, view: (x * 2 + 1, gx.sum(view, axis=0))
    compiled = gx.compile(f, donate="x")
    for _ in range(3):
        x = np.random.default_rng(0).normal(size=(300, 300))
        expected = f(x.copy(), x.copy())

        for a, e in zip(compiled(x, x[:]), expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-12)


def test_what_cannot_be_written_to_is_copied_though_it_is_given_up():
    compiled = gx.compile(lambda x: x * 2 + 1, donate="x")
    for _ in range(3):
        x = np.ones((300, 300))
        x.flags.writeable = False

        assert np.all(compiled(x) == 3)
        assert np.all(x == 1)


def test_result_for_an_array_in_columns_lies_in_rows():
    compiled = gx.compile(lambda x: x * 2 + 1, donate="x")
    for _ in range(3):
        x = np.asfortranarray(np.random.default_rng(0).normal(size=(300, 200)))
        expected = x * 2 + 1

        out = compiled(x)

        np.testing.assert_array_equal(out, expected)
        assert out.flags.c_contiguous


def test_results_that_are_one_value_are_arrays_of_their_own():
    compiled = gx.compile(lambda x: [gx.sin(x) * 2 + 1] * 2, donate="x")
    for _ in range(3):
        one, other = compiled(np.ones((300, 300)))

        assert not np.shares_memory(one, other)
        np.testing.assert_array_equal(one, other)
