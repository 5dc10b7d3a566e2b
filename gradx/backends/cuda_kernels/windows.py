"""Windows in C: convolution and pooling share how they find an element of one, and back.

One and two spatial axes are three, the first of which are 1 long. Along each axis window ``p``
reads the elements ``p * stride + k * dilation - before``.
"""

from math import prod
from typing import Any, NamedTuple

Lengths = tuple[int, ...]

PARTS = ("length", "output", "kernel", "stride", "before", "dilation")
NEUTRAL = (1, 1, 1, 1, 0, 1)  # an axis that is 1 long

PARAMETERS = ", ".join(f"int64 {part}{axis}" for part in PARTS for axis in range(3))

TEXT = (
    """
struct Axis { int64 length, output, kernel, stride, before, dilation; };
struct Axes {
    Axis of[3];
    __device__ int64 elements() const { return of[0].length * of[1].length * of[2].length; }
    __device__ int64 windows() const { return of[0].output * of[1].output * of[2].output; }
    __device__ int64 places() const { return of[0].kernel * of[1].kernel * of[2].kernel; }
};

// Three numbers from one, in row-major order, and back.
struct Index { int64 of[3]; };
#define INDEX_AMONG(part) \\
    __device__ __forceinline__ Index index_among_##part(const Axes& axes, int64 i) { \\
        const int64 last = axes.of[2].part, middle = axes.of[1].part; \\
        return {{i / last / middle, i / last % middle, i % last}}; \\
    } \\
    __device__ __forceinline__ int64 flat_among_##part(const Axes& axes, const Index& i) { \\
        return (i.of[0] * axes.of[1].part + i.of[1]) * axes.of[2].part + i.of[2]; \\
    }
INDEX_AMONG(length)
INDEX_AMONG(output)
INDEX_AMONG(kernel)

// The element that a window reads at a place of the kernel, or -1 where it is padding.
__device__ __forceinline__ int64 element_of(
        const Axes& axes, const Index& window, const Index& place) {
    Index element;
    for (int axis = 0; axis < 3; ++axis) {
        const Axis& a = axes.of[axis];
        const int64 i = window.of[axis] * a.stride + place.of[axis] * a.dilation - a.before;
        if (i < 0 || i >= a.length) return -1;
        element.of[axis] = i;
    }
    return flat_among_length(axes, element);
}

// The window that reads an element at a place of the kernel, or -1 where none does.
__device__ __forceinline__ int64 window_of(
        const Axes& axes, const Index& element, const Index& place) {
    Index window;
    for (int axis = 0; axis < 3; ++axis) {
        const Axis& a = axes.of[axis];
        const int64 start = element.of[axis] + a.before - place.of[axis] * a.dilation;
        if (start < 0 || start % a.stride || start / a.stride >= a.output) return -1;
        window.of[axis] = start / a.stride;
    }
    return flat_among_output(axes, window);
}
"""
    + "#define AXES Axes{{"
    + ", ".join("{" + ", ".join(f"{part}{axis}" for part in PARTS) + "}" for axis in range(3))
    + "}}\n"
)


class Geometry(NamedTuple):
    """Lengths along each spatial axis, as in ``gradx.ops.windows``."""

    lengths: Lengths
    outputs: Lengths
    kernel: Lengths
    stride: Lengths
    before: Lengths
    dilation: Lengths

    @property
    def arguments(self) -> Lengths:
        """What a kernel with ``PARAMETERS`` takes."""
        pairs = zip(self, NEUTRAL, strict=True)
        return tuple(
            [int(n) for part, one in pairs for n in ((one,) * (3 - len(part)) + tuple(part))]
        )

    @property
    def elements(self) -> int:
        """How many elements all axes have together."""
        return prod(self.lengths)

    @property
    def windows(self) -> int:
        """How many windows there are."""
        return prod(self.outputs)

    @property
    def places(self) -> int:
        """How many elements a window has."""
        return prod(self.kernel)


def over(
    x_lengths: Any, kernel: Any, outputs: Any, stride: Any, before: Any, dilation: Any = None
) -> Geometry:
    """Return the geometry of windows; without ``dilation`` they are dense."""
    dense = (1,) * len(kernel)
    return Geometry(
        tuple(x_lengths), tuple(outputs), tuple(kernel), stride, before, dilation or dense
    )
