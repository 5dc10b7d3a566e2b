"""What gradx does not compute of NumPy's functions, and says so."""

from collections.abc import Iterable

from gradx.errors import TrackedError


def unknown(call: str, options: Iterable[str] = ()) -> TrackedError:
    """Return the error for a call of NumPy's that has no derivative here."""
    given = f" with {', '.join(options)}" if options else ""
    return TrackedError(
        f"gradx has no derivative for {call}{given}: write it with functions of gx, or, where "
        "no derivative is needed, call it on t.detach() or gx.stop_gradient(t)"
    )


def would_write(function: str) -> TrackedError:
    """Return the error for a call that is to write into an array."""
    return TrackedError(
        f"{function}(..., out=...): writing a tracked Tensor into an array would lose "
        "its derivative; use the value that the function returns"
    )
