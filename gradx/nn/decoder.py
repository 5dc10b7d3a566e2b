"""The block of a decoder: attention to itself, attention to another sequence, a small network."""

from collections.abc import Callable
from typing import Any

from gradx.nn.attention import KeyValueCache, MultiHeadAttention
from gradx.nn.checks import require_array
from gradx.nn.dropping import checked_key, checked_rate
from gradx.nn.linear import Linear
from gradx.nn.module import Module, static
from gradx.nn.normalization import LayerNorm
from gradx.nn.transformer import beside, checked_activation, dropped, network
from gradx.ops.neural import gelu
from gradx.ops.windows import integer
from gradx.random import fold_in, split


class DecoderBlock(Module):
    """Map (samples, steps, features) to the same, seeing (samples, sources, context_features).

    ``x += attention(first_norm(x))``, then ``x += to_context(second_norm(x), context)``, then
    ``x += narrow(activation(widen(third_norm(x))))``; all else is as for ``TransformerBlock``,
    but that self-attention is ``causal`` unless told otherwise. ``mask`` is that of
    self-attention, ``context_mask`` that of attention to the context, and
    ``context_features`` are ``features`` unless given. ``extend`` goes on step by step.

    Source: Vaswani and others, "Attention is all you need" (NeurIPS 2017).

    >>> import numpy as np, gradx as gx
    >>> block = gx.nn.DecoderBlock(16, heads=4, key=gx.random.key(0))
    >>> x, context = np.ones((2, 5, 16), dtype=np.float32), np.ones((2, 7, 16), dtype=np.float32)
    >>> block(x, context).shape
    (2, 5, 16)
    """

    attention: MultiHeadAttention
    to_context: MultiHeadAttention
    first_norm: LayerNorm
    second_norm: LayerNorm
    third_norm: LayerNorm
    widen: Linear
    narrow: Linear
    activation: Callable[[Any], Any] = static()
    dropout: float = static()
    norm_first: bool = static()

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        key: Any,
        hidden: int | None = None,
        context_features: int | None = None,
        causal: bool = True,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = gelu,
        norm_first: bool = True,
        eps: float = 1e-5,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        features = integer("DecoderBlock", "features", features, least=1)
        hidden = 4 * features if hidden is None else hidden
        placed = {"device": device, "dtype": dtype}
        attending = {"dropout": checked_rate("DecoderBlock", dropout), **placed}
        first, second, third, last = split(key, 4)
        self.dropout = attending["dropout"]
        self.attention = MultiHeadAttention(features, heads, key=first, causal=causal, **attending)
        self.to_context = MultiHeadAttention(
            features, heads, key=second, context_features=context_features, **attending
        )
        self.first_norm = LayerNorm(features, eps=eps, **placed)
        self.second_norm = LayerNorm(features, eps=eps, **placed)
        self.third_norm = LayerNorm(features, eps=eps, **placed)
        self.widen = Linear(features, hidden, key=third, **placed)
        self.narrow = Linear(hidden, features, key=last, **placed)
        self.activation = checked_activation("DecoderBlock", activation)
        self.norm_first = norm_first

    def __call__(
        self,
        x: Any,
        context: Any,
        *,
        mask: Any = None,
        context_mask: Any = None,
        key: Any = None,
        train: bool = False,
    ) -> Any:
        dropping = train and self.dropout > 0
        key = checked_key("DecoderBlock", key) if dropping else None

        def attend(x):
            own = fold_in(key, 0) if dropping else None
            out = self.attention(x, mask=mask, key=own, train=dropping)
            return dropped(out, key, 1, self.dropout)

        x = beside(x, attend, self.first_norm, self.norm_first)
        return self._from_context(x, context, context_mask, key)

    def empty_cache(self, samples: int, length: int) -> KeyValueCache:
        """Return a cache with room for ``length`` steps of ``samples`` sequences."""
        return self.attention.empty_cache(samples, length)

    def extend(
        self, x: Any, context: Any, cache: KeyValueCache, *, context_mask: Any = None
    ) -> tuple[Any, KeyValueCache]:
        """Map the next steps of a sequence, seeing all before; return the longer cache too."""
        following = cache

        def attend(x):
            nonlocal following
            out, following = self.attention.extend(x, cache)
            return out

        x = beside(x, attend, self.first_norm, self.norm_first)
        return self._from_context(x, context, context_mask, None), following

    def _from_context(self, x: Any, context: Any, mask: Any, key: Any) -> Any:
        """Go on from what self-attention has given."""
        require_array("DecoderBlock", "the context", context)
        dropping = key is not None

        def attend(x):
            own = fold_in(key, 2) if dropping else None
            out = self.to_context(x, context, mask=mask, key=own, train=dropping)
            return dropped(out, key, 3, self.dropout)

        x = beside(x, attend, self.second_norm, self.norm_first)
        think = lambda x: network(self, x, key, first=4)
        return beside(x, think, self.third_norm, self.norm_first)
