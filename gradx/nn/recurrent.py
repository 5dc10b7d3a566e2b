"""Layers that go through a sequence step by step, carrying a state along.

``layer(x)`` maps (samples, steps, inputs) to the states after each step, (samples,
steps, features), from a state of zeros; several go one after the other in
``Sequential``. ``layer.run(x, state)`` begins with a given state and returns
``(outputs, state)``, to go on from. The state has shape (samples, features); an
LSTM's is two of those, ``(hidden, cell)``.

Sequences of different lengths are padded at their ends, and ``lengths``, (samples,),
says how many steps each has: outputs after them are 0, and the state that is returned
is that after the last of them, or after the first with ``reverse=True``.

Weights of several gates lie side by side, in PyTorch's order.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from gradx.core import tree
from gradx.core.arrays import is_kind, untracked
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn import init
from gradx.nn.checks import drawn, require_array
from gradx.nn.module import Module, static
from gradx.nn.targets import checked_targets
from gradx.ops.arithmetic import add, where
from gradx.ops.comparison import greater
from gradx.ops.creation import place_of
from gradx.ops.exponential import sigmoid
from gradx.ops.joining import split as parts_of
from gradx.ops.joining import stack, unstack
from gradx.ops.linalg import matmul
from gradx.ops.shapes import reshape
from gradx.ops.trigonometric import tanh
from gradx.ops.windows import integer
from gradx.random import fold_in, split

Initializer = Callable[..., Any]


class RNN(Module):
    """Carry ``state = activation(x @ weight + state @ recurrent + bias)`` along a sequence.

    It maps (samples, steps, inputs) to (samples, steps, features), from a state
    (samples, features) that is 0 unless given; ``run`` returns the last one too.
    ``weight_init``, ``recurrent_init`` and ``bias_init`` are functions as in ``gx.nn.init``.
    ``activation`` is tanh unless another is given. With ``reverse=True`` the sequence is
    gone through from its end; outputs stay where their inputs are. ``lengths`` says how many steps
    each sequence has, after which outputs are 0 and the state stays. With ``bias=False`` there is
    none, and its field is ``None``. Source: Elman,
    "Finding structure in time" (Cognitive Science 14, 1990).

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.RNN(3, 5, key=gx.random.key(0))
    >>> outputs, state = layer.run(np.ones((2, 7, 3), dtype=np.float32))
    >>> outputs.shape, state.shape
    ((2, 7, 5), (2, 5))
    """

    weight: Any  # (inputs, features)
    recurrent: Any  # (features, features)
    bias: Any  # (features,) or None
    activation: Callable[[Any], Any] = static()
    reverse: bool = static()

    def __init__(
        self,
        inputs: int,
        features: int,
        *,
        key: Any,
        activation: Callable[[Any], Any] = tanh,
        reverse: bool = False,
        bias: bool = True,
        weight_init: Initializer = init.glorot_uniform,
        recurrent_init: Initializer = init.orthogonal,
        bias_init: Initializer = init.zeros,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        initializers = (weight_init, recurrent_init, bias_init)
        placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
        weights = _weights("RNN", inputs, features, 1, key, initializers, placed, bias)
        self.weight, self.recurrent, self.bias = weights
        if not callable(activation):
            raise DTypeError(f"RNN: activation={describe(activation)}, expected a function")
        self.activation = activation
        self.reverse = reverse

    def __call__(self, x: Any, state: Any = None, *, lengths: Any = None) -> Any:
        return self.run(x, state, lengths=lengths)[0]

    def run(self, x: Any, state: Any = None, *, lengths: Any = None) -> tuple[Any, Any]:
        """Return the states after each step, and the last of them."""
        rows, zeros = _begun("RNN", self, x)
        lengths = _checked_lengths("RNN", lengths, x)
        state = zeros if state is None else _checked("RNN", state, zeros)

        def step(row, state):
            state = self.activation(add(row, matmul(state, self.recurrent)))
            return state, state

        return _along(rows, step, state, self.reverse, lengths)


class LSTM(Module):
    """Carry a state and a cell along a sequence: long short-term memory.

    Gates are of input, forgetting, candidate and output: ``cell = sigmoid(f) * cell +
    sigmoid(i) * tanh(c)`` and ``hidden = sigmoid(o) * tanh(cell)``. With ``outputs``, that is
    multiplied by a matrix ``projection``, and the hidden state has so many numbers, fewer than
    the cell. Shapes and the other arguments are those of ``RNN``. Sources: Hochreiter,
    Schmidhuber, "Long short-term memory" (Neural Computation 9, 1997); the forget gate, Gers,
    Schmidhuber, Cummins (2000); the projection, Sak, Senior, Beaufays (arXiv 1402.1128).

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.LSTM(3, 5, key=gx.random.key(0))
    >>> outputs, (hidden, cell) = layer.run(np.ones((2, 7, 3), dtype=np.float32))
    >>> outputs.shape, hidden.shape, cell.shape
    ((2, 7, 5), (2, 5), (2, 5))
    """

    weight: Any  # (inputs, 4 * features)
    recurrent: Any  # (features, 4 * features)
    bias: Any  # (4 * features,) or None
    projection: Any  # (features, outputs) or None
    reverse: bool = static()

    def __init__(
        self,
        inputs: int,
        features: int,
        *,
        key: Any,
        reverse: bool = False,
        bias: bool = True,
        outputs: int | None = None,
        weight_init: Initializer = init.glorot_uniform,
        recurrent_init: Initializer = init.orthogonal,
        bias_init: Initializer = init.zeros,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        initializers = (weight_init, recurrent_init, bias_init)
        placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
        outputs = None if outputs is None else _fewer_than(features, outputs)
        weights = _weights("LSTM", inputs, features, 4, key, initializers, placed, bias, outputs)
        self.weight, self.recurrent, self.bias = weights
        self.projection = (
            None
            if outputs is None
            else drawn(
                "LSTM", "projection", weight_init, fold_in(key, 3), (features, outputs), placed
            )
        )
        self.reverse = reverse

    def __call__(self, x: Any, state: Any = None, *, lengths: Any = None) -> Any:
        return self.run(x, state, lengths=lengths)[0]

    def run(self, x: Any, state: Any = None, *, lengths: Any = None) -> tuple[Any, Any]:
        """Return the hidden states after each step, and the last ``(hidden, cell)``."""
        rows, zeros = _begun("LSTM", self, x)
        lengths = _checked_lengths("LSTM", lengths, x)
        cells = zeros
        if self.projection is not None:
            xp, device = place_of(zeros)
            shape = (x.shape[0], self.projection.shape[0])
            cells = xp.zeros(shape, dtype=zeros.dtype, device=device)
        state = (zeros, cells) if state is None else _checked_pair(state, (zeros, cells))

        def step(row, state):
            hidden, cell = state
            gates = parts_of(add(row, matmul(hidden, self.recurrent)), 4, axis=-1)
            cell = sigmoid(gates[1]) * cell + sigmoid(gates[0]) * tanh(gates[2])
            hidden = sigmoid(gates[3]) * tanh(cell)
            if self.projection is not None:
                hidden = matmul(hidden, self.projection)
            return hidden, (hidden, cell)

        return _along(rows, step, state, self.reverse, lengths)


class GRU(Module):
    """Carry a state along a sequence, that gates reset and update: gated recurrent units.

    ``candidate = tanh(x_c + sigmoid(r) * (state_c + recurrent_bias))``, and the next state is
    ``sigmoid(u) * state + (1 - sigmoid(u)) * candidate``, as PyTorch has it. Shapes and the
    other arguments are those of ``RNN``. Source: Cho and others, "Learning phrase
    representations using RNN encoder-decoder" (EMNLP 2014).

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.GRU(3, 5, key=gx.random.key(0))
    >>> layer(np.ones((2, 7, 3), dtype=np.float32)).shape
    (2, 7, 5)
    """

    weight: Any  # (inputs, 3 * features)
    recurrent: Any  # (features, 3 * features)
    bias: Any  # (3 * features,) or None
    recurrent_bias: Any  # (features,) or None
    reverse: bool = static()

    def __init__(
        self,
        inputs: int,
        features: int,
        *,
        key: Any,
        reverse: bool = False,
        bias: bool = True,
        weight_init: Initializer = init.glorot_uniform,
        recurrent_init: Initializer = init.orthogonal,
        bias_init: Initializer = init.zeros,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        initializers = (weight_init, recurrent_init, bias_init)
        placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
        key, last_key = split(key)
        weights = _weights("GRU", inputs, features, 3, key, initializers, placed, bias)
        self.weight, self.recurrent, self.bias = weights
        own = drawn("GRU", "bias", bias_init, last_key, (features,), placed) if bias else None
        self.recurrent_bias = own
        self.reverse = reverse

    def __call__(self, x: Any, state: Any = None, *, lengths: Any = None) -> Any:
        return self.run(x, state, lengths=lengths)[0]

    def run(self, x: Any, state: Any = None, *, lengths: Any = None) -> tuple[Any, Any]:
        """Return the states after each step, and the last of them."""
        rows, zeros = _begun("GRU", self, x)
        lengths = _checked_lengths("GRU", lengths, x)
        state = zeros if state is None else _checked("GRU", state, zeros)

        def step(row, state):
            reset, update, candidate = parts_of(row, 3, axis=-1)
            own = parts_of(matmul(state, self.recurrent), 3, axis=-1)
            within = sigmoid(add(reset, own[0])) * _plus(own[2], self.recurrent_bias)
            candidate = tanh(add(candidate, within))
            state = candidate + sigmoid(add(update, own[1])) * (state - candidate)
            return state, state

        return _along(rows, step, state, self.reverse, lengths)


def _fewer_than(features, outputs):
    outputs = integer("LSTM", "outputs", outputs, least=1)
    if outputs >= integer("LSTM", "features", features, least=1):
        raise ShapeError(f"LSTM: outputs={outputs} of features={features}, expected fewer")
    return outputs


def _weights(name, inputs, features, gates, key, initializers, placed, bias, outputs=None):
    inputs = integer(name, "inputs", inputs, least=1)
    features = integer(name, "features", features, least=1)
    shapes = {
        "weight": (inputs, gates * features),
        "recurrent": (outputs or features, gates * features),
        "bias": (gates * features,) if bias else None,
    }
    return [
        None if shape is None else drawn(name, what, initializer, key, shape, placed)
        for key, initializer, (what, shape) in zip(
            split(key, 3), initializers, shapes.items(), strict=True
        )
    ]


def _begun(name, layer, x):
    """Return what each step's input adds, for all steps at once, and a state of zeros."""
    require_array(name, "the input", x)
    inputs, features = layer.weight.shape[0], layer.recurrent.shape[0]
    if len(x.shape) != 3 or x.shape[2] != inputs or not x.shape[1]:
        raise ShapeError(
            f"{name}: expected (samples, steps, {inputs}) with a step or more, got {tuple(x.shape)}"
        )
    rows = _plus(matmul(x, layer.weight), layer.bias)
    xp, device = place_of(rows)
    zeros = xp.zeros((x.shape[0], features), dtype=untracked(rows).dtype, device=device)
    return unstack(rows, axis=1), zeros


