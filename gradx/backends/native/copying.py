"""Copies between arrays whose rows lie apart, in several threads.

NumPy takes as long for each short row as for a few dozen elements, and one thread for all.
Rows are copied here in vectors as wide as fit in one, the last of which may lie over the one
before it.
"""

import ctypes
from functools import cache, lru_cache
from math import prod
from typing import Any, NamedTuple

from gradx.backends.native import compiler, threads
from gradx.backends.native.storage import user_store

WORTH_IT = 1 << 12  # bytes; below, what surrounds the loop takes longer than it does
WORTH_SHARING = 1 << 17
WIDTHS = (64, 32, 16)  # bytes of vectors
AXES = 3  # those that rows are along: units, and two more

NO_AXIS = (1, 0, 0)  # length and strides
TEXT = """
define i32 @copy_rows(ptr %arrays, ptr %numbers, i64 %first, i64 %end) {
entry:
LOADS
%to0 = load ptr, ptr %arrays
%second = getelementptr i64, ptr %arrays, i64 1
%from0 = load ptr, ptr %second
%last = sub i64 %n9, WIDTH
br label %axis0
axis0:
%i0 = phi i64 [ %first, %entry ], [ %next0, %done1 ]
%a0 = mul i64 %i0, %n1
%b0 = mul i64 %i0, %n2
%to1 = getelementptr i8, ptr %to0, i64 %a0
%from1 = getelementptr i8, ptr %from0, i64 %b0
br label %axis1
axis1:
%i1 = phi i64 [ 0, %axis0 ], [ %next1, %done2 ]
%a1 = mul i64 %i1, %n4
%b1 = mul i64 %i1, %n5
%to2 = getelementptr i8, ptr %to1, i64 %a1
%from2 = getelementptr i8, ptr %from1, i64 %b1
br label %axis2
axis2:
%i2 = phi i64 [ 0, %axis1 ], [ %next2, %row_done ]
%a2 = mul i64 %i2, %n7
%b2 = mul i64 %i2, %n8
%to3 = getelementptr i8, ptr %to2, i64 %a2
%from3 = getelementptr i8, ptr %from2, i64 %b2
br label %row
row:
%k = phi i64 [ 0, %axis2 ], [ %after, %row_more ]
%whole = icmp ult i64 %k, %last
%at = select i1 %whole, i64 %k, i64 %last
%source = getelementptr i8, ptr %from3, i64 %at
%target = getelementptr i8, ptr %to3, i64 %at
%value = load <WIDTH x i8>, ptr %source, align 1
store <WIDTH x i8> %value, ptr %target, align 1
br i1 %whole, label %row_more, label %row_done
row_more:
%after = add i64 %k, WIDTH
br label %row
row_done:
%next2 = add i64 %i2, 1
%more2 = icmp ult i64 %next2, %n6
br i1 %more2, label %axis2, label %done2
done2:
%next1 = add i64 %i1, 1
%more1 = icmp ult i64 %next1, %n3
br i1 %more1, label %axis1, label %done1
done1:
%next0 = add i64 %i0, 1
%more0 = icmp ult i64 %next0, %end
br i1 %more0, label %axis0, label %done0
done0:
ret i32 0
}
"""
Steps = tuple[int, ...]


class Way(NamedTuple):
    """How arrays are copied: the loop, how many units, its numbers and where they begin."""

    loop: threads.Loop
    units: int
    numbers: Any
    address: int


@lru_cache(maxsize=1 << 10)
def _way(shape: Steps, to_strides: Steps, from_strides: Steps, size: int) -> Way | None:
    """Return how to copy; None where rows are too short, or there are too many axes."""
    axes = _joined(shape, to_strides, from_strides)
    length, *steps = axes.pop() if axes else NO_AXIS
    if steps != [size, size] or length * size < WIDTHS[-1] or len(axes) > AXES:
        return None
    units, inside = axes[:1] or [NO_AXIS], axes[1:]
    axes = [*units, *[NO_AXIS] * (AXES - 1 - len(inside)), *inside]
    width = next(w for w in WIDTHS if w <= length * size)
    numbers = [n for axis in axes for n in axis] + [length * size]
    kept = (ctypes.c_int64 * len(numbers))(*numbers)
    return Way(_loop(width), axes[0][0], kept, ctypes.addressof(kept))


def _joined(shape: Steps, to_strides: Steps, from_strides: Steps) -> list[tuple[int, int, int]]:
    """Return length and strides of each axis; those that are as one in both arrays are one."""
    axes: list[tuple[int, int, int]] = []
    for length, *steps in zip(shape, to_strides, from_strides, strict=True):
        if length == 1:
            continue
        if axes and all(a == b * length for a, b in zip(axes[-1][1:], steps, strict=True)):
            axes[-1] = (axes[-1][0] * length, steps[0], steps[1])
        else:
            axes.append((length, steps[0], steps[1]))
    return axes


def copy(to: Any, source: Any) -> None:
    """Copy one NumPy array to another of the same shape, where there is no overlap."""
    size = to.itemsize
    way = None
    if to.dtype == source.dtype and to.shape == source.shape and to.nbytes >= WORTH_IT:
        way = _way(to.shape, to.strides, source.strides, size)
    if way is None:
        to[...] = source
        return
    arrays = (ctypes.c_int64 * 2)(_begin(to), _begin(source))
    place = ctypes.addressof(arrays)
    if prod(to.shape) * size < WORTH_SHARING:
        way.loop.function(place, way.address, 0, way.units)
    else:
        threads.run(way.loop, place, way.address, way.units)


def _begin(array: Any) -> int:
    return array.__array_interface__["data"][0]


@cache
def _loop(width: int) -> threads.Loop:
    (address,) = compiler.addresses(_text(width), ("copy_rows",), user_store())
    return threads.loop_at(address)


def _text(width: int) -> str:
    loads = "\n".join(
        f"%p{i} = getelementptr i64, ptr %numbers, i64 {i}\n%n{i} = load i64, ptr %p{i}"
        for i in range(3 * AXES + 1)
    )
    return TEXT.replace("LOADS", loads).replace("WIDTH", str(width))
