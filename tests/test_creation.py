"""Making arrays: values as NumPy's, on the device asked for, Tensors kept differentiable."""

import array_api_compat.numpy as compat
import array_api_strict
import numpy as np
import pytest

from gradx import creation, dtypes
from gradx.backends import default_device, device_of
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.views import rebind
from gradx.errors import (
    AxisError,
    DeviceError,
    GradxError,
    OutOfBoundsError,
    ShapeError,
    TrackedError,
)
from gradx.ops.elementwise import add
from gradx.ops.indexing import getitem, setitem
from gradx.ops.joining import concat, meshgrid, split, stack
from gradx.ops.linalg import matmul, tensordot
from gradx.ops.moving import pad
from gradx.ops.shapes import broadcast_to, expand_dims, moveaxis, reshape, squeeze, sum
from gradx.transforms.forward import jvp
from gradx.transforms.grad import grad, vjp

CALLS = {
    "zeros": (((2, 3),), {}),
    "zeros of one length": ((2,), {}),
    "ones": (((0, 2),), {}),
    "full": (((2,), 7), {}),
    "full of floats": (((2, 2), 0.5), {}),
    "full of booleans": (((), True), {}),
    "arange": ((4,), {}),
    "arange from": ((1, 7, 2), {}),
    "arange down": ((3.0, 0.0, -0.5), {}),
    "arange of nothing": ((3, 1), {}),
    "linspace": ((0.0, 1.0, 5), {}),
    "linspace without end": ((0, 1, 4), {"endpoint": False}),
    "linspace of one": ((2.0, 3.0, 1), {}),
    "eye": ((3,), {}),
    "eye off the diagonal": ((2, 4), {"k": 1}),
}

every_call = pytest.mark.parametrize("name", CALLS)


@every_call
@pytest.mark.parametrize("device", ["cpu", "strict"])
@pytest.mark.parametrize("dtype", [None, "float32", "complex128"])
def test_values_and_dtypes_are_numpys(name, device, dtype):
    arguments, settings = CALLS[name]
    function = name.split()[0]

    made = getattr(creation, function)(*arguments, **settings, dtype=dtype, device=device)

    native = None if dtype is None else getattr(np, dtype)
    expected = getattr(compat, function)(*arguments, **settings, dtype=native)
    assert device_of(made).partition(":")[0] == device
    made = made._array if device == "strict" else made
    np.testing.assert_array_equal(made, expected, strict=True)


@every_call
def test_default_device_is_where_new_arrays_go(name):
    arguments, settings = CALLS[name]

    with default_device("strict"):
        made = getattr(creation, name.split()[0])(*arguments, **settings)

    assert isinstance(made, type(array_api_strict.asarray(0)))


LIKE = {"zeros_like": 0.0, "ones_like": 1.0, "empty_like": None, "full_like": 2.0}


@pytest.mark.parametrize(("name", "value"), LIKE.items(), ids=LIKE)
def test_like_follows_its_array_unless_told(backend, name, value):
    x = backend.from_numpy(np.ones((2, 1), dtype=np.float32), backend.devices()[0])
    arguments = (x, 2.0) if name == "full_like" else (x,)
    function = getattr(creation, name)

    same, other = function(*arguments), function(*arguments, dtype="int32", device="cpu")

    assert (type(same), same.shape, same.dtype) == (type(x), (2, 1), x.dtype)
    assert (type(other), other.shape, other.dtype) == (np.ndarray, (2, 1), np.int32)
    if value is not None:
        np.testing.assert_array_equal(backend.to_numpy(same), np.full((2, 1), value))
        np.testing.assert_array_equal(other, np.full((2, 1), value))


def test_like_a_tensor_is_a_constant():
    def f(x):
        made = [creation.zeros_like(x), creation.full_like(x, 2.0)]
        return sum(x * made[1]), made

    gradient, made = grad(f, has_aux=True)(np.ones(2))

    np.testing.assert_array_equal(gradient, [2.0, 2.0])
    assert [type(array) for array in made] == [np.ndarray, np.ndarray]


