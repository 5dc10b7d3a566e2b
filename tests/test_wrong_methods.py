"""Wrong arguments of derivatives, of Tensors' methods, and of what else is no function of gx.

Those of functions are in `test_wrong_functions.py`, of ops in `test_wrong_input.py`.
"""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim, train
from gradx.errors import DTypeError, OutOfMemoryError, ShapeError
from tests.test_wrong_functions import WRONG

X = np.asarray([[0.5, 1.0, 2.0], [1.5, 0.7, 0.9]])
KEY = gx.random.key(0)


def total(x):
    return gx.sum(x * x)


def pull(cotangent):
    return gx.vjp(lambda x: x * x, X)[1](cotangent)


@dataclass
class Pair:
    first: np.ndarray
    second: np.ndarray


class Unlisted(nn.Module):
    def __init__(self):
        self.weight = X


MISTAKES = {
    "arguments given to grad itself": (
        lambda: gx.grad(total, X),
        DTypeError,
        r"argnums is float64 \(2, 3\), expected an integer .* as in gx.grad\(f\)\(x\)",
    ),
    "a list of argnums": (lambda: gx.hessian(total, [0]), DTypeError, r"argnums is \[0\], exp"),
    "a name for argnums": (lambda: gx.jacobian(total, "x"), DTypeError, "argnums is 'x', expected"),
    "an argument twice": (
        lambda: gx.grad(lambda x, y: total(x), argnums=(0, -2))(X, X),
        ShapeError,
        r"argnums=\(0, -2\) names an argument twice",
    ),
    "an argument by its name": (
        lambda: gx.grad(total)(x=X),
        ShapeError,
        "argnums=0, which counts positional arguments, of which there were 0",
    ),
    "a dataclass": (
        lambda: gx.grad(lambda p: total(p.first))(Pair(X, X)),
        DTypeError,
        "neither an array nor a number: .* lists, tuples, dictionaries and gx.nn.Modules",
    ),
    "a list for a cotangent": (lambda: pull([1.0]), DTypeError, r"cotangent is \[1.0\], expected"),
    "a complex cotangent": (lambda: pull(X * 1j), DTypeError, "complex128 .*, expected real numb"),
    "a complex tangent": (
        lambda: gx.jvp(total, (X,), (X * 1j,)),
        DTypeError,
        "complex128 .*, expected real numbers",
    ),
    "a list for a tangent": (
        lambda: gx.jvp(total, (X,), ([1.0],)),
        DTypeError,
        r"the tangent .* is \[1.0\], expected an array",
    ),
    "text for a seed": (lambda: gx.tensor(X).backward("a"), DTypeError, "the seed is 'a', expec"),
    "whole numbers alone": (
        lambda: gx.testing.check_derivatives(gx.sin, np.arange(3)),
        DTypeError,
        r"expected floating-point arguments, got int64 \(3,\)",
    ),
    "single precision": (
        lambda: gx.testing.check_derivatives(gx.sin, X.astype("float32")),
        DTypeError,
        "finite differences tell nothing: expected float64",
    ),
    "a tree that holds itself": (lambda: gx.grad(total)(endless()), ShapeError, "holds itself"),
    "a tree that is saved and holds itself": (
        lambda: gx.save("never", endless()),
        ShapeError,
        "holds itself, or is nested deeper",
    ),
    "a layer with fields that are not listed": (
        Unlisted,
        DTypeError,
        "no field 'weight': it has none; a field is declared in the body .* as in weight: Any",
    ),
    "a list of layers": (
        lambda: nn.Sequential([nn.relu, nn.relu]),
        DTypeError,
        r"layers\[0\] is a list, .*: write Sequential\(\*layers\)",
    ),
    "one-hot rows": (
        lambda: nn.cross_entropy(X, X),
        ShapeError,
        r"of one-hot rows gx.argmax\(labels, axis=-1\) makes labels",
    ),
    "nested lists for data": (
        lambda: gx.data.split(([[1.0, 2.0]], X), 0.5, key=KEY),
        DTypeError,
        r"split: arrays\[0\]\[0\]\[0\] is 1.0, expected an array: gx.asarray makes one",
    ),
    "a list for a pair": (
        lambda: fit([X, X]),
        ShapeError,
        "data that is a list is a sequence of batches; a pair of arrays is a tuple",
    ),
    "logits that say nothing": (
        lambda: gx.random.categorical(KEY, np.asarray([[0.0, 1.0], [-np.inf, -np.inf]])),
        ShapeError,
        "nothing but minus infinity",
    ),
    "logits that are NaN": (
        lambda: gx.random.categorical(KEY, np.asarray([0.0, np.nan])),
        ShapeError,
        "a NaN",
    ),
    "whole numbers that are drawn": (
        lambda: gx.draw(lambda x, y: x * y, 2, 3),
        DTypeError,
        "no argument is a floating-point number .*: got 2, 3; write 2.0 for 2",
    ),
    "times": (lambda: gx.asarray(np.ones(2, "M8[s]")), DTypeError, "expected numbers or booleans"),
    "more than any memory": (lambda: gx.zeros((10**9, 10**6)), OutOfMemoryError, "zeros.*Unable"),
}


def endless():
    tree = []
    tree.append(tree)
    return tree


def fit(data):
    return train.fit(nn.Linear(3, 3, key=KEY), nn.mse, optim.sgd(0.1), data, epochs=1, key=KEY)


@pytest.mark.parametrize(("call", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_tables_are_named_by_kind_and_shape():
    Table = namedtuple("Table", "shape")

    with pytest.raises(DTypeError, match=r"the input is a Table of shape \(2, 3\), expected"):
        nn.Linear(3, 2, key=KEY)(Table((2, 3)))


def test_values_that_are_long_are_cut():
    with pytest.raises(DTypeError) as raised:
        gx.grad(total)("a" * 10_000)

    assert len(str(raised.value)) < 500


METHODS = [
    *["all", "any", "argmax", "argmin", "argsort", "astype", "backward", "clip"],
    *["compress", "cumsum", "cumprod", "diagonal", "dot", "fill", "max", "mean", "min", "prod"],
    *["repeat", "reshape", "round", "searchsorted", "sort", "squeeze", "std", "sum", "take"],
    *["to_device", "transpose", "var", "argpartition", "choose"],
]
# Arrays of a shape of their own: NumPy asks for their truth value where a setting should be.
SETTINGS = {k: v for k, v in WRONG.items() if not isinstance(v, np.ndarray)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore")
def test_methods_of_a_tensor_raise_errors_of_gradx_or_understand(method):
    for kind, value in SETTINGS.items():
        tensor = gx.tensor(X) * 1.0
        try:
            getattr(tensor, method)(value)
        except gx.GradxError:
            continue
        except Exception as error:
            pytest.fail(f"{method}({value!r}) ({kind}): {type(error).__name__}: {error}")


@pytest.mark.parametrize("choices", [{1: X[0], 0: X[1]}, {0.5, 1.5}, 3, None, np.asarray(2.0)])
def test_choices_that_have_no_order_are_refused(choices):
    which = gx.argmax(gx.tensor(X), axis=0)

    with pytest.raises(DTypeError, match=r"choose: choices are .*, expected a sequence of arrays"):
        which.choose(choices)


def test_no_choices_are_refused():
    with pytest.raises(ShapeError, match=r"choose: choices are empty"):
        gx.argmax(gx.tensor(X), axis=0).choose([])


def test_numpys_functions_name_themselves_when_they_refuse():
    with pytest.raises(gx.GradxError, match=r"np.round\(float64 \(2, 3\), 'a'\): "):
        np.round(gx.tensor(X), "a")
