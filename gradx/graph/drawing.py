"""Random generators with a state, which a captured function must not draw from.

A graph would hold the numbers drawn while it was captured, and every replay would repeat
them: a dropout mask, say, that never changes.
"""

import pickle
import threading
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from gradx.backends.native import threads
from gradx.errors import CaptureError

REPEATED = (
    "every replay would repeat them; draw them with gx.random from a key that is an argument, or "
    "pass them as an argument"
)


class Generators:
    """NumPy's and Python's own generators, and others found among objects, as they are now."""

    def __init__(self, objects: Iterable[Any] = ()) -> None:
        found = [(f"a {type(x).__name__}", state) for x in objects if (state := _state_of(x))]
        shared = lambda: np.random.get_state(legacy=False)  # noqa: NPY002 -- it is watched, not used
        self.states = [("random", _random().getstate), ("np.random", shared), *found]
        self.before = [pickle.dumps(state()) for _, state in self.states]

    def require_unused(self, name: str) -> None:
        """Raise an error if one has been drawn from since, by the function ``name``.

        While other threads run it may have been one of them, so that is a warning.

        Raises:
            CaptureError: one has.
        """
        for (generator, state), before in zip(self.states, self.before, strict=True):
            if pickle.dumps(state()) == before:
                continue
            if threading.active_count() - threads.helpers() > 1:
                warnings.warn(
                    f"while {name} was captured, random numbers were drawn from {generator}, in "
                    f"this thread or another; if {name} drew them, {REPEATED}",
                    stacklevel=2,
                )
            else:
                raise CaptureError(f"{name}: it drew random numbers from {generator}: {REPEATED}")


def _state_of(x: Any) -> Callable[[], Any] | None:
    if isinstance(x, np.random.Generator):
        return lambda: x.bit_generator.state
    if isinstance(x, np.random.RandomState):
        return lambda: x.get_state(legacy=False)
    return x.getstate if isinstance(x, _random().Random) else None


@cache
def _random() -> Any:
    return import_module("random")  # when something is captured: it takes a while
