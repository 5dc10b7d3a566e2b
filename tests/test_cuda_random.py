"""Random numbers on CUDA: the bits of the CPU, from kernels that are emulated."""

import numpy as np
import pytest

import gradx as gx
from gradx.core.op import OPS
from gradx.random.philox import stream
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import assert_close, every
from tests.test_cuda_kernels import cuda as cuda

pytestmark = needs_compiler

KEYS = [gx.random.key(0), gx.random.key(2**128 - 1), gx.random.key(12345678901234567890123)]
LAWS = [
    ("bernoulli", "bool", (0,)),
    ("bernoulli", "bool", (round(0.3 * 2**32),)),
    ("bernoulli", "bool", (2**32,)),
    ("uniform", "float32", (0.0, 1.0)),
    ("uniform", "float32", (-1.0, 2.5)),
    ("uniform", "float64", (0.0, 1.0)),
    ("uniform", "float64", (-1.0, 2.5)),
    ("integers", "int64", (-3, 7)),
    ("integers", "int8", (-128, 256)),
    ("integers", "uint64", (2**63, 2**32 + 1)),
    ("integers", "int64", (-(2**63), 2**64)),
]


@every("count", [0, 1, 4, 1027])
@every("key", KEYS)
def test_random_bits_are_those_of_the_cpu(key, count, cuda):
    with stream(key) as generator:
        expected = generator.random_raw(count)

    words = cuda(cuda.modules.random_numbers.random_words, key, count)

    assert np.array_equal(words, expected)


def test_counter_carries_into_its_second_word(cuda):
    key, first = gx.random.key(1), 2**64 - 2
    with stream(key, 0, first) as generator:
        expected = generator.random_raw(16)

    words = cuda(cuda.modules.random_numbers.random_words, key, 16, first=first)

    assert np.array_equal(words, expected)


@every("data", [0, 7, 2**64 - 1, 2**64, 2**128 - 1])
def test_child_keys_are_those_of_the_cpu(data, cuda):
    key = gx.random.key(5)

    assert np.array_equal(cuda(cuda.kernel("folded_key"), key, data), gx.random.fold_in(key, data))
    assert np.array_equal(cuda(cuda.kernel("child_keys"), key, count=3), gx.random.split(key, 3))


@every("shape", [(), (1,), (3, 5), (1000,)])
@pytest.mark.parametrize(("law", "dtype", "numbers"), LAWS)
def test_random_numbers_are_those_of_the_cpu(law, dtype, numbers, shape, cuda):
    params = {"law": law, "drawn_dtype": dtype, "numbers": numbers, "shape": shape}

    out = cuda(cuda.kernel("random_numbers"), KEYS[2], **params)

    assert np.array_equal(out, OPS["random_numbers"].run((KEYS[2],), params))


def test_uniform_numbers_stay_below_their_limit(cuda):
    params = {"law": "uniform", "drawn_dtype": "float32", "numbers": (1.0, 1.0 + 2**-23)}

    out = cuda(cuda.kernel("random_numbers"), KEYS[0], shape=(100,), **params)

    assert np.array_equal(out, np.ones(100))


@every("dtype", ["float32", "float64"])
@every("count", [1, 2, 777])
def test_normal_numbers_are_those_of_the_cpu_to_rounding(count, dtype, cuda):
    numbers = (-1.5, 3.0)
    params = {"law": "normal", "drawn_dtype": dtype, "numbers": numbers, "shape": (count,)}

    out = cuda(cuda.kernel("random_numbers"), KEYS[1], **params)

    assert_close(out, OPS["random_numbers"].run((KEYS[1],), params).astype(float), dtype)


def test_permutation_is_that_of_the_cpu(cuda):
    params = {"law": "permutation", "drawn_dtype": "int64", "shape": (50,)}

    out = cuda(cuda.kernel("random_numbers"), KEYS[1], **params)

    assert np.array_equal(out, gx.random.permutation(KEYS[1], 50))


def test_random_numbers_go_where_they_are_asked_for(cuda):
    params = {"law": "uniform", "drawn_dtype": "float64", "numbers": (0.0, 1.0), "shape": (3,)}
    key = cuda.put(KEYS[0])

    def draw(device):
        return cuda.kernel("random_numbers")(cuda.backend.xp, key, **params, device=device)

    assert cuda.backend.device_of(draw(None)) == "cuda:0"
    assert cuda.backend.device_of(draw("cuda:1")) == "cuda:1"
    assert type(draw("cpu")) is np.ndarray
    assert np.array_equal(draw("cpu"), draw("cuda:1"))


@every("dtype", ["float64", "float32"])
@every("rate", [0.0, 0.4])
@every("shape", [(), (7, 9), (0,), (3000,)])
def test_dropout_is_that_of_the_layer_and_its_own_derivative(shape, rate, dtype, cuda):
    x, key = np.random.default_rng(6).normal(size=shape).astype(dtype), gx.random.key(3)
    drop = gx.nn.Dropout(rate)
    dropout = cuda.modules.dropout.dropout

    out = cuda(dropout, x, key, rate=rate)
    pulled = cuda(dropout, np.ones_like(x), key, rate=rate)

    expected = drop(x, key=key, train=True)
    assert np.array_equal(out, expected)
    _, pullback = gx.vjp(lambda x: drop(x, key=key, train=True), x)
    assert np.array_equal(pulled, pullback(np.ones_like(x))[0])
