"""Random numbers: what is refused, and in which words."""

import math

import numpy as np
import pytest

from gradx import random
from gradx.errors import DeviceError, DTypeError, ShapeError
from tests.test_random import DRAWS


@pytest.mark.parametrize("seed", [-1, 2**128])
def test_key_refuses_a_seed_out_of_range(seed):
    with pytest.raises(ShapeError, match=rf"seed: expected .* 2\*\*128 - 1, got {seed}"):
        random.key(seed)


@pytest.mark.parametrize("seed", [True, np.True_, 1.0, "1", None, [1]])
def test_key_refuses_a_seed_that_is_no_integer(seed):
    with pytest.raises(DTypeError, match="seed: expected an integer, got"):
        random.key(seed)


@pytest.mark.parametrize("seed", [3, np.int32(3), np.uint64(3), np.array(3)])
def test_key_accepts_integers_of_any_kind(seed):
    assert random.key(seed).tolist() == [3, 0]


@pytest.mark.parametrize("key", [0, None, [1, 2], (1, 2), "key"])
def test_draw_refuses_what_is_no_key(key):
    with pytest.raises(DTypeError, match=r"expected a key from gx\.random\.key\(seed\), got"):
        random.normal(key, 3)


@pytest.mark.parametrize("dtype", ["int64", "float64", "uint32"])
def test_draw_refuses_a_key_of_another_dtype(dtype):
    with pytest.raises(DTypeError, match=f"uint64, got dtype {dtype}"):
        random.split(np.zeros(2, dtype=dtype))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 2)])
def test_draw_refuses_keys_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"one key, of shape \(2,\), got shape"):
        random.uniform(np.zeros(shape, dtype=np.uint64), 3)


@pytest.mark.parametrize("draw", DRAWS)
def test_draw_refuses_a_shape_that_is_none(draw):
    key = random.key(0)

    with pytest.raises(ShapeError, match=r"shape: expected .* got \(2, -1\)"):
        draw(key, (2, -1))
    for shape in (2.0, (2, 1.5), (True,), "ab", None):
        with pytest.raises(DTypeError, match="shape: expected an integer, got"):
            draw(key, shape)


@pytest.mark.parametrize("draw", DRAWS)
def test_draw_refuses_an_unknown_device(draw):
    with pytest.raises(DeviceError, match="'tpu'"):
        draw(random.key(0), 3, device="tpu")


@pytest.mark.parametrize("dtype", ["int32", "float16", "complex128", bool])
def test_floats_are_of_two_dtypes(dtype):
    for draw in (random.uniform, random.normal):
        with pytest.raises(DTypeError, match="expected float32 or float64, got"):
            draw(random.key(0), 3, dtype=dtype)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(1, 1, None), (2, 1, None), (1e8, 1e8 + 1, "float32"), (-1e308, 1e308, None)],
)
def test_uniform_refuses_an_empty_or_endless_range(low, high, dtype):
    with pytest.raises(ShapeError, match="uniform: expected low < high"):
        random.uniform(random.key(0), 3, low=low, high=high, dtype=dtype)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_must_be_finite(value):
    key = random.key(0)

    with pytest.raises(ShapeError, match="low: expected a finite number"):
        random.uniform(key, low=value)
    with pytest.raises(ShapeError, match="mean: expected a finite number"):
        random.normal(key, mean=value)
    with pytest.raises(ShapeError, match="p: expected a finite number"):
        random.bernoulli(key, value)


@pytest.mark.parametrize("value", ["1", True, None, [1.0, 2.0], 1j, np.ones(3)])
def test_numbers_must_be_numbers(value):
    with pytest.raises(DTypeError, match="std: expected "):
        random.normal(random.key(0), std=value)


def test_normal_refuses_a_negative_spread():
    with pytest.raises(ShapeError, match=r"std: expected 0 or more, got -1\.0"):
        random.normal(random.key(0), std=-1)


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_bernoulli_refuses_what_is_no_probability(p):
    with pytest.raises(ShapeError, match=f"p: expected a probability from 0 to 1, got {p}"):
        random.bernoulli(random.key(0), p)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1)])
def test_integers_refuse_an_empty_range(low, high):
    with pytest.raises(ShapeError, match=f"low < high, got low={low}, high={high}"):
        random.integers(random.key(0), low, high)


@pytest.mark.parametrize(
    ("low", "high", "dtype"), [(0, 257, "uint8"), (-1, 1, "uint8"), (0, 2**64, None)]
)
def test_integers_refuse_a_range_that_their_dtype_does_not_hold(low, high, dtype):
    with pytest.raises(ShapeError, match="does not hold all of"):
        random.integers(random.key(0), low, high, dtype=dtype)


def test_integers_refuse_other_types():
    key = random.key(0)

    with pytest.raises(DTypeError, match=r"high: expected an integer, got float 2\.5"):
        random.integers(key, 0, 2.5)
    with pytest.raises(DTypeError, match="expected an integer dtype, got float32"):
        random.integers(key, 0, 2, dtype="float32")


def test_permutation_refuses_what_has_no_rows():
    key = random.key(0)

    with pytest.raises(ShapeError, match="expected 0 or more, got -1"):
        random.permutation(key, -1)
    with pytest.raises(ShapeError, match="got shape"):
        random.permutation(key, np.array(3))
    for x in (2.5, True, "abc", [1, 2]):
        with pytest.raises(DTypeError, match="x: expected an integer"):
            random.permutation(key, x)


def test_categorical_refuses_what_are_no_logits():
    with pytest.raises(DTypeError, match=r"categorical: the logits are int64 \(2,\), expected"):
        random.categorical(random.key(0), np.asarray([1, 2]))
    with pytest.raises(DTypeError, match=r"categorical: the logits are \[0.5, 0.5\], expected"):
        random.categorical(random.key(0), [0.5, 0.5])
    with pytest.raises(
        ShapeError, match=r"categorical: expected logits \(..., classes\), got \(\)"
    ):
        random.categorical(random.key(0), np.asarray(1.0))


def test_categorical_draws_where_its_logits_are(backend):
    logits = backend.from_numpy(np.zeros((5, 3)), backend.devices()[0])

    drawn = random.categorical(random.key(0), logits)

    assert type(drawn) is type(logits)
    assert drawn.shape == (5,)
    np.testing.assert_array_equal(
        backend.to_numpy(drawn), random.categorical(random.key(0), np.zeros((5, 3)))
    )
