"""Recurrent layers: torch's on the same parameters, and what each promises beside."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, ShapeError
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


@pytest.mark.parametrize("name", GATES)
def test_recurrent_layers_without_bias_are_torchs(torch, name):
    module = randomized(torch, getattr(torch.nn, name)(3, 4, bias=False, batch_first=True))
    layer = getattr(nn, name)(3, 4, bias=False, **DOUBLE)
    make = lambda get: layer.replace(weight=get("weight_ih_l0").T, recurrent=get("weight_hh_l0").T)

    assert_agrees(torch, module, make, lambda m, x: m(x), lambda m, x: m(x)[0], drawn(2, 5, 3))


def test_projection_of_lstm_is_torchs(torch):
    module = randomized(torch, torch.nn.LSTM(3, 4, proj_size=2, batch_first=True))
    module.bias_hh_l0.data[:] = 0
    layer = nn.LSTM(3, 4, outputs=2, **DOUBLE)
    make = lambda get: layer.replace(
        weight=get("weight_ih_l0").T,
        recurrent=get("weight_hh_l0").T,
        bias=get("bias_ih_l0"),
        projection=get("weight_hr_l0").T,
    )

    def theirs(module, x, hidden, cell):
        outputs, (hidden, cell) = module(x, (hidden[None], cell[None]))
        return torch.cat([outputs[:, -1], hidden[0], cell[0]], axis=1)

    def ours(model, x, hidden, cell):
        outputs, state = model.run(x, (hidden, cell))
        return gx.concat([outputs[:, -1], *state], axis=1)

    assert_agrees(torch, module, make, ours, theirs, drawn(2, 5, 3), drawn(2, 2), drawn(2, 4))


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


def stacked(kind, module):
    """Return how a ``Recurrent`` is made of torch's parameters, the second biases being zero."""
    ours = nn.Recurrent(getattr(nn, kind), 3, 4, layers=2, bidirectional=True, **DOUBLE)
    for name, parameter in module.named_parameters():
        if name.startswith("bias_hh"):
            parameter.data[: (8 if kind == "GRU" else None)] = 0

    def one(get, layer, ending):
        fields = {
            "weight": get(f"weight_ih_{ending}").T,
            "recurrent": get(f"weight_hh_{ending}").T,
            "bias": get(f"bias_ih_{ending}"),
        }
        if kind == "GRU":
            fields["recurrent_bias"] = get(f"bias_hh_{ending}")[8:]
        return layer.replace(**fields)

    def make(get):
        endings = (("l0", "l0_reverse"), ("l1", "l1_reverse"))
        rows = zip(ours.layers, endings, strict=True)
        return ours.replace(
            layers=tuple(tuple(map(one, [get] * 2, layers, names)) for layers, names in rows)
        )

    return make


@pytest.mark.parametrize("kind", GATES)
def test_layers_above_each_other_and_both_ways_are_torchs(torch, kind):
    options = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    module = randomized(torch, getattr(torch.nn, kind)(3, 4, **options))

    assert_agrees(
        torch, module, stacked(kind, module), lambda m, x: m(x), lambda m, x: m(x)[0],
        drawn(2, 5, 3),
    )  # fmt: skip


def test_states_of_all_layers_and_directions_are_torchs(torch):
    options = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    module = randomized(torch, torch.nn.GRU(3, 4, **options))

    def ours(model, x, states):
        begin = ((states[0], states[1]), (states[2], states[3]))
        return gx.stack([state for pair in model.run(x, begin)[1] for state in pair])

    assert_agrees(
        torch, module, stacked("GRU", module), ours, lambda m, x, states: m(x, states)[1],
        drawn(2, 5, 3), drawn(4, 2, 4),
    )  # fmt: skip


LENGTHS = np.asarray([3, 5, 1])


def packed(torch, module, x, *state):
    """Return torch's outputs, 0 where there is padding, and its last states."""
    lengths = torch.tensor(LENGTHS)
    pack = torch.nn.utils.rnn.pack_padded_sequence
    out, state = module(pack(x, lengths, batch_first=True, enforce_sorted=False), *state)
    return torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True)[0], state


@pytest.mark.parametrize("kind", GATES)
def test_sequences_of_different_lengths_are_those_that_torch_packs(torch, kind):
    options = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    module = randomized(torch, getattr(torch.nn, kind)(3, 4, **options))

    assert_agrees(
        torch, module, stacked(kind, module), lambda m, x: m(x, lengths=LENGTHS),
        lambda m, x: packed(torch, m, x)[0], drawn(3, 5, 3),
    )  # fmt: skip


