"""The array libraries gradx runs on, one module each, and who is chosen.

Nothing here knows an op or a transform; `registry.py` says how one is chosen.
"""

from gradx.backends.base import Backend as Backend
from gradx.backends.default import chosen_device as chosen_device
from gradx.backends.default import current_device as current_device
from gradx.backends.default import default_backend as default_backend
from gradx.backends.default import default_device as default_device
from gradx.backends.dtypes import native_dtype as native_dtype
from gradx.backends.dtypes import numpy_dtype as numpy_dtype
from gradx.backends.registry import backend_for_device as backend_for_device
from gradx.backends.registry import backend_of as backend_of
from gradx.backends.registry import canonical_device as canonical_device
from gradx.backends.registry import device_of as device_of
from gradx.backends.registry import devices as devices
from gradx.backends.registry import find_backend as find_backend
from gradx.backends.registry import register as register
from gradx.backends.settings import current_matmul_precision as current_matmul_precision
from gradx.backends.settings import deterministic as deterministic
from gradx.backends.settings import is_deterministic as is_deterministic
from gradx.backends.settings import matmul_precision as matmul_precision
