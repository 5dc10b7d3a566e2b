"""Recurrent layers one above the other, and from both ends of a sequence."""

from collections.abc import Callable
from typing import Any

from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn.dropping import checked_key, checked_rate, drop
from gradx.nn.module import Module, static
from gradx.nn.recurrent import GRU, RNN
from gradx.ops.joining import concat
from gradx.ops.windows import integer
from gradx.random import fold_in, split


class Recurrent(Module):
    """Go through a sequence with ``layers`` recurrent layers, each on the outputs of the last.

    ``kind`` makes them: it is ``gx.nn.RNN``, ``gx.nn.LSTM``, ``gx.nn.GRU``, or a function that
    takes what these take. With ``bidirectional=True`` there are two in each place, of which the
    second goes through the sequence from its end, and outputs are those of both side by side,
    (samples, steps, 2 * features). While training, ``dropout`` drops elements of what goes from
    one layer to the next. ``bias`` and ``outputs``, of an LSTM, are as for one layer.

    ``run`` takes and returns the states, ``state[layer][direction]``, to begin with and to go on
    from. With ``lengths``, (samples,), of sequences that are padded at their ends, the second
    begins at the end of each.

    Source: Schuster, Paliwal, "Bidirectional recurrent neural networks" (IEEE Transactions on
    Signal Processing 45, 1997).

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.Recurrent(
    ...     gx.nn.LSTM, 3, 5, layers=2, bidirectional=True, key=gx.random.key(0)
    ... )
    >>> outputs, state = layer.run(np.ones((2, 7, 3), dtype=np.float32))
    >>> hidden, cell = state[1][0]
    >>> outputs.shape, hidden.shape
    ((2, 7, 10), (2, 5))
    """

    layers: tuple[tuple[Any, ...], ...]
    dropout: float = static()

    def __init__(
        self,
        kind: Callable[..., Any],
        inputs: int,
        features: int,
        *,
        key: Any,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
        outputs: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if not callable(kind) or isinstance(kind, Module):
            raise DTypeError(
                f"Recurrent: kind is a {type(kind).__name__}, expected a class such as gx.nn.LSTM"
            )
        features = integer("Recurrent", "features", features, least=1)
        layers = integer("Recurrent", "layers", layers, least=1)
        if outputs is not None:
            outputs = integer("Recurrent", "outputs", outputs, least=1)
            if kind in (RNN, GRU):
                raise DTypeError(f"Recurrent: outputs={outputs} is for gx.nn.LSTM, got {kind}")
        directions = (False, True) if bidirectional else (False,)
        keys = iter(split(key, layers * len(directions)))
        widths = [inputs, *[(outputs or features) * len(directions)] * (layers - 1)]
        given = {"device": device, "dtype": dtype}
        given |= {} if bias else {"bias": False}
        given |= {} if outputs is None else {"outputs": outputs}
        self.layers = tuple(
            tuple(
                kind(width, features, key=next(keys), reverse=reverse, **given)
                for reverse in directions
            )
            for width in widths
        )
        self.dropout = checked_rate("Recurrent", dropout)

    def __call__(
        self,
        x: Any,
        state: Any = None,
        *,
        lengths: Any = None,
        key: Any = None,
        train: bool = False,
    ) -> Any:
        return self.run(x, state, lengths=lengths, key=key, train=train)[0]

    def run(
        self,
        x: Any,
        state: Any = None,
        *,
        lengths: Any = None,
        key: Any = None,
        train: bool = False,
    ) -> tuple[Any, Any]:
        """Return the outputs of the last layer at each step, and the states after all."""
        dropping = train and self.dropout > 0 and len(self.layers) > 1
        key = checked_key("Recurrent", key) if dropping else None
        given = {} if lengths is None else {"lengths": lengths}
        following = []
        for place, (layers, begin) in enumerate(zip(self.layers, self._states(state), strict=True)):
            if dropping and place:
                x = drop(fold_in(key, place), x, self.dropout)
            found = [layer.run(x, own, **given) for layer, own in zip(layers, begin, strict=True)]
            x = concat([out for out, _ in found], axis=2) if len(found) > 1 else found[0][0]
            following.append(tuple(own for _, own in found))
        return x, tuple(following)

    def _states(self, state: Any) -> Any:
        """Return the state for each layer and direction; zeros are ``None``."""
        count, directions = len(self.layers), len(self.layers[0])
        if state is None:
            return [[None] * directions] * count
        lengths = [len(x) if isinstance(x, (tuple, list)) else 0 for x in (state, *_parts(state))]
        if lengths != [count, *[directions] * count]:
            raise ShapeError(
                f"Recurrent: expected a state of {count} layers with {directions} directions each, "
                f"as run returned it, got {describe(state)}"
            )
        return state


def _parts(state: Any) -> Any:
    return state if isinstance(state, (tuple, list)) else ()
