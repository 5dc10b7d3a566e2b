"""Copies of many arrays in one launch: what a replay is given, and what it hands out.

A training step has some forty of them, which one by one would take longer than the step.
"""

from functools import cache
from typing import Any

from gradx.backends.cuda_kernels.launching import launch
from gradx.backends.cuda_kernels.prelude import COMMON, MOST_BLOCKS, THREADS, blocks_for

MOST = 160  # arrays of one launch: each is three arguments, of which a kernel has room for 512

TEXT = """
struct alignas(16) Sixteen { uint64 low, high; };

// A row of blocks for each array. Sixteen bytes at a time where both arrays allow it.
extern "C" __global__ void copies(PARAMETERS) {
    unsigned char* to;
    const unsigned char* from;
    int64 size, whole = 0;
    CHOICES
    if (((uint64)to | (uint64)from) % 16 == 0) {
        whole = size / 16 * 16;
        FOR_EACH(i, size / 16) ((Sixteen*)to)[i] = ((const Sixteen*)from)[i];
    }
    FOR_EACH(i, size - whole) to[whole + i] = from[whole + i];
}
"""

KINDS = [(1,), (3,)]


@cache
def code(count: int) -> str:
    """Return the source for so many arrays."""
    each = "unsigned char* to{0}, const unsigned char* from{0}, int64 size{0}"
    choice = "if (blockIdx.y == {0}) {{ to = to{0}; from = from{0}; size = size{0}; }}"
    parameters = ", ".join(map(each.format, range(count)))
    choices = "\n    else ".join([*map(choice.format, range(count)), "return;"])
    return COMMON + TEXT.replace("PARAMETERS", parameters).replace("CHOICES", choices)


def copy_all(targets: list[Any], sources: list[Any]) -> None:
    """Copy arrays into others of their sizes and dtypes; all lie in row-major order."""
    for start in range(0, len(targets), MOST):
        _copy(targets[start : start + MOST], sources[start : start + MOST])


def _copy(targets: list[Any], sources: list[Any]) -> None:
    arguments: list[Any] = []
    largest = 0
    for target, source in zip(targets, sources, strict=True):
        size = target.nbytes
        arguments += (target, source, size)
        largest = max(largest, size)
    # The largest array has what blocks there are room for; others return at once or share.
    blocks = min(blocks_for(-(-largest // 16)), -(-MOST_BLOCKS // len(targets)))
    launch(code(len(targets)), "copies", (blocks, len(targets)), THREADS, *arguments)
