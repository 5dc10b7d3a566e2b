"""Tensors that vary with nothing: masks, places, and arrays made with the namespace of a Tensor."""

import copy
import pickle
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

import gradx as gx
from gradx.core.op import OPS

X = np.asarray([0.5, -1.5, 2.0])


def beside(x):
    return x.__array_namespace__()


def test_written_into_a_new_array_a_tensor_keeps_its_derivative():
    def f(x):
        out = beside(x).zeros_like(x)
        out[1:] = x[1:] ** 2
        out += 1.0
        return gx.sum(out * out)

    assert gx.grad(f)(X).tolist() == [0.0, *(4 * (X[1:] ** 2 + 1) * X[1:])]
    gx.testing.check_derivatives(f, X)


def test_made_beside_the_data_has_the_datas_namespace():
    def f(x):
        xp = beside(x)
        made = [xp.ones(2), xp.asarray(2.0) * 3, xp.astype(x > 0, x.dtype), xp.full_like(x, 2.0)]
        assert {beside(one) for one in made} == {xp}
        return gx.sum(x * made[2] * made[1])

    assert gx.grad(f)(X).tolist() == [6.0, 0.0, 6.0]


def test_constants_leave_transforms_as_plain_arrays():
    f = lambda x: beside(x).asarray(2.0) + 0 * beside(x).ones(3)
    linear = lambda x: gx.sum(x * beside(x).asarray([1.0, 2.0, 3.0]))
    explored = gx.tensor(X)
    linear(explored).backward()

    left = [
        gx.vjp(f, X)[0],
        *gx.jvp(f, (X,), (X,)),
        gx.vmap(f)(X[None]),
        gx.vmap(lambda x: x > 0)(X[None]),
        gx.value_and_grad(lambda x: (linear(x), f(x)), has_aux=True)(X)[0][1],
        gx.grad(linear)(X),
        gx.hessian(lambda x: linear(x) ** 2)(X),
        explored.grad,
    ]

    assert {type(one) for one in left} == {np.ndarray}


INNER = {
    "grad": gx.grad(gx.sum),
    "value_and_grad": lambda x: gx.value_and_grad(gx.sum)(x)[1],
    "vjp": lambda x: gx.vjp(lambda y: y * 0.5, x)[1](np.ones(3))[0],
    "jvp": lambda x: gx.jvp(lambda y: 2.0 * y, (x,), (np.ones(3),))[1],
    "linearize": lambda x: gx.linearize(lambda y: 2.0 * y, x)[1](np.ones(3)),
    "jacobian": lambda x: gx.jacobian(lambda y: 2.0 * y)(x)[0],
    "hessian": lambda x: gx.hessian(lambda y: gx.sum(y * y))(x)[0],
    "hvp": lambda x: gx.hvp(lambda y: gx.sum(y * y), (x,), (np.ones(3),)),
    "vmap": gx.vmap(lambda y: beside(y).asarray(2.0)),
}


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("outer", [gx.grad, lambda f: lambda x: gx.jvp(f, (x,), (x,))[1]])
def test_inner_result_that_varies_with_nothing_is_written_to_like_any_other(outer, inner):
    def f(x):
        result = INNER[inner](x)
        assert beside(result) is beside(x)
        result[0] = x[0] ** 2
        return gx.sum(result)

    expected = gx.sum(2 * X[0] * X[0]) if outer is not gx.grad else [2 * X[0], 0, 0]
    assert np.array_equal(outer(f)(X), expected)


# What transforms make of an array that does not vary, in a function that is differentiated.
MADE_OF_ONE = {
    "grad": gx.grad(lambda y: gx.sum(y**3)),
    "grad of another": lambda c: gx.grad(lambda y, z: gx.sum(y**2 * z))(np.ones(3), c),
    "hessian": lambda c: gx.hessian(lambda y: gx.sum(y**3))(c)[0],
    "jacobian": lambda c: gx.jacobian(lambda y: y * gx.sum(y))(c)[0],
    "hvp": lambda c: gx.hvp(lambda y: gx.sum(y**3), (c,), (c,)),
    "jvp": lambda c: gx.jvp(gx.sin, (c,), (c,))[1],
    "vjp": lambda c: gx.vjp(gx.sin, c)[1](np.ones(3))[0],
    "value of vjp": lambda c: gx.vjp(gx.sin, c)[0],
    "linearize": lambda c: gx.linearize(gx.sin, c)[1](np.ones(3)),
    "vmap": gx.vmap(gx.sin),
    "checkpoint": gx.checkpoint(gx.sin),
    "map of a gradient": gx.vmap(gx.grad(gx.sin)),
}


