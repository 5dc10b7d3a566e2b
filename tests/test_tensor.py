"""Tensor as an array object: operators, writes in place, views, and what it refuses."""

import operator

import numpy as np
import pytest

import gradx as gx


def gradient(f, *shape):
    x = np.arange(1.0, 1 + int(np.prod(shape))).reshape(shape)
    return gx.grad(lambda x: gx.sum(f(x * 1.0)))(x)


def test_the_lectures_graph():
    x, y, z = gx.tensor(-2.0, name="x"), gx.tensor(5.0, name="y"), gx.tensor(-4.0, name="z")

    q = x + y
    f = q * z
    f.backward()

    assert (q.detach(), f.detach()) == (3, -12)
    assert (x.grad, y.grad, z.grad, q.grad) == (-4, -4, 3, -4)


def test_backward_accumulates_and_none_clears():
    x = gx.tensor(3.0)

    (x * x).backward()
    (x * x).backward()
    assert x.grad == 12

    x.grad = None
    (x * x).backward()
    assert x.grad == 6


def test_unused_tensor_has_no_gradient():
    x, y = gx.tensor(1.0), gx.tensor(2.0)

    (x * x).backward()

    assert y.grad is None


def test_tape_is_freed_unless_retained():
    x = gx.tensor(3.0)
    f = x * x

    f.backward(retain_graph=True)
    f.backward()

    assert x.grad == 12
    with pytest.raises(RuntimeError, match=r"freed by an earlier backward\(\).*retain_graph=True"):
        f.backward()


@pytest.mark.parametrize("f", [gx.floor, gx.zeros_like, lambda x: gx.astype(x > 1, float)])
def test_backward_of_what_varies_with_no_tensor_gives_none_a_gradient(f):
    x = gx.tensor(np.asarray([1.0, 2.0]))

    gx.sum(f(x)).backward()
    with pytest.raises(ValueError, match="not a scalar"):
        f(x).backward()

    assert x.grad is None
    np.testing.assert_array_equal(gx.grad(lambda x: gx.sum(f(x)))(np.ones(2)), 0.0)


