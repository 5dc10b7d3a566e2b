"""Recurrent layers: torch's on the same parameters, and what each promises beside."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import ShapeError
from tests.against_torch import TOLERANCE, assert_agrees, randomized

KEY = gx.random.key(0)
DOUBLE = {"key": KEY, "dtype": "float64"}
X = np.ones((2, 3, 4))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def recurrent(name, module, **options):
    """Return how the layer is made of torch's parameters, whose second bias is zero but for n."""
    layer = getattr(nn, name)(3, 4, **options, **DOUBLE)
    with_bias = name == "GRU"
    module.bias_hh_l0.data[: (8 if with_bias else None)] = 0

    def make(get):
        fields = {
            "weight": get("weight_ih_l0").T,
            "recurrent": get("weight_hh_l0").T,
            "bias": get("bias_ih_l0"),
        }
        if with_bias:
            fields["recurrent_bias"] = get("bias_hh_l0")[8:]
        return layer.replace(**fields)

    return make


@pytest.mark.parametrize("name", GATES)
def test_recurrent_layers_are_torchs(torch, name):
    module = randomized(torch, getattr(torch.nn, name)(3, 4, batch_first=True))

    assert_agrees(
        torch,
        module,
        recurrent(name, module),
        lambda m, x: m(x),
        lambda m, x: m(x)[0],
        drawn(2, 5, 3),
    )


@pytest.mark.parametrize("name", ["RNN", "GRU"])
def test_a_given_state_and_the_last_one_are_torchs(torch, name):
    module = randomized(torch, getattr(torch.nn, name)(3, 4, batch_first=True))

    assert_agrees(
        torch,
        module,
        recurrent(name, module),
        lambda m, x, state: m.run(x, state)[1],
        lambda m, x, state: m(x, state[None])[1][0],
        drawn(2, 5, 3),
        drawn(2, 4),
    )


def test_a_given_state_and_the_last_one_of_lstm_are_torchs(torch):
    module = randomized(torch, torch.nn.LSTM(3, 4, batch_first=True))

    def theirs(module, x, hidden, cell):
        _, (hidden, cell) = module(x, (hidden[None], cell[None]))
        return torch.cat([hidden[0], cell[0]])

    assert_agrees(
        torch,
        module,
        recurrent("LSTM", module),
        lambda m, x, hidden, cell: gx.concat(m.run(x, (hidden, cell))[1]),
        theirs,
        drawn(2, 5, 3),
        drawn(2, 4, seed=1),
        drawn(2, 4, seed=2),
    )


def test_an_activation_other_than_tanh_is_torchs(torch):
    module = randomized(torch, torch.nn.RNN(3, 4, nonlinearity="relu", batch_first=True))

    assert_agrees(
        torch,
        module,
        recurrent("RNN", module, activation=nn.relu),
        lambda m, x: m(x),
        lambda m, x: m(x)[0],
        drawn(2, 5, 3),
    )


@pytest.mark.parametrize("name", GATES)
def test_reverse_is_the_layer_on_the_reversed_sequence(name):
    forward, backward = (getattr(nn, name)(3, 4, reverse=r, **DOUBLE) for r in (False, True))
    x = drawn(2, 5, 3)

    np.testing.assert_array_equal(backward(x), forward(x[:, ::-1])[:, ::-1])


@pytest.mark.parametrize("name", GATES)
def test_a_sequence_may_be_gone_through_in_parts(name):
    layer, x = getattr(nn, name)(3, 4, **DOUBLE), drawn(2, 6, 3)

    first, state = layer.run(x[:, :4])
    second, state = layer.run(x[:, 4:], state)

    np.testing.assert_allclose(np.concatenate([first, second], 1), layer(x), **TOLERANCE)


def test_recurrent_weights_are_orthogonal():
    layer = nn.LSTM(3, 4, **DOUBLE)

    np.testing.assert_allclose(layer.recurrent @ layer.recurrent.T, np.eye(4), atol=1e-12)


WRONG = {
    "rnn input": (lambda: nn.RNN(3, 2, key=KEY)(X), ShapeError, r"RNN: .*\(samples, steps, 3\)"),
    "no step": (lambda: nn.GRU(4, 2, key=KEY)(X[:, :0]), ShapeError, "GRU: .*a step or more"),
    "rnn state": (
        lambda: nn.RNN(4, 2, key=KEY)(X, np.ones((2, 3))),
        ShapeError,
        r"RNN: expected a state of \(2, 2\)",
    ),
    "lstm state": (lambda: nn.LSTM(4, 2, key=KEY)(X, X), ShapeError, r"\(hidden, cell\)"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()
