"""Attention: averages of values, weighted by how well their keys match a query.

``queries`` here are (..., targets, features), keys and values (..., sources, features).
A mask is boolean, true where a target may see a source, and broadcasts to
(..., targets, sources). A target that may see nothing gets 0.
"""

from math import sqrt
from typing import Any, NamedTuple

from gradx.core.arrays import backend_for, is_kind, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn.checks import require_array
from gradx.nn.dropping import checked_key, checked_rate, drop
from gradx.nn.linear import Linear
from gradx.nn.module import Module, static
from gradx.ops.along import take
from gradx.ops.arithmetic import where
from gradx.ops.creation import place_of
from gradx.ops.linalg import matmul
from gradx.ops.neural import softmax
from gradx.ops.shapes import astype, broadcast_shape, matrix_transpose, permute_dims, reshape
from gradx.ops.windows import integer
from gradx.random import split

# Added to the scores of what is masked: far below all others, and finite, so that it
# makes no NaN where everything is masked.
FAR_BELOW = -1e30


def dot_product_attention(
    queries: Any, keys: Any, values: Any, *, mask: Any = None, causal: bool = False
) -> Any:
    """Return ``softmax(queries @ keys.T / sqrt(features)) @ values``.

    ``queries`` are ``(..., targets, features)``, ``keys`` ``(..., sources, features)`` and
    ``values`` ``(..., sources, outputs)``; the result is ``(..., targets, outputs)``. ``mask``
    is boolean, true where a target may see a source, and broadcasts to
    ``(..., targets, sources)``; a target that may see none gets 0.
    With ``causal=True``, target ``i`` sees sources up to ``i`` only. Source: Vaswani and
    others, "Attention is all you need" (NeurIPS 2017).

    >>> import numpy as np, gradx as gx
    >>> x = np.ones((2, 4, 5, 8))  # samples, heads, steps, features
    >>> gx.nn.dot_product_attention(x, x, x, causal=True).shape
    (2, 4, 5, 8)
    """
    name = "dot_product_attention"
    for what, array in (("queries", queries), ("keys", keys), ("values", values)):
        require_array(name, what, array)
        if len(array.shape) < 2:
            raise ShapeError(f"{name}: {what} are {describe(array)}, expected two axes or more")
    if queries.shape[-1] != keys.shape[-1] or keys.shape[-2] != values.shape[-2]:
        raise ShapeError(
            f"{name}: queries {tuple(queries.shape)}, keys {tuple(keys.shape)} and values "
            f"{tuple(values.shape)}, expected (..., targets, features), (..., sources, features) "
            "and (..., sources, ...)"
        )
    return matmul(attention_weights(name, queries, keys, mask, causal), values)


def attention_weights(name: str, queries: Any, keys: Any, mask: Any, causal: bool) -> Any:
    """Return (..., targets, sources): how much each target takes of each source, 1 in all."""
    scores = matmul(queries * (1 / sqrt(queries.shape[-1])), matrix_transpose(keys))
    allowed = _allowed(name, scores, mask, causal)
    if allowed is None:
        return softmax(scores)
    return where(allowed, softmax(where(allowed, scores, FAR_BELOW)), 0.0)


class KeyValueCache(NamedTuple):
    """Keys and values of the steps seen so far, and how many those are.

    ``keys`` and ``values`` are ``(samples, heads, length, features / heads)``, of whose
    ``length`` the first ``count`` are taken.
    """

    keys: Any
    values: Any
    count: Any


