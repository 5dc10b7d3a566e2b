"""What has to be settled before NumPy is imported: how long its threads keep a processor.

After a product of matrices the threads of OpenBLAS, which NumPy comes with, look for more work
for 2**26 cycles, 27 ms, and leave no processor to the loops between two products, which would run
on all of them too. What is in the environment already is left alone.
"""

import os
import sys
from importlib.util import find_spec

PATIENCE = "OPENBLAS_THREAD_TIMEOUT"
CYCLES = 16  # a power of 2: a few times as long as it takes to wake a thread

if "numpy" not in sys.modules and find_spec("llvmlite") is not None:
    os.environ.setdefault(PATIENCE, str(CYCLES))