def _plus(x, bias):
    return x if bias is None else add(x, bias)


def _checked_lengths(name, lengths, x):
    """Return them as (samples, 1), or ``None``."""
    if lengths is None:
        return None
    require_array(name, "lengths", lengths)
    if not is_kind(lengths, "integral") or tuple(lengths.shape) != (x.shape[0],):
        raise ShapeError(
            f"{name}: lengths are {describe(lengths)}, expected integers of shape ({x.shape[0]},)"
        )
    lengths = checked_targets(lengths, law="length", name=name, classes=x.shape[1])
    return reshape(lengths, (x.shape[0], 1))


def _along(rows, step, state, reverse, lengths):
    outputs = []
    for place, row in list(enumerate(rows))[:: -1 if reverse else 1]:
        out, following = step(row, state)
        if lengths is not None:
            is_there = greater(lengths, place)
            out = where(is_there, out, 0.0)
            # Past the end of a sequence its state waits.
            following = tree.map(partial(where, is_there), following, state)
        outputs.append(out)
        state = following
    return stack(outputs[::-1] if reverse else outputs, axis=1), state


def _checked(name, state, zeros):
    require_array(name, "the state", state)
    if tuple(state.shape) != tuple(zeros.shape):
        raise ShapeError(
            f"{name}: expected a state of {tuple(zeros.shape)}, (samples, features), "
            f"got {tuple(state.shape)}"
        )
    return state


def _checked_pair(state, zeros):
    if not isinstance(state, (tuple, list)) or len(state) != 2:
        raise ShapeError("LSTM: expected the state (hidden, cell), as run returned it")
    return tuple(_checked("LSTM", part, own) for part, own in zip(state, zeros, strict=True))
