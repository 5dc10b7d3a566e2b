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

# Dividing numbers of 64 bits takes a GPU longer than all the rest, so places are of 32 where
# arrays are that small; and it loops over the axes of a kernel, instead of dividing.
NARROW = 1 << 30

TEXT = (
    """
struct Axis { Place length, output, kernel, stride, before, dilation; };
struct Axes {
    Axis of[3];
    __device__ Place elements() const { return of[0].length * of[1].length * of[2].length; }
    __device__ Place windows() const { return of[0].output * of[1].output * of[2].output; }
    __device__ Place places() const { return of[0].kernel * of[1].kernel * of[2].kernel; }
};

// Three numbers from one, in row-major order, and back.
struct Index { Place of[3]; };
#define INDEX_AMONG(part) \\
    __device__ __forceinline__ Index index_among_##part(const Axes& axes, Place i) { \\
        const Place last = axes.of[2].part, middle = axes.of[1].part; \\
        return {{i / last / middle, i / last % middle, i % last}}; \\
    }
INDEX_AMONG(length)
INDEX_AMONG(output)
INDEX_AMONG(kernel)

// Along one axis: the element that a window reads at a place of the kernel, -1 in the padding.
__device__ __forceinline__ Place element_along(const Axis& axis, Place window, Place place) {
    const Place i = window * axis.stride + place * axis.dilation - axis.before;
    return i < axis.length ? i : -1;
}

// Along one axis: the window that reads an element at a place of the kernel, -1 if none does.
__device__ __forceinline__ Place window_along(const Axis& axis, Place element, Place place) {
    const Place start = element + axis.before - place * axis.dilation;
    if (axis.stride == 1) return start < axis.output ? start : -1;
    if (start < 0 || start % axis.stride) return -1;
    return start / axis.stride < axis.output ? start / axis.stride : -1;
}

// Call a function with each that is there, and the place of the kernel, in the order of places.
#define FOR_EACH_AMONG(name, along, part) \\
    template <class Function> __device__ __forceinline__ void name( \\
            const Axes& axes, const Index& from, Function function) { \\
        const Axis &a = axes.of[0], &b = axes.of[1], &c = axes.of[2]; \\
        for (Place i = 0; i < a.kernel; ++i) { \\
            const Place first = along(a, from.of[0], i); \\
            if (first < 0) continue; \\
            for (Place j = 0; j < b.kernel; ++j) { \\
                const Place second = along(b, from.of[1], j); \\
                if (second < 0) continue; \\
                for (Place k = 0; k < c.kernel; ++k) { \\
                    const Place third = along(c, from.of[2], k); \\
                    if (third < 0) continue; \\
                    function((first * b.part + second) * c.part + third, \\
                             (i * b.kernel + j) * c.kernel + k); \\
                } \\
            } \\
        } \\
    }
FOR_EACH_AMONG(for_each_element, element_along, length)
FOR_EACH_AMONG(for_each_window, window_along, output)

#define FOR_EACH_PLACE(i, total) \\
    for (Place i = (Place)FIRST; i < (Place)(total); i += (Place)EVERY)
"""
    + "#define AXES Axes{{"
    + ", ".join(
        "{" + ", ".join(f"(Place){part}{axis}" for part in PARTS) + "}" for axis in range(3)
    )
    + "}}\n"
)


def text(wide: bool) -> str:
    """Return the source; arrays of ``NARROW`` elements and more need wide places."""
    return f"typedef {'int64' if wide else 'int'} Place;\n{TEXT}"


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