def test_full_of_a_tensor_is_differentiable_and_may_be_written_to():
    def f(c):
        made = creation.full((3,), c)
        rebind(made, setitem(made, 0.0, 0))
        return sum(made)

    assert grad(f)(np.asarray(2.0)) == 2.0


def test_linspace_between_tensors_is_differentiable():
    start, stop = np.asarray(1.0, dtype=np.float32), np.asarray(3.0, dtype=np.float32)

    out, of_start = jvp(lambda a: creation.linspace(a, stop, 5), (start,), (np.ones_like(start),))
    of_stop = vjp(lambda b: creation.linspace(start, b, 4, endpoint=False), stop)[1](
        np.ones(4, np.float32)
    )

    np.testing.assert_array_equal(out, np.linspace(1, 3, 5, dtype=np.float32), strict=True)
    np.testing.assert_array_equal(of_start, np.linspace(1, 0, 5, dtype=np.float32), strict=True)
    np.testing.assert_allclose(of_stop, [1.5])


def test_asarray_of_a_tensor_is_a_tensor():
    def f(x):
        assert creation.asarray(x) is x
        copy = creation.asarray(x * 1.0, copy=True)
        rebind(copy, setitem(copy, 0.0, 0))
        return sum(creation.asarray(copy, dtype="float64") * x)

    np.testing.assert_array_equal(grad(f)(np.asarray([1.0, 2.0], dtype=np.float32)), [0.0, 4.0])


def test_copy_of_a_tensor_is_its_own():
    def f(x):
        base = x * 1.0
        copy = creation.asarray(base, copy=True)
        assert type(copy) is Tensor
        rebind(copy, setitem(copy, 0.0, 0))
        return sum(base)

    np.testing.assert_array_equal(grad(f)(np.ones(2)), [1.0, 1.0])


def test_grid_may_be_written_to_and_its_coordinates_add_up_gradients():
    def f(x):
        rows, columns = meshgrid(x, np.ones(3), indexing="ij")
        rebind(rows, setitem(rows, 0.0, (0, 0)))
        return sum(rows * columns)

    np.testing.assert_array_equal(grad(f)(np.ones(2)), [2.0, 3.0])


def test_dlpack_shares_memory_unless_copied():
    x = np.ones(3)

    shared, copied = creation.from_dlpack(x), creation.from_dlpack(x, copy=True)
    x[0] = 5.0

    assert shared.tolist() == [5.0, 1.0, 1.0]
    assert copied.tolist() == [1.0, 1.0, 1.0]
    assert creation.from_dlpack(array_api_strict.ones(2)).tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="list does not know DLPack"):
        creation.from_dlpack([1.0])
    with pytest.raises(TypeError, match="a Tensor's memory is not lent"):
        grad(creation.from_dlpack)(np.asarray(1.0))


def test_dtypes_are_asked_about_by_name_and_by_any_librarys_dtype():
    strict = array_api_strict

    assert dtypes.isdtype("float32", "real floating")
    assert dtypes.isdtype(strict.int8, ("bool", "signed integer"))
    assert dtypes.isdtype(np.float64, strict.float64)
    assert not dtypes.isdtype(dtypes.complex64, ("integral", "real floating"))
    assert dtypes.finfo(np.ones(1, dtype=np.float32)).bits == 32
    assert dtypes.iinfo("uint8").max == 255
    assert dtypes.can_cast("float32", strict.float64)
    assert not dtypes.can_cast(np.ones(1), "float32")
    with pytest.raises(TypeError, match="'nonsense'"):
        dtypes.isdtype("nonsense", "numeric")


def test_result_type_promotes_arrays_dtypes_and_weak_numbers():
    strict = array_api_strict.ones(1, dtype=array_api_strict.float32)

    assert dtypes.result_type(np.ones(1, dtype=np.float32), 1.0) == np.float32
    assert dtypes.result_type("float32", np.float64) == np.float64
    assert dtypes.result_type(2, 1j, np.float32(1)) == np.complex64
    assert dtypes.result_type(strict, "float64") is array_api_strict.float64
    assert grad(lambda x: x * (dtypes.result_type(x, 2) == np.float32))(np.float32(1)) == 1