class MultiHeadAttention(Module):
    """Attend with ``heads`` parts of the features, each by itself.

    ``attention(x)`` of (samples, steps, features) is self-attention; ``attention(x,
    context)`` takes keys and values from ``context``, (samples, sources,
    ``context_features``). ``mask`` is boolean, true where a target may see a source, and
    broadcasts to (samples, heads, targets, sources); ``causal=True`` hides what comes later.
    While training, weights are dropped at random with ``dropout``, if given. ``bias`` is that of
    the four linear layers.

    ``extend`` goes on step by step, with a cache of what it has seen. Source: Vaswani and
    others, "Attention is all you need" (NeurIPS 2017).

    >>> import numpy as np, gradx as gx
    >>> attention = gx.nn.MultiHeadAttention(16, heads=4, key=gx.random.key(0), causal=True)
    >>> x = np.ones((2, 5, 16), dtype=np.float32)
    >>> cache = attention.empty_cache(samples=2, length=10)
    >>> out, cache = attention.extend(x, cache)
    >>> bool(abs(out - attention(x)).max() < 1e-6), int(cache.count)
    (True, 5)
    """

    queries: Linear
    keys: Linear
    values: Linear
    out: Linear
    heads: int = static()
    causal: bool = static()
    dropout: float = static()

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        key: Any,
        context_features: int | None = None,
        causal: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        name = "MultiHeadAttention"
        features = integer(name, "features", features, least=1)
        self.heads = integer(name, "heads", heads, least=1)
        if features % heads:
            raise ShapeError(f"{name}: heads={heads} does not divide features={features}")
        sources = features if context_features is None else context_features
        options = {"bias": bias, "device": device, "dtype": dtype}
        first, second, third, last = split(key, 4)
        self.queries = Linear(features, features, key=first, **options)
        self.keys = Linear(sources, features, key=second, **options)
        self.values = Linear(sources, features, key=third, **options)
        self.out = Linear(features, features, key=last, **options)
        self.causal = causal
        self.dropout = checked_rate(name, dropout)

    def __call__(
        self, x: Any, context: Any = None, *, mask: Any = None, key: Any = None, train: bool = False
    ) -> Any:
        context = x if context is None else context
        for what, array in (("the input", x), ("the context", context)):
            _require_steps(what, array)
        queries, keys, values = self.queries(x), self.keys(context), self.values(context)
        queries, keys, values = map(self._apart, (queries, keys, values))
        weights = attention_weights("MultiHeadAttention", queries, keys, mask, self.causal)
        if train and self.dropout:
            weights = drop(checked_key("MultiHeadAttention", key), weights, self.dropout)
        return self.out(_together(matmul(weights, values)))

    def empty_cache(self, samples: int, length: int) -> KeyValueCache:
        """Return a cache with room for ``length`` steps of ``samples`` sequences."""
        weight = self.keys.weight
        xp, device = place_of(weight)
        shape = (samples, self.heads, length, weight.shape[1] // self.heads)
        return KeyValueCache(
            keys=xp.zeros(shape, dtype=weight.dtype, device=device),
            values=xp.zeros(shape, dtype=weight.dtype, device=device),
            count=xp.asarray(0, dtype=xp.int64, device=device),
        )

    def extend(self, x: Any, cache: KeyValueCache) -> tuple[Any, KeyValueCache]:
        """Attend from the next steps of a sequence to them and all before; return the cache too.

        The result is that of causal self-attention on the whole sequence.

        Raises:
            ValueError: the cache has no room left.
        """
        _require_steps("the input", x)
        queries, keys, values = map(self._apart, (self.queries(x), self.keys(x), self.values(x)))
        cache = _extended(cache, keys, values)
        xp, device = place_of(x)
        sources = xp.arange(cache.keys.shape[2], device=device)
        steps = xp.reshape(xp.arange(x.shape[1], device=device), (-1, 1))
        mask = sources < cache.count - (x.shape[1] - 1) + steps
        weights = attention_weights("MultiHeadAttention", queries, cache.keys, mask, False)
        return self.out(_together(matmul(weights, cache.values))), cache

    def _apart(self, x: Any) -> Any:
        """Give each head its part of the features: (samples, heads, steps, features / heads)."""
        samples, steps, features = x.shape
        parts = reshape(x, (samples, steps, self.heads, features // self.heads))
        return permute_dims(parts, (0, 2, 1, 3))


def _together(x):
    samples, heads, steps, features = x.shape
    return reshape(permute_dims(x, (0, 2, 1, 3)), (samples, steps, heads * features))


def _extended(cache, keys, values):
    """Write the keys and values of new steps behind those in the cache."""
    steps, length = keys.shape[2], cache.keys.shape[2]
    _require_room(cache.count, steps, length)
    if keys.shape[0] != cache.keys.shape[0]:
        raise ShapeError(
            f"MultiHeadAttention: {keys.shape[0]} samples, but the cache has {cache.keys.shape[0]}"
        )
    xp, device = place_of(cache.keys)
    # Where each place of the cache finds itself among the new steps: no index is read, so
    # that it is the same computation at every count.
    places = xp.arange(length, device=device) - cache.count
    is_new = (places >= 0) & (places < steps)
    places, is_new = where(is_new, places, 0), reshape(is_new, (length, 1))

    def write(new, old):
        return where(is_new, astype(take(new, places, axis=2), old.dtype), old)

    return KeyValueCache(write(keys, cache.keys), write(values, cache.values), cache.count + steps)


def _require_room(count, steps, length):
    # A count that is tracked, or on a GPU, is not read.
    is_far = type(count) is Tensor or backend_for(count).device_of(count).startswith("cuda")
    seen = 0 if is_far else int(count)
    if seen + steps > length:
        raise ShapeError(
            f"MultiHeadAttention: {seen} steps and {steps} more, but the cache has "
            f"room for {length}: make it with empty_cache(samples, length)"
        )


def _allowed(name, scores, mask, causal):
    """Return the mask to be used, or None where everything may be seen."""
    if mask is not None:
        _require_mask(name, mask, scores)
    if not causal:
        return mask
    targets, sources = scores.shape[-2:]
    if targets != sources:
        raise ShapeError(
            f"{name}: causal=True, but {targets} targets and {sources} sources: it is for "
            "attention of a sequence to itself"
        )
    xp, device = place_of(scores)
    steps = xp.arange(targets, device=device)
    earlier = xp.reshape(steps, (1, -1)) <= xp.reshape(steps, (-1, 1))
    return earlier if mask is None else earlier & mask


def _require_mask(name, mask, scores):
    require_array(name, "the mask", mask)
    if not is_kind(untracked(mask), "bool"):
        raise DTypeError(f"{name}: the mask is {describe(mask)}, expected bool, true for seen")
    shape = tuple(scores.shape)
    if len(mask.shape) > len(shape) or broadcast_shape(name, mask.shape, shape) != shape:
        raise ShapeError(f"{name}: the mask is {tuple(mask.shape)}, which does not give {shape}")


def _require_steps(what, x):
    require_array("MultiHeadAttention", what, x)
    if len(x.shape) != 3:
        raise ShapeError(
            f"MultiHeadAttention: {what} is {tuple(x.shape)}, expected (samples, steps, features)"
        )
