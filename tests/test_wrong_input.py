"""Wrong input to any op raises an error of gradx, plain, tracked and mapped over."""

import inspect
from functools import partial

import numpy as np
import pytest

import gradx as gx
from gradx.core.op import COMPOSED, OPS
from tests.test_declarations import INTERNAL
from tests.test_ops import drawing

PUBLIC = [op for op in (*OPS.values(), *COMPOSED.values()) if op.name not in INTERNAL]
every_public_op = pytest.mark.parametrize("op", PUBLIC, ids=lambda op: op.name)

NOT_ARRAYS = {
    "text": "1.0",
    "object": object(),
    "dict": {"x": 1.0},
}
PERHAPS_ARRAYS = {
    "nothing": None,
    "list": [1.0, 2.0],
    "strings": np.asarray(["a"]),
    "objects": np.asarray([object()]),
    "integers": np.arange(6).reshape(2, 3),
    "booleans": np.ones((2, 3), dtype=bool),
    "complex": np.ones((2, 3)) * 1j,
    "no axis": np.asarray(1.5),
    "five axes": np.ones((1, 2, 1, 3, 1)),
    "another shape": np.ones((7, 11)),
}
WRONG_PARAMETERS = {
    "nothing": None,
    "text": "rows",
    "fraction": 0.5,
    "negative": -9,
    "large": 99,
    "huge": 10**30,
    "object": object(),
    "pair": (0, 0),
    "beyond": (0, 99),
    "list": [3],
    "array": np.ones(2),
    "nested": ((1,),),
    "empty": (),
}


def first_sample(op):
    """Return the first sample with an array that has axes, else the first."""
    samples = list(op.samples(drawing(seed=0)))
    ranked = [s for s in samples if len(getattr(s.arrays[0], "shape", ())) > 1]
    return (ranked or samples)[0]


def assert_explained(call, *what):
    """Fail if ``call`` raises an error that is not gradx's; it may also understand."""
    try:
        with np.errstate(all="ignore"):
            call()
    except gx.GradxError as error:
        if not str(error).strip():
            pytest.fail(f"{what}: an error without a message")
    except Exception as error:
        pytest.fail(f"{what}: {type(error).__name__}: {error}")


def may_vary(array):
    return isinstance(array, np.ndarray) and array.dtype.kind in "fc"


def in_every_way(op, arrays, params):
    """Yield how a call may be made: of plain arrays, and of each array tracked or mapped over."""
    yield "plain", partial(op.call, *arrays, **params)
    for position in filter(lambda i: may_vary(arrays[i]), range(len(arrays))):

        def of_one(array, position=position):
            full = list(arrays)
            full[position] = array
            return op.call(*full, **params)

        yield "tracked", partial(gx.vjp, of_one, arrays[position])
        yield "mapped", partial(gx.vmap(of_one), np.stack([arrays[position]] * 2))


@every_public_op
@pytest.mark.filterwarnings("ignore")
def test_wrong_arrays_are_refused_or_understood(op):
    sample = first_sample(op)
    for position, right in enumerate(sample.arrays):
        for kind, wrong in (NOT_ARRAYS | PERHAPS_ARRAYS).items():
            arrays = list(sample.arrays)
            arrays[position] = [wrong] if isinstance(right, list) else wrong
            for way, call in in_every_way(op, arrays, sample.params):
                assert_explained(call, position, kind, way)


@every_public_op
@pytest.mark.parametrize("wrong", NOT_ARRAYS)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_array_is_refused(op, wrong):
    sample = first_sample(op)
    for position in range(len(sample.arrays)):
        arrays = list(sample.arrays)
        arrays[position] = NOT_ARRAYS[wrong]
        with pytest.raises(gx.GradxError):
            op.call(*arrays, **sample.params)


def parameters_of(op, sample):
    names = {name.removeprefix("_") for name in getattr(op, "defaults", {})}
    positions = list(inspect.signature(op.call).parameters.values())[len(sample.arrays) :]
    named = {p.name for p in positions if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    return {*names, *sample.params, *(named if op.name in COMPOSED else ())}


@every_public_op
@pytest.mark.filterwarnings("ignore")
def test_wrong_parameters_are_refused_or_understood(op):
    sample = first_sample(op)
    for name in parameters_of(op, sample):
        for kind, wrong in WRONG_PARAMETERS.items():
            for way, call in in_every_way(op, sample.arrays, sample.params | {name: wrong}):
                assert_explained(call, name, kind, way)


@every_public_op
def test_wrong_counts_are_refused(op):
    sample = first_sample(op)
    accepts_none = {"broadcast_arrays", "meshgrid"}
    if op.name not in accepts_none:
        with pytest.raises(TypeError):
            op.call()
    with pytest.raises(TypeError):
        op.call(*sample.arrays, **sample.params, no_such_parameter=1)
