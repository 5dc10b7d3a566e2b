"""Checks for gradx's own tests and for its users': of derivatives, and of a whole namespace."""

from gradx.testing.derivatives import check_derivatives as check_derivatives
from gradx.testing.tracking import tracked as tracked
