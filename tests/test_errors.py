"""What a wrong call says: the op, the values it was given, and what is allowed."""

import array_api_strict as strict
import numpy as np
import pytest

import gradx as gx
from gradx.errors import GradxError, OutOfMemoryError

single = np.ones((2, 3), np.float32)

# name: (call, built-in that a caller expects, words of the message)
WRONG_CALLS = {
    "shapes that do not broadcast": (
        lambda: gx.add(np.ones((2, 3)), np.ones(4)),
        ValueError,
        r"add.*\(2, 3\).*\(4,\)",
    ),
    "matrices that do not fit": (
        lambda: gx.matmul(np.ones((128, 784)), np.ones((512, 10))),
        ValueError,
        r"matmul.*\(128, 784\).*\(512, 10\)",
    ),
    "matrix without an inverse": (
        lambda: gx.linalg.inv(np.ones((2, 2))),
        np.linalg.LinAlgError,
        r"inv\(float64 \(2, 2\)\): Singular matrix",
    ),
    "tracked matrix without a factor": (
        lambda: gx.grad(lambda x: gx.sum(np.linalg.cholesky(x)))(-np.eye(2)),
        np.linalg.LinAlgError,
        r"cholesky.*not positive definite",
    ),
    "reshape to another size": (
        lambda: gx.reshape(np.ones(6), (4,)),
        ValueError,
        r"reshape.*\(6,\).*\(4,\)",
    ),
    "axis that does not exist": (
        lambda: gx.sum(single, axis=2),
        IndexError,
        r"sum.*float32 \(2, 3\).*2",
    ),
    "axis that does not exist, as a value": (
        lambda: gx.sum(single, axis=-3),
        ValueError,
        r"sum.*float32 \(2, 3\).*-3",
    ),
    "index out of bounds": (
        lambda: gx.getitem(np.ones(3), 3),
        IndexError,
        r"index 3 .*size 3",
    ),
    "a list where an array is expected": (
        lambda: gx.sin([1.0, 2.0]),
        TypeError,
        r"expected an array, got 'list'.*gx\.asarray",
    ),
    "a string where an array is expected": (
        lambda: gx.sin("1.0"),
        TypeError,
        r"expected an array, got 'str'",
    ),
    "arrays of two libraries": (
        lambda: gx.add(np.ones(2), strict.ones(2)),
        gx.DeviceError,
        r"add: arrays on numpy and strict; move one with gx\.to_device",
    ),
    "arrays of two devices": (
        lambda: gx.add(
            strict.ones(2, device=strict.Device("CPU_DEVICE")),
            strict.ones(2, device=strict.Device("device1")),
        ),
        gx.DeviceError,
        r"add: arrays on .*CPU_DEVICE and .*device1",
    ),
    "a boolean for a number": (
        lambda: gx.negative(np.asarray([True])),
        TypeError,
        r"negative\(bool \(1,\)\)",
    ),
    "gradient of an array": (
        lambda: gx.grad(lambda x: x * x)(single),
        ValueError,
        r"must return a scalar, got float32 \(2, 3\): reduce it, as in gx\.sum",
    ),
    "gradient of an integer result": (
        lambda: gx.grad(lambda x: gx.argmax(x))(single),
        TypeError,
        r"must return a floating-point scalar, got int64 \(\)",
    ),
    "gradient of something else": (
        lambda: gx.grad(lambda x: "loss")(single),
        TypeError,
        r"must return a scalar array, got str",
    ),
    "gradient of a complex result": (
        lambda: gx.grad(lambda z: z * z)(1j),
        TypeError,
        r"complex128 \(\).*holomorphic=True",
    ),
    "gradient by an integer": (
        lambda: gx.grad(lambda n: n * 1.0)(np.asarray(3)),
        TypeError,
        r"argument 0 \(n\) is int64 \(\): only floating-point",
    ),
    "gradient by an integer in a tree": (
        lambda: gx.grad(lambda p, x: x, argnums=0)({"w": [single, np.asarray(3)]}, 1.0),
        TypeError,
        r"argument 0 \(p\['w'\]\[1\]\) is int64 \(\)",
    ),
    "gradient by an argument that is not there": (
        lambda: gx.grad(lambda x: x, argnums=1)(1.0),
        ValueError,
        r"argnums=1, which counts positional arguments, of which there were 1",
    ),
    "auxiliary value that is not there": (
        lambda: gx.grad(lambda x: x, has_aux=True)(1.0),
        TypeError,
        r"has_aux=True expects a pair \(value, anything\), got Tensor",
    ),
    "auxiliary value of a tangent that is not there": (
        lambda: gx.jvp(lambda x: x, (single,), (single,), has_aux=True),
        TypeError,
        r"jvp of <lambda>: has_aux=True expects a pair \(value, anything\), got Tensor",
    ),
    "cotangent of another shape": (
        lambda: gx.vjp(lambda x: x * x, single)[1](np.ones(3)),
        ValueError,
        r"the cotangent has shape \(3,\), expected \(2, 3\)",
    ),
    "cotangent of another structure": (
        lambda: gx.vjp(lambda x: (x, x), single)[1]([single]),
        ValueError,
        r"the cotangent's structure differs",
    ),
    "tangent of another shape": (
        lambda: gx.jvp(gx.sin, (single,), (np.ones(3),)),
        ValueError,
        r"the tangent of float32 \(2, 3\) has shape \(3,\), expected \(2, 3\)",
    ),
    "tangents of another structure": (
        lambda: gx.jvp(lambda x: x[0], ((single, single),), ((single,),)),
        ValueError,
        r"jvp of <lambda>: the structure of the tangents differs from that of the primals",
    ),
    "tangent of another shape to a linearized function": (
        lambda: gx.linearize(gx.sin, single)[1](np.ones(3)),
        ValueError,
        r"linearize of sin: the tangent of float32 \(2, 3\) has shape \(3,\), expected \(2, 3\)",
    ),
    "tangents of another number to a linearized function": (
        lambda: gx.linearize(lambda x, y: x * y, single, single)[1](single),
        ValueError,
        r"linearize of <lambda>: the structure of the tangents differs",
    ),
    "tangents of another number": (
        lambda: gx.jvp(gx.sin, (single,), (single, single)),
        ValueError,
        r"1 primals, but 2 tangents",
    ),
    "primals that are no tuple": (
        lambda: gx.jvp(gx.sin, single, single),
        TypeError,
        r"primals and tangents are tuples",
    ),
    "unknown device": (
        lambda: gx.asarray([1.0], device="tpu"),
        gx.DeviceError,
        r"unknown device 'tpu': expected 'cpu', 'cuda'",
    ),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_call_is_explained(name):
    call, built_in, words = WRONG_CALLS[name]

    with pytest.raises(built_in, match=words) as caught:
        call()
    assert isinstance(caught.value, gx.GradxError)


@pytest.mark.parametrize("name", list(WRONG_CALLS)[:6])
def test_wrong_call_is_explained_inside_a_transform_too(name):
    call, built_in, words = WRONG_CALLS[name]

    def f(x):
        call()
        return x

    with pytest.raises(built_in, match=words):
        gx.grad(f)(1.0)


def test_error_in_a_tracked_op_names_the_plain_arrays():
    with pytest.raises(ValueError, match=r"add.*\(3,\).*\(4,\)"):
        gx.grad(lambda x: gx.sum(x + np.ones(4)))(np.ones(3))


def test_the_librarys_own_error_is_kept_as_the_cause():
    with pytest.raises(gx.GradxError) as caught:
        gx.add(np.ones(2), np.ones(3))

    assert isinstance(caught.value.__cause__, ValueError)


def test_result_that_does_not_fit_into_memory_names_op_and_arguments():
    huge = gx.broadcast_to(np.ones(1), (1 << 45,))

    with pytest.raises(MemoryError, match=r"add\(float64 \(35184372088832,\), 1.0\): ") as caught:
        gx.add(huge, 1.0)

    assert type(caught.value) is OutOfMemoryError
    assert isinstance(caught.value, GradxError)
    assert np.array_equal(gx.add(np.ones(2), 1.0), [2.0, 2.0])


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("make", [np.matrix, np.ma.array])
def test_arrays_whose_operators_mean_something_else_are_refused(make):
    with pytest.raises(
        gx.errors.DTypeError, match=r"is a (matrix|MaskedArray) of float64 \(1, 2\)"
    ):
        gx.grad(lambda x: gx.sum(x * x))(make([[1.0, 2.0]]))
    with pytest.raises(gx.errors.DTypeError, match=r"expected an array, got '(matrix|MaskedArray)"):
        gx.multiply(make([[1.0, 2.0]]), np.ones((1, 2)))


def test_what_only_looks_like_an_array_is_named_by_its_type():
    class Series:
        dtype, shape = np.dtype(float), (3,)

    with pytest.raises(gx.errors.DTypeError, match=r"argument 0 \(x\) is a Series of float64"):
        gx.grad(lambda x: gx.sum(x))(Series())


def test_making_an_array_of_several_says_how():
    with pytest.raises(gx.errors.TrackedError, match=r"with gx\.asarray\(\[a, b\]\) or gx\.stack"):
        gx.grad(lambda x: np.sum(np.array([x[0], x[1]])))(np.ones(2))
