"""The block of a decoder: torch's on the same parameters, and what it promises beyond that."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, ShapeError
from tests.against_torch import TOLERANCE, assert_agrees, randomized

KEY = gx.random.key(0)
DOUBLE = {"key": KEY, "dtype": "float64"}


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def with_values(block, get):
    """Return the block with the arrays of torch's layer, by torch's names."""
    both = lambda name: {part: get(f"{name}.{part}") for part in ("weight", "bias")}
    linear = lambda name: both(name) | {"weight": get(f"{name}.weight").T}

    def attention(layer, name):
        names = ("queries", "keys", "values")
        weights = np.split(get(f"{name}.in_proj_weight"), 3)
        biases = np.split(get(f"{name}.in_proj_bias"), 3)
        parts = {
            part: getattr(layer, part).replace(weight=weight.T, bias=bias)
            for part, weight, bias in zip(names, weights, biases, strict=True)
        }
        return layer.replace(**parts, out=layer.out.replace(**linear(f"{name}.out_proj")))

    return block.replace(
        attention=attention(block.attention, "self_attn"),
        to_context=attention(block.to_context, "multihead_attn"),
        first_norm=block.first_norm.replace(**both("norm1")),
        second_norm=block.second_norm.replace(**both("norm2")),
        third_norm=block.third_norm.replace(**both("norm3")),
        widen=block.widen.replace(**linear("linear1")),
        narrow=block.narrow.replace(**linear("linear2")),
    )


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_block_is_torchs(norm_first, causal):
    torch = pytest.importorskip("torch")
    module = torch.nn.TransformerDecoderLayer(
        6, 2, 10, 0.0, "gelu", batch_first=True, norm_first=norm_first
    )
    block = nn.DecoderBlock(6, 2, hidden=10, causal=causal, norm_first=norm_first, **DOUBLE)
    later = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1) if causal else None
    seen = np.asarray([[1, 1, 0, 0, 1], [1, 1, 1, 1, 1], [0, 1, 0, 0, 0]], dtype=bool)

    assert_agrees(
        torch,
        randomized(torch, module),
        lambda get: with_values(block, get),
        lambda m, x, context: m(x, context, context_mask=seen[:, None, None, :]),
        lambda m, x, context: m(
            x, context, tgt_mask=later, memory_key_padding_mask=~torch.tensor(seen)
        ),
        drawn(3, 4, 6),
        drawn(3, 5, 6, seed=1),
    )


def test_a_mask_is_of_the_sequence_itself():
    block, x, context = nn.DecoderBlock(6, 2, **DOUBLE), drawn(2, 4, 6), drawn(2, 3, 6, seed=1)
    only_itself = np.eye(4, dtype=bool)

    out = block(x, context, mask=only_itself)
    alone = [block(x[:, n : n + 1], context) for n in range(4)]

    np.testing.assert_allclose(out, np.concatenate(alone, axis=1), **TOLERANCE)


@pytest.mark.parametrize("parts", [[5], [1] * 5, [2, 3]], ids=str)
def test_a_cache_gives_what_the_whole_sequence_gives(parts, backend):
    device = backend.devices()[0]
    block = nn.DecoderBlock(6, 2, context_features=3, device=device, **DOUBLE)
    x = backend.from_numpy(drawn(2, 5, 6), device)
    context = backend.from_numpy(drawn(2, 4, 3, seed=1), device)
    cache, found, start = block.empty_cache(2, 7), [], 0

    for steps in parts:
        out, cache = block.extend(x[:, start : start + steps, :], context, cache)
        found.append(backend.to_numpy(out))
        start += steps

    whole = backend.to_numpy(block(x, context))
    np.testing.assert_allclose(np.concatenate(found, 1), whole, **TOLERANCE)


def test_it_drops_what_each_part_adds_and_the_hidden_features():
    block = nn.DecoderBlock(6, 2, hidden=6, dropout=0.5, activation=lambda x: x, **DOUBLE)
    constant = lambda layer: layer.replace(weight=0 * layer.weight, bias=np.ones(6))
    block = block.replace(
        attention=block.attention.replace(out=constant(block.attention.out)),
        to_context=block.to_context.replace(out=constant(block.to_context.out)),
        widen=constant(block.widen),
        narrow=block.narrow.replace(weight=np.eye(6)),
    )
    x = np.zeros((50, 4, 6))

    out = block(x, x, key=KEY, train=True)

    # Each attention adds 1 and the network 1; kept with probability a half, and doubled, the
    # last twice.
    assert set(out.ravel()) == {0.0, 2.0, 4.0, 6.0, 8.0}
    np.testing.assert_array_equal(out, block(x, x, key=KEY, train=True))
    np.testing.assert_array_equal(block(x, x), block.replace(dropout=0.0)(x, x, train=True))


def test_wrong_use_is_explained():
    block, x = nn.DecoderBlock(6, 2, dropout=0.5, **DOUBLE), drawn(2, 4, 6)

    with pytest.raises(ShapeError, match="DecoderBlock: train=True needs a key"):
        block(x, x, train=True)
    with pytest.raises(DTypeError, match="DecoderBlock: activation='gelu', expected a function"):
        nn.DecoderBlock(6, 2, activation="gelu", key=KEY)
    with pytest.raises(DTypeError, match="the context is None, expected an array"):
        block(x, None)
    with pytest.raises(ShapeError, match=r"expected \(\.\.\., 6\), got \(2, 4, 5\).*to_context"):
        block(x, drawn(2, 4, 5))
    with pytest.raises(ShapeError, match=r"shapes \(3,\), \(2, 2, 4, 4\) do not.*to_context"):
        block(x, x, context_mask=np.ones(3, dtype=bool))
    with pytest.raises(ShapeError, match="room for 2"):
        block.extend(x, x, block.empty_cache(2, 2))


def test_its_summary_has_all_parts():
    block = nn.DecoderBlock(6, 2, key=KEY)
    x = np.ones((2, 4, 6), dtype=np.float32)

    summary = block.summary(x, x)

    assert summary.parameters == 2 * 4 * (36 + 6) + 3 * 12 + (6 * 24 + 24) + (24 * 6 + 6)
    assert "to_context.queries" in [row.path for row in summary.rows]
