"""Training with several processes: each takes a part of every batch, all take the same step.

``mpiexec -n 4 python -m mpi4py train.py`` runs a script four times (without ``-m mpi4py`` a
crash of one process would leave the others waiting for ever); ``python train.py`` runs the same
script alone, where the world is of one process. Needs ``pip install 'gradx[mpi]'``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from gradx.core import tree
from gradx.core.arrays import untracked
from gradx.data.batches import Batches
from gradx.data.samplers import Sampler, subsets
from gradx.errors import DTypeError, ShapeError
from gradx.ops.collective import communicator, mean_of_processes
from gradx.ops.joining import concat
from gradx.ops.shapes import reshape
from gradx.transforms.boundary import as_array


@dataclass(frozen=True)
class World:
    """All processes that run this script: which one this is, and how many there are.

    ``rank`` is from 0 to ``size - 1``; the first process is that of rank 0.
    """

    rank: int
    size: int

    def mean(self, values: Any) -> Any:
        """Return a tree of floating-point arrays, averaged over all: the same bits on each.

        Every process calls it as often as every other, with trees of the same shapes.

        >>> import numpy as np, gradx as gx
        >>> gx.distributed.world().mean({"loss": np.asarray([0.5])})
        {'loss': array([0.5])}
        """
        leaves, structure = tree.flatten(values)
        leaves = [as_array(leaf) for leaf in leaves]
        if self.size > 1:
            leaves = _averaged(leaves)
        return tree.unflatten(structure, leaves)

    def part(self, data: Batches) -> Batches:
        """Return batches that are this process's part of every batch, an equal one for each.

        Raises:
            ValueError: the processes cannot have equal parts of a batch.
        """
        if not isinstance(data, Batches):
            raise DTypeError(
                f"distributed: data is {type(data).__name__}, expected arrays or "
                "gx.data.batches(...): others cannot be divided"
            )
        last = data.rows.length % data.size if data.sampler is subsets else 0
        is_short = last and data.steps * data.size > data.rows.length
        for size in [data.size, *([last] if is_short else [])]:
            if size % self.size:
                raise ShapeError(
                    f"distributed: a batch of {size} rows for {self.size} processes: choose a "
                    "size that they divide, and drop_last=True if the last batch is a smaller one"
                )
        return replace(data, sampler=_part_of(data.sampler, self)) if self.size > 1 else data

    def agree(self, value: Any) -> Any:
        """Return the value that the first process has, a picklable one, on all of them."""
        return communicator().bcast(value) if self.size > 1 else value


def world() -> World:
    """Return the world of this process: of one, unless ``mpiexec`` started several.

    >>> import gradx as gx
    >>> gx.distributed.world()
    World(rank=0, size=1)
    """
    processes = communicator()
    return World(0, 1) if processes is None else World(processes.rank, processes.size)


def _averaged(leaves: list[Any]) -> list[Any]:
    """Average arrays of one dtype in one message."""
    found: dict[int, Any] = {}
    for dtype in dict.fromkeys(str(untracked(leaf).dtype) for leaf in leaves):
        places = [i for i, leaf in enumerate(leaves) if str(untracked(leaf).dtype) == dtype]
        flat = mean_of_processes(concat([reshape(leaves[i], (-1,)) for i in places]))
        sizes = [int(np.prod(leaves[i].shape)) for i in places]
        for i, (start, end) in zip(places, pairwise(accumulate(sizes, initial=0)), strict=True):
            found[i] = reshape(flat[start:end], leaves[i].shape)
    return [found[i] for i in range(len(leaves))]


def _part_of(sampler: Sampler, world: World) -> Sampler:
    def parts(key: Any, length: int, size: int, start: int, steps: int) -> Iterator[np.ndarray]:
        plan = sampler(key, length, size, start, steps)
        return (indices[world.rank :: world.size] for indices in plan)

    return parts
