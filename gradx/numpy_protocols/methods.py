"""The methods of NumPy's arrays that are functions of NumPy too: ``t.sum(0)``, ``t.clip(0, 1)``."""

from math import inf
from typing import Any

import numpy as np

from gradx.core.explain import EXPLAINED, explain_composed
from gradx.errors import GradxError
from gradx.numpy_protocols.dispatch import FUNCTIONS, array_function, place_of_out

NAMES = """
    all any argmax argmin argpartition argsort choose clip cumprod cumsum diagonal dot max mean min
    nonzero prod put repeat round searchsorted squeeze std sum swapaxes take var
"""


def _method_of(function):
    """Return a function of NumPy as a method, which may write into ``out``."""
    adapter = FUNCTIONS[function]
    place = place_of_out(function) or inf

    def method(self, *args, **kwargs):
        if "out" in kwargs or len(args) >= place:
            return array_function(self, function, (), (self, *args), kwargs)
        try:
            return adapter(self, *args, **kwargs)
        except GradxError:
            raise
        except EXPLAINED as error:
            raise explain_composed(function.__name__, error, (self, *args), kwargs) from error

    return method


METHODS: dict[str, Any] = {name: _method_of(getattr(np, name)) for name in NAMES.split()}
METHODS["conjugate"] = lambda self: self.conj()
METHODS["compress"] = lambda self, condition, axis=None, out=None: np.compress(
    condition, self, axis, out
)