@pytest.mark.parametrize("made", MADE_OF_ONE.values(), ids=MADE_OF_ONE)
def test_what_a_transform_makes_of_a_constant_is_written_to(made):
    def f(x):
        out = made(gx.astype(x > 0, x.dtype))
        out[1:] = x[1:] ** 2
        return gx.sum(out)

    expected = [0.0, *(2 * X[1:])]

    assert gx.grad(f)(X).tolist() == expected
    assert gx.jvp(f, (X,), (np.ones(3),))[1] == sum(expected)
    assert type(made(X)) is np.ndarray


def test_constants_may_become_numbers_and_plain_arrays():
    one = beside(gx.tensor(X)).ones(())
    array = beside(gx.tensor(X)).ones(2)

    assert (float(one), int(one), bool(one)) == (1.0, 1, True)
    assert np.asarray(array).tolist() == [1.0, 1.0]


def test_write_to_a_constant_does_not_reach_what_was_computed_from_it():
    def f(x):
        step = beside(x).asarray(8.0)
        total = step * x
        step /= 2.0
        return total + step * x**2

    assert gx.grad(f)(np.asarray(3.0)) == 8.0 + 4.0 * 2 * 3.0


@pytest.mark.parametrize(
    "derive", [gx.grad, lambda f: lambda x: gx.jvp(f, (x,), (np.ones_like(x),))[1]]
)
def test_write_to_a_tensor_of_an_outer_transform_does_not_reach_an_inner_tape(derive):
    def outer(x):
        factor = x * 1.0

        def inner(y):
            nonlocal factor
            product = factor * y * y
            factor /= 2.0
            return product

        return derive(inner)(np.asarray(3.0))  # 2 * factor * y

    assert gx.grad(outer)(np.asarray(2.0)) == 6.0


def test_zero_that_code_makes_is_structural():
    f = lambda x: gx.sum(beside(x).zeros(2) * gx.sqrt(x) + x)

    assert gx.grad(f)(np.zeros(2)).tolist() == [1.0, 1.0]
    assert gx.jvp(f, (np.zeros(2),), (np.ones(2),))[1] == 2.0


def everything_about(x):
    """Return all kinds of things that have no derivative but are made of ``x``."""
    return {
        "a comparison": x > 0,
        "of two": x <= x[::-1],
        "a test": gx.isfinite(x),
        "a place": gx.argmax(x),
        "an order": gx.argsort(x),
        "places": gx.nonzero(x)[0],
        "a count": gx.count_nonzero(x > 0),
        "whole numbers": gx.astype(x, "int64"),
        "truths": gx.astype(x, "bool"),
        "a sum of whole numbers": gx.sum(x > 0, dtype="int32"),
        "of NumPy": np.digitize(x, [0.0, 1.0]),
        "a constant": gx.stop_gradient(x),
        "zeros": np.zeros_like(x),
    }


@pytest.mark.parametrize("name", everything_about(X))
def test_what_is_made_of_a_tensor_has_its_namespace(name):
    def f(x):
        made = everything_about(x)[name]
        assert beside(made) is beside(x)
        return gx.sum(x), made

    for _, left in (
        gx.value_and_grad(f, has_aux=True)(X)[0],
        gx.jvp(f, (X,), (X,))[0],
        gx.vjp(f, X)[0],
    ):
        assert type(left) is not gx.Tensor
        np.testing.assert_array_equal(left, everything_about(X)[name])