def test_the_state_after_padding_is_that_of_the_last_step(torch):
    module = randomized(torch, torch.nn.LSTM(3, 4, batch_first=True, proj_size=2))
    module.bias_hh_l0.data[:] = 0
    layer = nn.LSTM(3, 4, outputs=2, **DOUBLE)
    make = lambda get: layer.replace(
        weight=get("weight_ih_l0").T,
        recurrent=get("weight_hh_l0").T,
        bias=get("bias_ih_l0"),
        projection=get("weight_hr_l0").T,
    )

    def ours(model, x, hidden, cell):
        return gx.concat(model.run(x, (hidden, cell), lengths=LENGTHS)[1], axis=1)

    def theirs(module, x, hidden, cell):
        return torch.concat(packed(torch, module, x, (hidden[None], cell[None]))[1], dim=2)[0]

    assert_agrees(torch, module, make, ours, theirs, drawn(3, 5, 3), drawn(3, 2), drawn(3, 4))


@pytest.mark.parametrize("name", GATES)
def test_lengths_are_read_anew_in_every_compiled_call(name):
    layer = getattr(nn, name)(3, 4, reverse=True, **DOUBLE)
    compiled = gx.compile(lambda x, lengths: layer(x, lengths=lengths))
    x = drawn(3, 5, 3)

    for lengths in (LENGTHS, LENGTHS[::-1].copy()):
        outputs = compiled(x, lengths)
        for row, out, length in zip(x, outputs, lengths, strict=True):
            np.testing.assert_allclose(out[:length], layer(row[None, :length])[0], **TOLERANCE)
            assert not out[length:].any()
    with pytest.raises(ShapeError, match=f"{name}: length 6, expected 1 to 5, the steps"):
        compiled(x, LENGTHS + 1)


def test_dropout_is_between_layers_and_in_training_alone():
    layer = nn.Recurrent(nn.GRU, 3, 4, layers=2, dropout=0.5, **DOUBLE)
    alone = nn.Recurrent(nn.GRU, 3, 4, dropout=0.5, **DOUBLE)
    x = drawn(2, 5, 3)

    trained = [layer(x, key=gx.random.key(seed), train=True) for seed in (1, 1, 2)]

    np.testing.assert_array_equal(trained[0], trained[1])
    assert not np.allclose(trained[0], trained[2])
    np.testing.assert_array_equal(layer(x), layer.run(x)[0])
    np.testing.assert_array_equal(alone(x, train=True), alone(x))
    with pytest.raises(ShapeError, match="Recurrent: train=True needs a key"):
        layer(x, train=True)


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
    "a layer as the kind": (
        lambda: nn.Recurrent(nn.GRU(3, 4, key=KEY), 3, 4, key=KEY),
        DTypeError,
        r"Recurrent: kind is a GRU, expected a class such as gx\.nn\.LSTM",
    ),
    "a state of too few layers": (
        lambda: nn.Recurrent(nn.RNN, 4, 2, layers=2, key=KEY)(X, ((None,),)),
        ShapeError,
        "expected a state of 2 layers with 1 directions each",
    ),
    "an array as the state of several": (
        lambda: nn.Recurrent(nn.RNN, 4, 2, key=KEY)(X, np.ones((2, 2))),
        ShapeError,
        "expected a state of 1 layers",
    ),
    "as many outputs": (
        lambda: nn.LSTM(4, 2, outputs=2, key=KEY),
        ShapeError,
        "LSTM: outputs=2 of features=2, expected fewer",
    ),
    "projection of another": (
        lambda: nn.Recurrent(nn.GRU, 4, 3, outputs=2, key=KEY),
        DTypeError,
        r"Recurrent: outputs=2 is for gx\.nn\.LSTM",
    ),
    "no step of a sequence": (
        lambda: nn.RNN(4, 2, key=KEY)(X, lengths=np.asarray([3, 0])),
        ShapeError,
        "RNN: length 0, expected 1 to 3, the steps there are",
    ),
    "lengths of other samples": (
        lambda: nn.Recurrent(nn.GRU, 4, 2, key=KEY)(X, lengths=np.ones(3, dtype=int)),
        ShapeError,
        r"GRU: lengths are int64 \(3,\), expected integers of shape \(2,\)",
    ),
    "lengths that are no integers": (
        lambda: nn.LSTM(4, 2, key=KEY)(X, lengths=np.ones(2)),
        ShapeError,
        "LSTM: lengths are float64",
    ),
    "lstm state": (lambda: nn.LSTM(4, 2, key=KEY)(X, X), ShapeError, r"\(hidden, cell\)"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()
