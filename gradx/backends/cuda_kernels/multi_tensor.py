"""One launch for the update of a whole tree: SGD, momentum, Adam and AdamW.

A table in the device's memory says where the arrays of each leaf lie, cut into chunks, one for
a block. Rates and step counts lie there too: a captured step that is replayed has today's.
The arithmetic is that of ``gradx.optim``; results may be written over what they are made from.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gradx.backends.cuda_kernels.launching import launch
from gradx.backends.cuda_kernels.prelude import REALS, THREADS, Number, real_number, source
from gradx.errors import ShapeError

CHUNK = 1 << 14  # elements for a block: 64 KB of each array
COLUMNS = 8  # words in a line of the table

TEXT = """
struct Chunk {
    Stored* update; const Stored* gradient; const Stored* parameter;
    const Real* first; const Real* second; Real* new_first; Real* new_second; int64 count;
};

#define IN_CHUNK(i, chunk) for (int64 i = threadIdx.x; i < (chunk).count; i += blockDim.x)

extern "C" __global__ void sgd(const uint64* table, const double* scales) {
    const Chunk chunk = ((const Chunk*)table)[blockIdx.x];
    const Real rate = scales[0];
    IN_CHUNK(i, chunk) keep(chunk.update + i, -rate * (Real)loaded(chunk.gradient[i]));
}

extern "C" __global__ void momentum(
        const uint64* table, const double* scales, double share, int64 nesterov) {
    const Chunk chunk = ((const Chunk*)table)[blockIdx.x];
    const Real rate = scales[0], kept = share;
    IN_CHUNK(i, chunk) {
        const Real g = loaded(chunk.gradient[i]);
        const Real velocity = chunk.first[i] * kept + g;
        chunk.new_first[i] = velocity;
        keep(chunk.update + i, -rate * (nesterov ? velocity * kept + g : velocity));
    }
}

// Adam where decay is 0, else AdamW.
extern "C" __global__ void adam(const uint64* table, const double* scales, double beta1,
                                double beta2, double decay) {
    const Chunk chunk = ((const Chunk*)table)[blockIdx.x];
    const Real share1 = 1 - beta1, share2 = 1 - beta2;
    const Real shrink = -scales[0] * decay, size = scales[1], offset = scales[2];
    IN_CHUNK(i, chunk) {
        const Real g = loaded(chunk.gradient[i]);
        const Real mean = (g - chunk.first[i]) * share1 + chunk.first[i];
        const Real square = (g * g - chunk.second[i]) * share2 + chunk.second[i];
        chunk.new_first[i] = mean, chunk.new_second[i] = square;
        Real update = mean / (sqrt(square) + offset) * size;
        if (decay != 0) update += shrink * (Real)loaded(chunk.parameter[i]);
        keep(chunk.update + i, update);
    }
}

// Count a step, and tell the size and the offset of Adam's update: scales[0] is the rate.
extern "C" __global__ void adam_scales(
        double* scales, int64* steps, double beta1, double beta2, double eps) {
    const int64 step = steps[0] + 1;
    const double root = sqrt(1 - pow(beta2, (double)step));
    steps[0] = step;
    scales[1] = -scales[0] * root / (1 - pow(beta1, (double)step));
    scales[2] = eps * root;
}
"""


class Leaf(NamedTuple):
    """The arrays of one parameter; an optimizer without averages has none of them.

    The update, gradient and parameter have its dtype. Averages are float64 for float64 and
    float32 for all others.
    """

    update: Any
    gradient: Any
    parameter: Any = None
    first: Any = None
    second: Any = None
    new_first: Any = None
    new_second: Any = None


class Table(NamedTuple):
    """Where the arrays of a tree lie: a line of addresses and a count for each chunk."""

    lines: Any
    number: Number
    leaves: tuple[Leaf, ...]  # held, so that their memory stays theirs


KINDS = [(number,) for number in REALS.values()]


@cache
def code(number: Number) -> str:
    """Return the source for one kind of numbers."""
    return source(number, TEXT)


def make_table(xp: Any, leaves: Sequence[Leaf], /) -> Table:
    """Tell where the arrays of ``leaves`` lie; all have one dtype and are contiguous."""
    dtypes = {leaf.gradient.dtype for leaf in leaves}
    if len(dtypes) != 1:
        raise ShapeError(
            f"make_table: expected leaves of one dtype, got {sorted(map(str, dtypes))}"
        )
    number = real_number("make_table", dtypes.pop())
    lines = [line for leaf in leaves for line in _lines(leaf)]
    table = np.asarray(lines, dtype=np.uint64).reshape(-1, COLUMNS)
    return Table(xp.asarray(table, device=leaves[0].gradient.device), number, tuple(leaves))


def sgd(table: Table, scales: Any, /) -> None:
    """Write ``-rate * g``; ``scales`` holds the rate."""
    _launch(table, "sgd", scales)


def momentum(table: Table, scales: Any, /, *, momentum: float, nesterov: bool) -> None:
    """Write the velocity and the step along it; ``scales`` holds the rate."""
    _launch(table, "momentum", scales, float(momentum), int(nesterov))


def adam(
    table: Table,
    scales: Any,
    steps: Any,
    /,
    *,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float = 0.0,
) -> None:
    """Count a step, then write both averages and the update: AdamW's where weights decay.

    ``scales`` is three float64, the rate and room for two more; ``steps`` one int64.
    """
    betas = (float(beta1), float(beta2))
    launch(code(table.number), "adam_scales", 1, 1, scales, steps, *betas, float(eps))
    _launch(table, "adam", scales, *betas, float(weight_decay))


def _launch(table, name, *arguments):
    launch(code(table.number), name, table.lines.shape[0], THREADS, table.lines, *arguments)


def _lines(leaf):
    """Give the addresses of each chunk of a leaf; 0 for an array that it has not."""
    arrays = [array for array in leaf if array is not None]
    size = leaf.gradient.size
    if any(array.size != size or not array.flags.c_contiguous for array in arrays):
        shapes = [array.shape for array in arrays]
        raise ShapeError(f"make_table: expected contiguous arrays of one size, got {shapes}")
    for start in range(0, size, CHUNK):
        places = [0 if x is None else x.data.ptr + start * x.itemsize for x in leaf]
        yield [*places, min(CHUNK, size - start)]
