"""Wrong input to any op raises TypeError, ValueError or IndexError, plain and tracked."""

from functools import partial

import numpy as np
import pytest

import gradx as gx
from gradx.core.op import COMPOSED, OPS
from tests.test_declarations import INTERNAL
from tests.test_ops import drawing

EXPECTED = (TypeError, ValueError, IndexError)
PUBLIC = [op for op in (*OPS.values(), *COMPOSED.values()) if op.name not in INTERNAL]
every_public_op = pytest.mark.parametrize("op", PUBLIC, ids=lambda op: op.name)

NOT_ARRAYS = {"text": "1.0", "object": object(), "dict": {"x": 1.0}}
WRONG_AXES = [7, -9, "rows", 0.5, (0, 0), (0, 99)]
WRONG_SHAPES = [(-3,), "wide", (2.5,), object()]


def first_sample(op):
    """Return the first sample with an array that has axes, else the first."""
    samples = list(op.samples(drawing(seed=0)))
    ranked = [s for s in samples if len(getattr(s.arrays[0], "shape", ())) > 1]
    return (ranked or samples)[0]


def raises_what_is_expected(call):
    """Return what is wrong with how ``call`` fails; ``None`` if nothing, or it does not fail."""
    try:
        call()
    except EXPECTED as error:
        return None if str(error).strip() else f"{type(error).__name__} without a message"
    except Exception as error:  # what must not be raised
        return f"{type(error).__name__}: {error}"
    return None


@every_public_op
@pytest.mark.parametrize("wrong", NOT_ARRAYS)
def test_what_is_no_array_is_refused(op, wrong):
    sample = first_sample(op)
    for position in range(len(sample.arrays)):
        arrays = list(sample.arrays)
        arrays[position] = NOT_ARRAYS[wrong]
        with np.errstate(all="ignore"):
            call = partial(op.call, *arrays, **sample.params)
            assert raises_what_is_expected(call) is None
            with pytest.raises(EXPECTED):
                call()


@every_public_op
def test_wrong_axes_are_refused(op):
    sample = first_sample(op)
    if "axis" not in sample.params and "axis" not in getattr(op, "defaults", {}):
        return
    for axis in WRONG_AXES:
        params = sample.params | {"axis": axis}
        plain = lambda params=params: op.call(*sample.arrays, **params)
        tracked = lambda params=params: gx.vjp(
            lambda *arrays: op.call(*arrays, **params), *sample.arrays
        )
        assert raises_what_is_expected(plain) is None, axis
        assert raises_what_is_expected(tracked) is None, axis


@every_public_op
def test_wrong_parameters_are_refused(op):
    sample = first_sample(op)
    for name in sample.params:
        for wrong in WRONG_SHAPES:
            params = sample.params | {name: wrong}
            call = lambda params=params: op.call(*sample.arrays, **params)
            with np.errstate(all="ignore"):
                assert raises_what_is_expected(call) is None, (name, wrong)


@every_public_op
def test_wrong_counts_are_refused(op):
    sample = first_sample(op)
    assert raises_what_is_expected(op.call) is None  # some take any number of arrays
    with pytest.raises(TypeError):
        op.call(*sample.arrays, **sample.params, no_such_parameter=1)
