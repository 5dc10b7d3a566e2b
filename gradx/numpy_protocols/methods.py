"""The methods of NumPy's arrays that are functions of NumPy too: ``t.sum(0)``, ``t.clip(0, 1)``."""

from typing import Any

import numpy as np

from gradx.numpy_protocols.dispatch import FUNCTIONS
from gradx.ops.elementwise import conj

NAMES = """
    all any argmax argmin argsort clip cumprod cumsum diagonal dot max mean min nonzero prod
    repeat round searchsorted squeeze std sum swapaxes take var
"""

METHODS: dict[str, Any] = {name: FUNCTIONS[getattr(np, name)] for name in NAMES.split()}
METHODS["conjugate"] = conj
METHODS["compress"] = lambda self, condition, axis=None: FUNCTIONS[np.compress](
    condition, self, axis
)
