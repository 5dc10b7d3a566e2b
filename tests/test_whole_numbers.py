"""Functions of whole numbers, unsigned ones too, give what they give of the same floats."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim, special
from gradx.errors import DTypeError

VALUES = np.asarray([[1, 3, 2], [0, 100, 7]])
FUNCTIONS = {
    "sigmoid": nn.sigmoid,
    "silu": nn.silu,
    "softmax": nn.softmax,
    "log_softmax": nn.log_softmax,
    "logsumexp": gx.logsumexp,
    "log_expit": special.log_expit,
    "glu": lambda x: nn.glu(x[:, :2]),
    "RMSNorm": nn.RMSNorm(3, dtype="float64"),
    "LayerNorm": nn.LayerNorm(3, dtype="float64"),
    "GroupNorm": nn.GroupNorm(1, 3, dtype="float64"),
    "PReLU": nn.PReLU(3, dtype="float64"),
}


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int64", "uint64", "bool"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_whole_numbers_are_taken_for_floats(name, dtype):
    f, x = FUNCTIONS[name], VALUES.astype(dtype)

    expected = f(x.astype(np.float64))

    np.testing.assert_allclose(f(x), expected, rtol=1e-12)
    np.testing.assert_allclose(gx.compile(f)(x), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64"])
def test_a_norm_of_whole_numbers_does_not_wrap_around(dtype):
    norm = optim.global_norm({"a": VALUES.astype(dtype)})

    np.testing.assert_allclose(norm, np.linalg.norm(VALUES), rtol=1e-12)


LOSSES = [nn.mse, nn.mae, nn.huber, nn.binary_cross_entropy, nn.cosine_similarity, nn.poisson_nll]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_refuse_predictions_whose_differences_would_wrap_around(loss, dtype):
    x = np.ones((2, 3), dtype)

    with pytest.raises(DTypeError, match=rf"{loss.__name__}: \w+ are {dtype}.*floating-point"):
        loss(x, x)


def test_targets_may_be_whole_numbers():
    predictions, targets = np.asarray([1.5, 2.5]), np.asarray([200, 3], np.uint8)

    assert float(nn.mae(predictions, targets)) == (198.5 + 0.5) / 2
