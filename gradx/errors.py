"""Every error gradx raises on purpose.

Each derives from ``GradxError`` and from the built-in that a caller would
expect, so both ``except gx.GradxError`` and ``except ValueError`` work.
"""

from numpy.linalg import LinAlgError


class GradxError(Exception):
    """Base of all errors of gradx."""

    def locate(self, where: str) -> None:
        """Add where it happened to the message: outer layers are named first."""
        message, *rest = self.args or ("",)
        head, separator, inner = str(message).rpartition(", in ")
        known = f"{where}.{inner}" if separator else where
        self.args = (f"{head if separator else message}, in {known}", *rest)


class DeviceError(GradxError, RuntimeError):
    """A device cannot be used, or arrays of two devices meet in one op."""


class ShapeError(GradxError, ValueError):
    """A shape or a value is not one the function accepts."""


class MatrixError(ShapeError, LinAlgError):
    """A matrix has no inverse or no factor, or an iteration on it did not end."""


class DTypeError(GradxError, TypeError):
    """A dtype or a type is not one the function accepts."""


class NotAnArrayError(DTypeError):
    """Something else stands where an array belongs."""


class AxisError(GradxError, IndexError, ValueError):
    """An axis does not exist, or is named twice."""


class OutOfBoundsError(GradxError, IndexError):
    """An index lies outside the array."""


class TrackedError(GradxError, TypeError):
    """A tracked Tensor was used where its derivative would be lost."""


class MissingAttributeError(GradxError, AttributeError):
    """A Tensor lacks an attribute, which an array of NumPy may have."""


class TapeError(GradxError, RuntimeError):
    """A tape was freed, or a Tensor outlived the transform that made it."""


class CaptureError(TrackedError):
    """A step that is being captured asks for a number, which differs from call to call."""


class OutOfMemoryError(GradxError, MemoryError):
    """An op's result did not fit into memory; what is there is untouched."""


class NonFiniteError(GradxError, FloatingPointError):
    """A value or a derivative is NaN or infinite."""


class DatasetError(GradxError, FileNotFoundError):
    """A data set is not on this machine, or its file is not what it should be."""


class MissingPackageError(GradxError, ImportError):
    """A package that gradx does not need for anything else is not installed."""


class CheckpointError(GradxError, ValueError):
    """A file with saved arrays is damaged, or no such file."""
