"""array-api-strict: refuses whatever the standard does not promise (tests only).

Its invented devices (``"strict:device1"``) let transfers and the mixing of
devices be tested where there is no GPU, so conversions copy, as a GPU's do.
"""

import sys
from functools import partial

import array_api_strict as xp
import numpy as np

from gradx.backends.base import Backend
from gradx.backends.conforming import conforming_backend


def _owns_memory(array) -> bool:
    # Two of its arrays may wrap one of NumPy's: here only this array and the
    # call of getrefcount hold it.
    return (
        sys.getrefcount(array._array) <= 2
        and array._array.base is None
        and array._array.flags.writeable
    )


def _from_numpy(array, device: str):
    return xp.asarray(array, device=BACKEND.native_device(device), copy=True)


BACKEND: Backend = conforming_backend(
    "strict",
    xp,
    type(xp.asarray(0)),
    spell=lambda device: device._device,
    to_numpy=lambda array: array._array.copy(),
    from_numpy=_from_numpy,
    # Its others lack dtypes, and are there for who asks for them.
    devices=lambda: ["strict:CPU_DEVICE", "strict:device1", "strict:device2"],
    shares_memory=lambda x, y: np.may_share_memory(x._array, y._array),
    owns_memory=_owns_memory,
    quiet=partial(np.errstate, divide="ignore", invalid="ignore"),
)
