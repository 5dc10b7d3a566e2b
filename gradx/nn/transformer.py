"""The block that transformers are stacks of: attention, then a small network, each a residual."""

from collections.abc import Callable
from typing import Any

from gradx.errors import DTypeError
from gradx.nn.attention import KeyValueCache, MultiHeadAttention
from gradx.nn.dropping import checked_key, checked_rate, drop
from gradx.nn.linear import Linear
from gradx.nn.module import Module, show_leaf, static
from gradx.nn.normalization import LayerNorm
from gradx.ops.arithmetic import add
from gradx.ops.neural import gelu
from gradx.ops.windows import integer
from gradx.random import fold_in, split


class TransformerBlock(Module):
    """Map (samples, steps, features) to the same by self-attention and two linear layers.

    ``x += attention(first_norm(x))``, then ``x += narrow(activation(widen(second_norm(x))))``
    with ``hidden`` features in between, four times as many unless given. With
    ``norm_first=False`` each norm follows its sum, as in the first transformers. While
    training, ``dropout`` drops attention's weights, what each of the two adds, and the
    hidden features. ``mask`` and ``causal`` are as for ``MultiHeadAttention``, and so are
    ``empty_cache`` and ``extend``.

    Sources: Vaswani and others, "Attention is all you need" (NeurIPS 2017); with the norms
    first, Xiong and others, "On layer normalization in the transformer" (ICML 2020).

    >>> import numpy as np, gradx as gx
    >>> block = gx.nn.TransformerBlock(16, heads=4, key=gx.random.key(0), causal=True)
    >>> block(np.ones((2, 5, 16), dtype=np.float32)).shape
    (2, 5, 16)
    """

    attention: MultiHeadAttention
    first_norm: LayerNorm
    second_norm: LayerNorm
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
        causal: bool = False,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = gelu,
        norm_first: bool = True,
        eps: float = 1e-5,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        features = integer("TransformerBlock", "features", features, least=1)
        hidden = 4 * features if hidden is None else hidden
        placed = {"device": device, "dtype": dtype}
        first, second, third = split(key, 3)
        self.dropout = checked_rate("TransformerBlock", dropout)
        self.attention = MultiHeadAttention(
            features, heads, key=first, causal=causal, dropout=dropout, **placed
        )
        self.first_norm = LayerNorm(features, eps=eps, **placed)
        self.second_norm = LayerNorm(features, eps=eps, **placed)
        self.widen = Linear(features, hidden, key=second, **placed)
        self.narrow = Linear(hidden, features, key=third, **placed)
        self.activation = checked_activation("TransformerBlock", activation)
        self.norm_first = norm_first

    def __call__(self, x: Any, *, mask: Any = None, key: Any = None, train: bool = False) -> Any:
        dropping = train and self.dropout > 0
        key = checked_key("TransformerBlock", key) if dropping else None

        def attend(x):
            own = fold_in(key, 0) if dropping else None
            out = self.attention(x, mask=mask, key=own, train=dropping)
            return dropped(out, key, 1, self.dropout)

        x = beside(x, attend, self.first_norm, self.norm_first)
        think = lambda x: network(self, x, key, first=2)
        return beside(x, think, self.second_norm, self.norm_first)

    def empty_cache(self, samples: int, length: int) -> KeyValueCache:
        """Return a cache with room for ``length`` steps of ``samples`` sequences."""
        return self.attention.empty_cache(samples, length)

    def extend(self, x: Any, cache: KeyValueCache) -> tuple[Any, KeyValueCache]:
        """Map the next steps of a sequence, seeing all before; return the longer cache too."""
        following = cache

        def attend(x):
            nonlocal following
            out, following = self.attention.extend(x, cache)
            return out

        x = beside(x, attend, self.first_norm, self.norm_first)
        think = lambda x: network(self, x, None, first=2)
        return beside(x, think, self.second_norm, self.norm_first), following


def beside(x: Any, part: Any, norm: LayerNorm, norm_first: bool) -> Any:
    """Add to ``x`` what a part of a block makes of it, with the norm before it or after the sum."""
    return add(x, part(norm(x))) if norm_first else norm(add(x, part(x)))


def network(block: Any, x: Any, key: Any, first: int) -> Any:
    """Map by the two linear layers of a block; ``first`` is the number of its first draw."""
    hidden = dropped(block.activation(block.widen(x)), key, first, block.dropout)
    return dropped(block.narrow(hidden), key, first + 1, block.dropout)


def dropped(x: Any, key: Any, number: int, rate: float) -> Any:
    """Drop elements at random, by a number of its own for each draw; none without a key."""
    return x if key is None else drop(fold_in(key, number), x, rate)


def checked_activation(name: str, activation: Any) -> Any:
    if not callable(activation):
        raise DTypeError(f"{name}: activation={show_leaf(activation)}, expected a function")
    return activation
