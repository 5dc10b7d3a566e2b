"""An average over processes that run the same program: what data-parallel training needs of MPI."""

import os
from functools import cache
from typing import Any

import numpy as np

from gradx.core.op import multilinear
from gradx.core.optional import optional
from gradx.core.samples import single_arrays
from gradx.errors import DeviceError

# What launchers put into the environment: of MPICH and Slurm, of PMIx, of Open MPI.
LAUNCHED = ("PMI_SIZE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE")


@cache
def communicator() -> Any:
    """Return MPI's communicator of all processes, None where no launcher started this one."""
    if not any(name in os.environ for name in LAUNCHED):
        return None
    return optional("mpi4py.MPI", "gx.distributed under mpiexec", extra="mpi").COMM_WORLD


@multilinear(transpose={"x": lambda g: mean_of_processes(g)}, samples=single_arrays)
def mean_of_processes(xp, x, /):
    """Average over the processes of an MPI world; every process has the same bits of it.

    Raises:
        RuntimeError: there are several, and the array is not NumPy's.
    """
    processes = communicator()
    if processes is None or processes.size == 1:
        return xp.asarray(x, copy=True)
    if not isinstance(x, (np.ndarray, np.generic)):
        raise DeviceError(
            f"gx.distributed averages NumPy arrays only, got one of {type(x).__module__}: "
            "run with device='cpu'"
        )
    total = np.empty_like(x, order="C", subok=False)
    # Not Allreduce, which may add in another order on every process.
    processes.Reduce(np.asarray(x, order="C"), total)
    total /= processes.size
    processes.Bcast(total)
    return total
