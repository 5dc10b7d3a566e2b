"""Embedding, attention and blocks: torch's on the same parameters, and what each promises."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError
from tests.against_torch import TOLERANCE, assert_agrees, randomized

KEY = gx.random.key(0)
DOUBLE = {"key": KEY, "dtype": "float64"}


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


# Embedding.


def test_embedding_is_torchs(torch):
    module = randomized(torch, torch.nn.Embedding(7, 3))
    indices = np.asarray([[1, 1, 6], [0, 2, 1]])
    layer = nn.Embedding(7, 3, **DOUBLE)

    assert_agrees(
        torch,
        module,
        lambda get: layer.replace(weight=get("weight")),
        lambda m: m(indices),
        lambda m: m(torch.tensor(indices)),
    )


def test_logits_are_tied_to_the_vectors():
    table = nn.Embedding(5, 3, **DOUBLE)
    x = drawn(2, 3)

    gradient = gx.grad(lambda t: gx.sum(t.logits(x)) + gx.sum(t(np.asarray([4]))))(table)

    np.testing.assert_allclose(table.logits(x), x @ table.weight.T)
    np.testing.assert_allclose(gradient.weight[:4], np.broadcast_to(x.sum(0), (4, 3)))
    np.testing.assert_allclose(gradient.weight[4], x.sum(0) + 1)


# Attention.


def attention(torch, module, **options):
    layer = nn.MultiHeadAttention(6, 2, **options, **DOUBLE)

    def make(get):
        weights = np.split(get("in_proj_weight"), 3)
        biases = np.split(get("in_proj_bias"), 3)
        parts = {
            name: getattr(layer, name).replace(weight=weight.T, bias=bias)
            for name, weight, bias in zip(
                ("queries", "keys", "values"), weights, biases, strict=True
            )
        }
        out = layer.out.replace(weight=get("out_proj.weight").T, bias=get("out_proj.bias"))
        return layer.replace(**parts, out=out)

    return make


MASK = np.asarray([[1, 0, 1, 1], [1, 1, 0, 1], [0, 0, 0, 1], [1, 1, 1, 1]], dtype=bool)


def test_self_attention_is_torchs(torch):
    module = randomized(torch, torch.nn.MultiheadAttention(6, 2, batch_first=True))

    assert_agrees(
        torch,
        module,
        attention(torch, module),
        lambda m, x: m(x),
        lambda m, x: m(x, x, x)[0],
        drawn(3, 4, 6),
    )


def test_attention_to_a_context_with_a_mask_is_torchs(torch):
    module = randomized(torch, torch.nn.MultiheadAttention(6, 2, batch_first=True))
    mask = MASK[:, :3] | (np.arange(3) == 0)

    assert_agrees(
        torch,
        module,
        attention(torch, module),
        lambda m, x, context: m(x, context, mask=mask),
        lambda m, x, context: m(x, context, context, attn_mask=~torch.tensor(mask))[0],
        drawn(3, 4, 6),
        drawn(3, 3, 6),
    )


def test_causal_attention_is_torchs(torch):
    module = randomized(torch, torch.nn.MultiheadAttention(6, 2, batch_first=True))
    later = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)

    assert_agrees(
        torch,
        module,
        attention(torch, module, causal=True),
        lambda m, x: m(x),
        lambda m, x: m(x, x, x, attn_mask=later)[0],
        drawn(3, 4, 6),
    )


def test_attention_to_padded_samples_is_torchs(torch):
    module = randomized(torch, torch.nn.MultiheadAttention(6, 2, batch_first=True))
    kept = np.asarray([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], dtype=bool)

    assert_agrees(
        torch,
        module,
        attention(torch, module),
        lambda m, x: m(x, mask=kept[:, None, None, :]),
        lambda m, x: m(x, x, x, key_padding_mask=~torch.tensor(kept))[0],
        drawn(3, 4, 6),
    )


def test_a_context_of_other_features_is_torchs(torch):
    module = randomized(torch, torch.nn.MultiheadAttention(6, 2, kdim=5, vdim=5, batch_first=True))
    layer = nn.MultiHeadAttention(6, 2, context_features=5, **DOUBLE)

    def make(get):
        biases = np.split(get("in_proj_bias"), 3)
        names = {"queries": "q_proj_weight", "keys": "k_proj_weight", "values": "v_proj_weight"}
        parts = {
            ours: getattr(layer, ours).replace(weight=get(theirs).T, bias=bias)
            for (ours, theirs), bias in zip(names.items(), biases, strict=True)
        }
        out = layer.out.replace(weight=get("out_proj.weight").T, bias=get("out_proj.bias"))
        return layer.replace(**parts, out=out)

    assert_agrees(
        torch,
        module,
        make,
        lambda m, x, context: m(x, context),
        lambda m, x, context: m(x, context, context)[0],
        drawn(3, 4, 6),
        drawn(3, 2, 5),
    )


def test_who_may_see_nothing_gets_zero_and_gives_no_nan():
    x = drawn(2, 3, 4)
    mask = np.asarray([[0, 0, 0], [1, 0, 0], [1, 1, 1]], dtype=bool)

    out = nn.dot_product_attention(x, x, x, mask=mask)
    gradient = gx.grad(lambda x: gx.sum(nn.dot_product_attention(x, x, x, mask=mask)))(x)

    np.testing.assert_array_equal(out[:, 0], 0)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("parts", [[5], [1] * 5, [2, 3], [4, 1]], ids=str)
@pytest.mark.parametrize("kind", ["attention", "block"])
def test_a_cache_gives_what_the_whole_sequence_gives(kind, parts, backend):
    device = backend.devices()[0]
    make = nn.MultiHeadAttention if kind == "attention" else nn.TransformerBlock
    layer = make(6, 2, causal=True, device=device, **DOUBLE)
    x = backend.from_numpy(drawn(2, 5, 6), device)
    cache, found, start = layer.empty_cache(2, 7), [], 0

    for steps in parts:
        out, cache = layer.extend(x[:, start : start + steps, :], cache)
        found.append(backend.to_numpy(out))
        start += steps

    np.testing.assert_allclose(np.concatenate(found, 1), backend.to_numpy(layer(x)), **TOLERANCE)
    assert int(cache.count) == 5


def test_dropped_attention_is_random_while_training_only():
    layer = nn.MultiHeadAttention(6, 2, dropout=0.5, **DOUBLE)
    x = drawn(2, 4, 6)

    first, second = (layer(x, key=gx.random.key(n), train=True) for n in (0, 1))

    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(x), layer(x, key=KEY))
    with pytest.raises(ShapeError, match="train=True needs a key"):
        layer(x, train=True)


# Positions.


def test_sinusoids_are_those_of_the_paper():
    table = nn.SinusoidalPositions()(np.zeros((4, 6)), start=2)

    for position in range(4):
        for i in range(3):
            angle = (position + 2) / 10000 ** (2 * i / 6)
            np.testing.assert_allclose(table[position, 2 * i], np.sin(angle), atol=1e-12)
            np.testing.assert_allclose(table[position, 2 * i + 1], np.cos(angle), atol=1e-12)


def test_positions_keep_the_dtype(backend):
    device = backend.devices()[0]
    x = backend.from_numpy(np.zeros((2, 3, 4), np.float32), device)

    assert nn.SinusoidalPositions()(x).dtype == x.dtype
    assert nn.LearnedPositions(5, 4, key=KEY, device=device)(x).dtype == x.dtype


def test_learned_positions_are_rows_from_the_start_on():
    layer = nn.LearnedPositions(5, 3, **DOUBLE)

    gradient = gx.grad(lambda m: gx.sum(m(np.ones((2, 2, 3)), start=np.asarray(3))))(layer)

    np.testing.assert_array_equal(layer(np.zeros((2, 3)), start=3), layer.weight[3:])
    np.testing.assert_array_equal(gradient.weight, [[0] * 3] * 3 + [[2] * 3] * 2)


# Transformer and residual.


@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer_block_is_torchs(torch, norm_first):
    module = randomized(
        torch,
        torch.nn.TransformerEncoderLayer(
            6, 2, 10, 0.0, "gelu", batch_first=True, norm_first=norm_first
        ),
    )
    block = nn.TransformerBlock(6, 2, hidden=10, causal=True, norm_first=norm_first, **DOUBLE)
    later = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)

    def make(get):
        inner = attention(torch, module.self_attn, causal=True)
        both = lambda name: {part: get(f"{name}.{part}") for part in ("weight", "bias")}
        linear = lambda name: both(name) | {"weight": get(f"{name}.weight").T}
        return block.replace(
            attention=inner(lambda name: get(f"self_attn.{name}")),
            first_norm=block.first_norm.replace(**both("norm1")),
            second_norm=block.second_norm.replace(**both("norm2")),
            widen=block.widen.replace(**linear("linear1")),
            narrow=block.narrow.replace(**linear("linear2")),
        )

    assert_agrees(
        torch,
        module,
        make,
        lambda m, x: m(x),
        lambda m, x: m(x, src_mask=later),
        drawn(3, 4, 6),
    )


def test_a_block_drops_in_four_places_while_training():
    block = nn.TransformerBlock(6, 2, dropout=0.5, **DOUBLE)
    x = drawn(2, 4, 6)

    out = block(x, key=KEY, train=True)

    np.testing.assert_array_equal(out, block(x, key=KEY, train=True))
    assert not np.array_equal(out, block(x, key=gx.random.key(1), train=True))
    np.testing.assert_array_equal(block(x), block.replace(dropout=0.0)(x, train=True))


def test_a_block_drops_what_it_adds_and_the_hidden_features():
    block = nn.TransformerBlock(6, 2, hidden=6, dropout=0.5, activation=lambda x: x, **DOUBLE)
    constant = lambda layer: layer.replace(weight=0 * layer.weight, bias=np.ones(6))
    block = block.replace(
        attention=block.attention.replace(out=constant(block.attention.out)),
        widen=constant(block.widen),
        narrow=block.narrow.replace(weight=np.eye(6)),
    )
    x = np.zeros((50, 4, 6))

    out = block(x, key=KEY, train=True)

    # Attention adds 1 and the network 1; kept with probability a half, and doubled, the
    # second twice.
    assert set(out.ravel()) == {0.0, 2.0, 4.0, 6.0}


def test_residual_hands_on_key_and_train():
    layer = nn.Residual(nn.Dropout(0.5))
    x = np.ones(1000)

    np.testing.assert_array_equal(layer(x), 2 * x)
    assert set(layer(x, key=KEY, train=True)) == {1.0, 3.0}


def test_a_small_language_model_learns_to_repeat():
    class Model(nn.Module):
        table: nn.Embedding
        positions: nn.LearnedPositions
        block: nn.TransformerBlock

        def __call__(self, x, *, key=None, train=False):
            return self.table.logits(self.block(self.positions(self.table(x)), train=train))

    first, second, third = gx.random.split(KEY, 3)
    model = Model(
        nn.Embedding(8, 16, key=first),
        nn.LearnedPositions(8, 16, key=second),
        nn.TransformerBlock(16, 4, key=third, causal=True, dropout=0.0),
    )
    start = np.random.default_rng(0).integers(0, 8, size=(128, 1))
    text = (start + np.arange(9)) % 8
    data = text[:, :-1], text[:, 1:]

    result = gx.train.fit(
        model, nn.cross_entropy, gx.optim.adam(3e-3), data, epochs=15, key=KEY, progress=None
    )

    assert result.history["loss"][-1] < 0.1


X = np.ones((2, 3, 4))
LAYER = nn.MultiHeadAttention(4, 2, **DOUBLE)

WRONG = {
    "floats embedded": (lambda: nn.Embedding(3, 2, key=KEY)(X), DTypeError, "expected integers"),
    "an index outside": (
        lambda: nn.Embedding(3, 2, key=KEY)(np.asarray([3])),
        OutOfBoundsError,
        "3",
    ),
    "logits": (lambda: nn.Embedding(3, 2, key=KEY).logits(X), ShapeError, r"of \(\.\.\., 2\), got"),
    "heads": (
        lambda: nn.MultiHeadAttention(4, 3, key=KEY),
        ShapeError,
        "heads=3 does not divide features=4",
    ),
    "attention to rows": (lambda: LAYER(X[0]), ShapeError, r"the input is \(3, 4\)"),
    "attention's features": (lambda: LAYER(X[..., :3]), ShapeError, r"queries \(Linear\)"),
    "mask of numbers": (lambda: LAYER(X, mask=np.ones((3, 3))), DTypeError, "expected bool"),
    "mask's shape": (
        lambda: LAYER(X, mask=np.ones((5, 1, 3, 3), bool)),
        ShapeError,
        "do not broadcast",
    ),
    "a larger mask": (
        lambda: nn.dot_product_attention(X, X, X, mask=np.ones((4, 2, 3, 3), bool)),
        ShapeError,
        "which does not give",
    ),
    "causal with a context": (
        lambda: LAYER.replace(causal=True)(X, X[:, :2]),
        ShapeError,
        "causal=True, but 3 targets and 2 sources",
    ),
    "queries and keys": (
        lambda: nn.dot_product_attention(X, X[..., :2], X),
        ShapeError,
        r"queries \(2, 3, 4\), keys \(2, 3, 2\)",
    ),
    "a full cache": (
        lambda: LAYER.extend(X, LAYER.empty_cache(2, 2)),
        ShapeError,
        "0 steps and 3 more, but the cache has room for 2",
    ),
    "another cache": (
        lambda: LAYER.extend(X, LAYER.empty_cache(1, 4)),
        ShapeError,
        "2 samples, but the cache has 1",
    ),
    "odd sinusoids": (lambda: nn.sinusoids(np.ones(2), 3), ShapeError, "features=3, expected an"),
    "too many positions": (
        lambda: nn.LearnedPositions(4, 4, key=KEY)(X, start=2),
        ShapeError,
        "3 steps from position 2, but there are 4",
    ),
    "position's features": (
        lambda: nn.LearnedPositions(4, 3, key=KEY)(X),
        ShapeError,
        r"\(\.\.\., steps, 3\)",
    ),
    "residual": (
        lambda: nn.Residual(nn.Linear(4, 3, **DOUBLE))(X),
        ShapeError,
        r"maps \(2, 3, 4\) to \(2, 3, 3\)",
    ),
    "residual of a number": (lambda: nn.Residual(3), DTypeError, "expected a module or a function"),
    "activation": (
        lambda: nn.TransformerBlock(4, 2, key=KEY, activation="relu"),
        DTypeError,
        "activation='relu', expected a function",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()
