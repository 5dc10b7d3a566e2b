"""NumPy's own functions on Tensors: ``np.sin(t)`` and ``np.linalg.inv(t)`` call gradx's ops.

One file per chapter of NumPy's reference; each says which gradx function
answers which of NumPy's, in a table.
"""

from gradx.numpy_protocols.builtin_functions import PYTHON_PROTOCOLS as PYTHON_PROTOCOLS
from gradx.numpy_protocols.dispatch import array_function as array_function
from gradx.numpy_protocols.dispatch import array_ufunc as array_ufunc
from gradx.numpy_protocols.methods import METHODS as METHODS
