"""Questions about an array that have one answer through all layers of tracking."""

from typing import Any

from gradx.backends import Backend, backend_of, find_backend
from gradx.core.trace import capturing
from gradx.core.views import Tensor

PYTHON_SCALARS = {bool, int, float, complex}

# The kinds of dtypes that arrays have derivatives in.
FLOATING = ("real floating", "complex floating")

# The answers of is_kind: libraries take microseconds to find them, at every boundary.
_KINDS: dict[tuple[type, Any, Any], bool] = {}


def untracked(x: Any) -> Any:
    """Return the plain array inside all the Tensors around it."""
    while type(x) is Tensor:
        x = x.value
    return x


def read_for(x: Any, what: str) -> Any:
    """Return the plain array inside ``x``, whose numbers are then read for ``what``.

    Raise ``CaptureError`` where they differ from call to call: in a captured graph.
    """
    while type(x) is Tensor:
        x = x.trace.plain(x, what)
    return x


def is_number(x: Any) -> bool:
    """Tell whether ``x`` is a Python number, or stands for one in a captured graph."""
    return type(x) in PYTHON_SCALARS or (type(x) is Tensor and x.trace.holds_number(x))


def reading_stalls(x: Any) -> bool:
    """Tell whether nothing may be decided by the numbers in ``x``.

    On a GPU that would wait for all that was launched; in a graph that is being
    captured the decision would be kept, whatever the numbers are the next time.
    """
    return capturing.get() or backend_for(x).reading_stalls


def backend_for(x: Any) -> Backend:
    """Return the backend of the plain array inside ``x``."""
    return backend_of(type(untracked(x)))


def is_kind(x: Any, kind: str | tuple[str, ...]) -> bool:
    """Tell whether the dtype of ``x`` is of a kind that ``isdtype`` of the standard names."""
    x = untracked(x)
    question = (type(x), x.dtype, kind)
    known = _KINDS.get(question)
    if known is None:
        known = _KINDS[question] = backend_of(type(x)).xp.isdtype(x.dtype, kind)
    return known


def is_array(x: Any) -> bool:
    """Tell whether ``x`` is a Tensor or an array of a known library."""
    return type(x) is Tensor or find_backend(type(x)) is not None


def as_dtype(x: Any, dtype: Any) -> Any:
    """Return ``dtype``, which may be a name such as ``"float32"``, as ``x``'s library has it."""
    return getattr(backend_for(x).xp, dtype) if isinstance(dtype, str) else dtype