def test_backward_of_an_array_needs_a_seed():
    x = gx.tensor([1.0, 2.0])

    with pytest.raises(ValueError, match=r"float64 \(2,\) is not a scalar: reduce it.*seed="):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"the seed has shape \(3,\), expected \(2,\)"):
        (x * x).backward(np.ones(3))
    (x * x).backward(np.asarray([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad, [2.0, 40.0])


def test_integer_tensor_is_refused():
    with pytest.raises(TypeError, match="only floating-point and complex arrays have gradients"):
        gx.tensor(3)


def test_backward_of_a_complex_number_needs_a_seed():
    z = gx.tensor(1.0 + 2.0j)

    with pytest.raises(TypeError, match="is complex, and 1 is no more its cotangent than 1j"):
        (z * z).backward()
    (z * z).backward(1.0)

    np.testing.assert_allclose(z.grad, np.conj(2 * (1.0 + 2.0j)))


def test_backward_inside_grad_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"this one belongs to grad of"):
        gx.grad(lambda x: (x * x).backward())(1.0)


def test_write_is_differentiable():
    def f(x):
        x[1:] = x[:-1] * 2
        return x

    np.testing.assert_array_equal(gradient(f, 3), [3.0, 2.0, 0.0])


def test_write_never_overwrites_what_a_rule_kept():
    def f(x):
        y = gx.exp(x)
        y[0] = 0.0
        y *= 2
        return y

    np.testing.assert_allclose(gradient(f, 2), [0.0, 2 * np.exp(2.0)])


def test_write_with_an_operator_changes_the_tensor_under_all_its_names():
    def f(x):
        alias = x
        x += x
        return alias

    np.testing.assert_array_equal(gradient(f, 2), [2.0, 2.0])


WRITES = {
    "slice": lambda x: write(x, lambda x: x[1:]),
    "slice of a slice": lambda x: write(x, lambda x: x[1:][::-1]),
    "reshape": lambda x: write(x, lambda x: x.reshape((-1,))),
    "transpose": lambda x: write(x, lambda x: x.mT),
    "row of a transpose": lambda x: write(x, lambda x: x.T[0]),
    "permutation": lambda x: write(x, lambda x: gx.permute_dims(x, (1, 0))),
    "expanded": lambda x: write(x, lambda x: gx.expand_dims(x, axis=0)[0]),
    "flip": lambda x: write(x, lambda x: gx.flip(x, axis=0)),
}


def write(x, view):
    view(x)[0] = 9.0
    return x


@pytest.mark.parametrize("name", WRITES)
def test_write_through_a_view_reaches_its_base_as_in_numpy(name):
    x = np.arange(1.0, 7.0).reshape(2, 3)
    if name == "flip":
        expected = x.copy()
        np.flip(expected, axis=0)[0] = 9.0
    elif name in ("permutation", "expanded"):
        expected = x.copy()
        (expected.T if name == "permutation" else expected[None][0])[0] = 9.0
    else:
        expected = WRITES[name](x.copy())
    tracked = gx.tensor(x) * 1.0

    np.testing.assert_array_equal(WRITES[name](tracked).detach(), expected)
    np.testing.assert_array_equal(gradient(WRITES[name], 2, 3), np.where(expected == 9.0, 0.0, 1.0))


def test_write_to_a_base_reaches_its_live_views():
    def f(x):
        view = x[1:]
        x[2] = 5 * x[0]
        return view

    np.testing.assert_array_equal(gradient(f, 3), [5.0, 1.0, 0.0])


def test_write_to_a_copy_does_not_reach_the_original():
    x = gx.tensor([1.0, 2.0]) * 1.0
    for copy in (gx.asarray(x, copy=True), x[[0, 1]], x + 0):
        copy[0] = 7.0

    np.testing.assert_array_equal(x.detach(), [1.0, 2.0])


READS = {
    "ravel": lambda x: x.ravel(),
    "np.ravel": np.ravel,
    "ravel by columns": lambda x: x.ravel("F"),
    "reshape": lambda x: x.reshape(-1),
    "flatten": lambda x: x.flatten(),
    "real": lambda x: x.real,
    "np.real": np.real,
    "conj": lambda x: x.conj(),
    "conjugate": lambda x: x.conjugate(),
}
PLACES = {
    "all": lambda x: x[:],
    "rows": lambda x: x[1:],
    "every second column": lambda x: x[:, ::2],
    "rows from the end": lambda x: x[::-1],
    "columns from the end": lambda x: x[:, ::-1],
    "both from the end": lambda x: x[::-1, ::-1],
    "row from the end": lambda x: x[0, ::-1],
    "transposed": lambda x: x.T,
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_what_is_a_copy_and_what_a_view_is_numpys_to_say(place, read):
    def f(x):
        x = x * 1.0
        read(place(x))[...] = 9.0
        return x

    x = np.arange(12.0).reshape(3, 4)

    np.testing.assert_array_equal(gx.vjp(f, x)[0], f(x))
    np.testing.assert_array_equal(gx.vmap(f)(np.stack([x, x]))[1], f(x))


def _parts_written(x):
    z = x[:3] + 1j * x[3:]
    w = z * (2 + 1j)
    part = np.real(w)
    part[1] = x[0] ** 2
    w.imag = x[:3]
    w.imag[2] += x[1]
    w[1:].real[0] *= x[2]
    alone = w.real.copy()
    x = x * 1.0
    x.real[0] = 4.0
    return np.concatenate([w.real, np.imag(w), part, alone, x, np.real(z)])


@pytest.mark.parametrize("x", [np.arange(6.0) - 2, np.asarray([1.0, np.inf, 2.0, 3.0, 0, np.inf])])
def test_write_to_a_part_of_complex_numbers_reaches_them_and_their_other_views(x):
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(gx.vjp(_parts_written, x)[0], _parts_written(x))


def test_what_is_written_to_a_part_of_complex_numbers_is_differentiated():
    x = np.arange(6.0) - 2

    gx.testing.check_derivatives(_parts_written, x)
    jacobian = gx.jacobian(_parts_written)
    np.testing.assert_array_equal(gx.compile(jacobian)(x), jacobian(x))
    np.testing.assert_array_equal(gx.vmap(_parts_written)(x[None]), [_parts_written(x)])


def test_real_numbers_have_no_imaginary_part_to_write_to():
    with pytest.raises(TypeError, match="no imaginary part to write to"):
        (gx.tensor([1.0, 2.0]) * 1.0).imag = 3.0
    for imag in (lambda t: t.imag, np.imag):
        with pytest.raises(ValueError, match="its output is read-only"):
            imag(gx.tensor([1.0, 2.0]) * 1.0)[0] = 3.0


def test_write_to_a_broadcast_view_is_refused():
    view = gx.broadcast_to(gx.tensor([1.0, 2.0]) * 1.0, (3, 2))

    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1.0


LEAF_WRITES = {
    "write": lambda x: x.__setitem__(0, 1.0),
    "operator": lambda x: x.__iadd__(1.0),
    "view": lambda x: x[1:].__setitem__(0, 1.0),
}


@pytest.mark.parametrize("act", LEAF_WRITES.values(), ids=LEAF_WRITES)
def test_write_to_a_leaf_raises_before_anything_changes(act):
    leaf = gx.tensor([1.0, 2.0], name="w")

    with pytest.raises(
        TypeError, match="in-place write to the tensor 'w', which is being differentiated"
    ):
        act(leaf)
    np.testing.assert_array_equal(leaf.detach(), [1.0, 2.0])
    with pytest.raises(TypeError, match="in-place write to an argument of"):
        gx.grad(lambda x: act(x))(np.ones(2))


def test_write_of_another_shape_is_refused_and_changes_nothing():
    x = gx.tensor([1.0, 2.0]) * 1.0

    with pytest.raises(ValueError, match=r"\(3, 2\)"):
        x += np.ones((3, 2))
    with pytest.raises(ValueError, match="setitem"):
        x[:] = np.ones(3)
    np.testing.assert_array_equal(x.detach(), [1.0, 2.0])


def test_in_place_result_of_another_precision_is_cast_as_in_numpy():
    y = np.asarray([1.0, 2.0])

    def f(x):
        total = x * x
        total += x * y
        total *= y
        return total

    x = np.asarray([3.0, 4.0], dtype=np.float32)
    out, pullback = gx.vjp(f, x)

    np.testing.assert_array_equal(out, f(x), strict=True)
    expected = np.asarray((2 * x + y) * y, dtype=np.float32)
    np.testing.assert_array_equal(pullback(np.ones(2, np.float32))[0], expected, strict=True)


def test_in_place_result_of_another_kind_is_refused():
    with pytest.raises(TypeError, match=r"cannot hold a result of dtype complex128"):
        gx.grad(lambda x: operator.iadd(x * 1.0, 1j * np.ones(2)))(np.ones(2))


REFUSED = {
    "float": float,
    "int": int,
    "bool": bool,
    "complex": complex,
    "numpy": np.asarray,
    "if": lambda x: 1 if x else 2,
}


@pytest.mark.parametrize("use", REFUSED.values(), ids=REFUSED)
def test_leaving_the_tape_silently_is_refused(use):
    with pytest.raises(TypeError, match=r"derivative.*(detach|stop_gradient)"):
        use(gx.tensor(1.0))
    with pytest.raises(TypeError, match=r"derivative.*(detach|stop_gradient)"):
        gx.grad(lambda x: use(x) * x)(1.0)


def test_storing_in_a_plain_array_is_refused():
    with pytest.raises(ValueError, match="setting an array element") as caught:
        np.zeros(1)[0] = gx.tensor(1.0)

    assert "would lose its derivative" in str(caught.value.__cause__)
    assert "write it only into arrays that are tracked" in str(caught.value.__cause__)


def test_comparisons_steer_python():
    assert gx.grad(lambda x: x * x if x > 1 else -x)(3.0) == 6


def test_leaked_tensor_raises_and_names_its_transform():
    leaked = []

    def keep(x):
        leaked.append(x * x)
        return x

    gx.grad(keep)(1.0)

    with pytest.raises(RuntimeError, match="a Tensor outlived grad of keep, which made it"):
        leaked[0] + 1


def test_returning_a_leaked_tensor_raises():
    leaked = []
    gx.grad(lambda x: leaked.append(x) or x)(1.0)

    with pytest.raises(RuntimeError, match="a Tensor outlived"):
        gx.vjp(lambda x: leaked[0], np.asarray(1.0))


def test_repr_shows_value_and_transform():
    assert "2." in repr(gx.tensor(2.0, name="w"))
    assert "'w'" in repr(gx.tensor(2.0, name="w"))
    seen = []
    gx.grad(lambda x: seen.append(repr(x * x)) or x)(2.0)
    assert "4." in seen[0]
    assert "grad of" in seen[0]


def test_namespace_is_one_object_and_makes_arrays_beside_the_data():
    x = gx.tensor([1.0, 2.0])

    xp = x.__array_namespace__()

    assert xp is (x * x).__array_namespace__(api_version="2024.12")
    assert xp.zeros(2).__array_namespace__() is xp
    assert xp.sin is gx.sin
    assert hash(xp) == hash(xp)
    assert "gradx" in xp.__name__


def test_array_attributes():
    x = gx.tensor(np.ones((2, 3)))

    assert (x.shape, x.ndim, x.size, x.dtype, x.device, len(x)) == (
        (2, 3),
        2,
        6,
        np.float64,
        "cpu",
        2,
    )
    assert x.T.shape == x.mT.shape == (3, 2)
    assert [row.shape for row in x] == [(3,), (3,)]


@pytest.mark.parametrize("name", ["strides", "flags", "base", "data", "ctypes", "nonsense"])
def test_attribute_that_tensors_lack_is_named_in_an_error_of_gradx(name):
    t = gx.tensor(np.ones(3))

    assert not hasattr(t, name)
    with pytest.raises(gx.GradxError, match=f"a Tensor has no attribute '{name}'") as error:
        getattr(t, name)
    assert ("t.detach()" in str(error.value)) == hasattr(np.ones(3), name)