def test_code_that_knows_only_numpy_takes_masks_and_places():
    def f(x):
        mask, place = x > 0, gx.argmax(x)
        plain = np.asarray([1.0, 2.0, 3.0])
        plain[mask] = 5.0
        plain += mask
        counted = np.add(mask, mask, out=np.zeros(3, dtype=int), dtype=int, casting="unsafe")
        assert plain.tolist() == [6.0, 2.0, 6.0]
        assert counted.tolist() == np.add(X > 0, X > 0, dtype=int).tolist()
        assert plain[mask].tolist() == plain[X > 0].tolist() == [6.0, 6.0]
        assert [plain[place], "abc"[place], len(range(place)), int(place)] == [6.0, "c", 2, 2]
        assert f"{mask.astype(float).mean():.2f} {place}" == "0.67 2"
        assert (bool(mask.any()), mask.tolist(), mask.sum().item()) == (
            True,
            [True, False, True],
            2,
        )
        assert str(mask) == str(X > 0)
        assert mask.real.tolist() == mask.conj().tolist() == mask.tolist()
        assert mask.item(1) is False
        assert ["a"] * place + [0] * mask.sum() == ["a", "a", 0, 0]
        assert [np.arange(place).size, np.zeros((place, 3)).shape] == [2, (2, 3)]
        assert (mask & np.asarray([True, True, False])).tolist() == (~~mask & (X < 1)).tolist()
        return gx.sum(x[place:] * x[mask][1:] + x[place] * plain[place])

    assert gx.grad(f)(X).tolist() == [0.0, 0.0, 2 * 2.0 + 6.0]


def test_masks_are_written_to():
    def f(x):
        mask = x > 0
        mask[0] = False
        mask |= X < 0
        return gx.sum(gx.where(mask, x**2, 0.0))

    assert gx.grad(f)(X).tolist() == [0.0, -3.0, 4.0]


@pytest.mark.parametrize("copied", [lambda m: m.copy(), np.copy, lambda m: m.flatten()])
def test_copies_of_masks_are_written_to_alone(copied):
    mask = gx.tensor(X) > 0

    other = copied(mask)
    other[0] = False

    assert (mask.tolist(), other.tolist()) == ([True, False, True], [False, False, True])


def test_numpy_computes_what_varies_with_nothing_by_itself():
    def f(x):
        counts, edges = np.histogram(gx.stop_gradient(x), bins=2)
        return gx.sum(x * counts[1] + edges[-1])

    assert gx.grad(f)(X).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_of_masks_are_masks(copied):
    mask = gx.tensor(X) > 0

    other = copied(mask)

    assert copied(beside(mask)) is beside(mask)
    assert beside(other) is beside(mask)
    assert other.tolist() == mask.tolist()


def test_a_mask_that_has_views_is_pickled_without_them():
    mask = gx.tensor(X) > 0
    view = mask[:2]

    assert pickle.loads(pickle.dumps(mask)).tolist() == mask.tolist()
    assert pickle.loads(pickle.dumps(view)).tolist() == view.tolist()


def test_memory_of_masks_is_not_lent():
    mask = gx.tensor(X) > 0

    lent = np.from_dlpack(mask)
    if lent.flags.writeable:
        lent[0] = False

    assert mask.tolist() == [True, False, True]


def test_whole_numbers_have_no_derivative():
    f = lambda x: gx.sum(gx.astype(gx.astype(x, "int64"), "float64") * x)
    counted = lambda x: gx.astype(gx.sum(x, dtype="int64"), "float64") * x[0]

    assert gx.grad(f)(X).tolist() == [0.0, -1.0, 2.0]
    assert gx.jvp(f, (X,), (np.ones(3),))[1] == 1.0
    assert gx.grad(counted)(X).tolist() == [float(np.sum(X, dtype="int64")), 0.0, 0.0]


def test_a_choice_by_a_mask_is_not_captured():
    choosing = lambda x: x if (x > 0).any() else -x
    inside = lambda x: gx.grad(lambda y: gx.sum(choosing(y)))(x)

    for f in (choosing, inside):
        with pytest.raises(gx.errors.CaptureError, match="asks for the number"):
            gx.capture(f)(X)


def test_masks_in_mapped_and_captured_functions():
    f = lambda x: gx.where((x > 0) & beside(x).asarray([True, True, False]), x, 0.0)

    graph = gx.capture(lambda x: gx.grad(lambda y: gx.sum(f(y) ** 2))(x))(X)

    assert gx.vmap(f)(np.stack([X, -X])).tolist() == [[0.5, 0.0, 0.0], [0.0, 1.5, 0.0]]
    assert graph(-X).tolist() == [0.0, 3.0, 0.0]