def test_constants_are_the_standards():
    assert (dtypes.e, dtypes.pi, dtypes.inf, dtypes.newaxis) == (np.e, np.pi, np.inf, None)
    assert dtypes.nan != dtypes.nan


X = np.ones((2, 3))
Y = np.ones((4, 3))


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (
            lambda: matmul(np.ones((128, 784)), np.ones((512, 10))),
            ShapeError,
            r"matmul: \(128, 784\) @ \(512, 10\): 784 != 512",
        ),
        (lambda: matmul(X, np.ones(2)), ShapeError, r"matmul: \(2, 3\) @ \(2,\): 3 != 2"),
        (
            lambda: matmul(X, np.ones(())),
            ShapeError,
            r"matmul: \(2, 3\) @ \(\): .* use \* for scalars",
        ),
        (lambda: add(X, Y), ShapeError, r"add: shapes \(2, 3\) and \(4, 3\) do not broadcast"),
        (
            lambda: broadcast_to(X, (3, 2)),
            ShapeError,
            r"broadcast_to\(float64 \(2, 3\), shape=\(3, 2\)\)",
        ),
        (lambda: reshape(X, (4, 2)), ShapeError, r"reshape\(float64 \(2, 3\), shape=\(4, 2\)\)"),
        (
            lambda: sum(X, axis=2),
            AxisError,
            r"sum\(float64 \(2, 3\), axis=2.*axis 2 is out of bounds",
        ),
        (
            lambda: expand_dims(X, (0, 9)),
            AxisError,
            "expand_dims: axis 9 is out of bounds for 4 dimensions",
        ),
        (lambda: moveaxis(X, (0, -2), (0, 1)), AxisError, "an axis is named twice"),
        (lambda: moveaxis(X, (0, 1), 0), ShapeError, "2 axes to move, 1 positions"),
        (lambda: squeeze(X, 0), ShapeError, "squeeze.*size not equal to one"),
        (lambda: concat([X, np.ones((2, 3, 1))]), ShapeError, "concat"),
        (
            lambda: stack([X, Y]),
            ShapeError,
            r"stack: arrays of one shape, got \(2, 3\) and \(4, 3\)",
        ),
        (lambda: concat([]), ShapeError, "concat: at least one array is needed"),
        (lambda: split(X, 2, axis=1), ShapeError, "3 elements do not make 2 equal sections"),
        (
            lambda: tensordot(X, Y, axes=((1,), (0,))),
            ShapeError,
            r"shapes \(2, 3\) and \(4, 3\) differ",
        ),
        (lambda: tensordot(X, Y, axes=3), ShapeError, "axes=3"),
        (lambda: pad(X, -1), ShapeError, "none negative, got -1"),
        (
            lambda: pad(X, 1, "mirror"),
            ShapeError,
            "unknown mode 'mirror': use one of 'constant', 'edge'",
        ),
        (lambda: getitem(X, (0, 3)), OutOfBoundsError, "3 is out of bounds for axis 1 with size 3"),
        (lambda: creation.zeros((-1,)), ShapeError, r"zeros\(\(-1,\),\)"),
        (lambda: creation.zeros(2, device="gpu"), DeviceError, "unknown device 'gpu'"),
        (lambda: creation.zeros(2, dtype="number"), TypeError, "'number'"),
        (lambda: creation.arange(0, 1, 0), ShapeError, "arange"),
        (
            lambda: grad(lambda x: sum(creation.arange(x)))(np.asarray(2.0)),
            TrackedError,
            "arange: its arguments are plain numbers",
        ),
        (
            lambda: creation.full((2,), np.ones(2)),
            ShapeError,
            r"fill_value is a number or a 0-d array, got shape \(2,\)",
        ),
    ],
)
def test_error_says_what_was_wrong(act, kind, message):
    with pytest.raises(kind, match=message) as caught:
        act()

    assert isinstance(caught.value, GradxError), describe(caught.value)