@pytest.mark.parametrize("read", [lambda x: x[0].item(), lambda x: x.tolist()[0]])
def test_a_number_is_not_read_without_its_derivative(read):
    for differentiate in (gx.grad, lambda f: lambda x: gx.jvp(f, (x,), (x,))):
        with pytest.raises(gx.errors.TrackedError, match="would lose its derivative"):
            differentiate(lambda x: read(x) * gx.sum(x))(X)
    assert read(gx.tensor(X)) == 0.5


def test_counts_are_added_in_place_in_their_own_dtype():
    counts = gx.astype(gx.tensor(X) > 0, "int32")

    counts += gx.sum(counts, dtype="int64")

    assert (counts.dtype, counts.tolist()) == (np.int32, [3, 2, 3])


def test_an_order_that_is_a_tensor_sorts_for_a_search():
    values = np.asarray([3.0, 1.0, 2.0])

    def loss(x):
        place = gx.searchsorted(values, 2.5, sorter=gx.argsort(x))
        return gx.sum(x) * int(place)

    assert np.array_equal(gx.grad(loss)(values), [2.0] * 3)


def test_count_of_all_is_an_array_where_numpy_has_pythons_number():
    old = SimpleNamespace(asarray=np.asarray, count_nonzero=lambda x, **settings: 3)

    count = OPS["count_nonzero"].forward(old, X)

    assert (count.shape, count.tolist()) == ((), 3)


def test_memory_of_a_constant_is_shared_with_numpys_array_of_it():
    def f(x):
        out = beside(x).zeros(3)
        view, before = out[1:], x * out
        np.asarray(out)[:] = [5.0, 6.0, 7.0]
        np.asarray(view)[1] = 8.0
        assert (out.tolist(), view.tolist()) == ([5.0, 6.0, 8.0], [6.0, 8.0])
        return gx.sum(before + x * out)

    assert gx.grad(f)(X).tolist() == [5.0, 6.0, 8.0]
    assert gx.compile(gx.grad(f))(X).tolist() == [5.0, 6.0, 8.0]


def test_tape_keeps_what_a_lent_array_held():
    def f(x):
        out = beside(x).asarray([1.0, 2.0, 3.0])
        lent = np.asarray(out)
        y = x * out + x * out[::-1] + x * beside(x).reshape(out, (3,))
        lent[:] = 100.0
        return gx.sum(y) + gx.sum(x * out)

    assert gx.grad(f)(X).tolist() == [105.0, 106.0, 107.0]
    assert gx.jvp(f, (X,), (np.ones(3),))[1] == 318.0
    assert gx.compile(gx.grad(f))(X).tolist() == [105.0, 106.0, 107.0]


@pytest.mark.parametrize("copied", [np.copy, lambda x: x.copy(), partial(gx.asarray, copy=True)])
def test_what_is_written_into_numpys_array_of_a_constant_is_not_in_its_copies(copied):
    def f(x):
        out = beside(x).zeros(3)
        lent = np.asarray(out)
        copy = copied(out)
        lent[:] = 100.0
        return gx.sum(x * copy) + gx.sum(x * out)

    assert gx.value_and_grad(f)(X)[1].tolist() == [100.0, 100.0, 100.0]
    assert gx.jvp(f, (X,), (np.ones(3),))[1] == 300.0


def test_compiled_code_writes_into_a_constant():
    def f(x):
        out = beside(x).zeros(3, dtype="int64")
        ndimage.correlate(np.asarray([1, 2, 3]), np.asarray([0, 0, 1]), output=np.asarray(out))
        return gx.sum(x * out)

    assert gx.grad(f)(X).tolist() == [2.0, 3.0, 3.0]


def test_numpys_array_of_a_read_only_view_is_a_copy():
    shown = beside(gx.tensor(X)).broadcast_to(beside(gx.tensor(X)).zeros(2), (3, 2))

    np.asarray(shown)[0] = 1.0

    assert not np.any(np.asarray(shown))
