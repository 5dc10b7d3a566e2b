"""Integrals of products of powers by sums: the derivatives of Carlson's elliptic integrals.

In ``u = log(t)`` the integrand is analytic as far as ``pi`` from the real line and falls off
exponentially on both sides, so the trapezoidal rule's error is ``exp(-2 * pi**2 / step)``.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

NUMBERS = {bool, int, float}
STEP = 0.4  # of which the error is below the last digit of float64
NEGLIGIBLE = 42.0  # what is smaller by this power of e is left out
AT_ONCE = 65536  # elements


def integrate(arrays: Sequence[Any], halves: Sequence[int], power: int) -> Any:
    """Integrate ``t**power`` over the product of ``(t + array)**(half / 2)`` from 0 to infinity.

    It is infinite where so many are 0 that it diverges, and NaN where one is negative.
    """
    dtype = _dtype_of(arrays)
    spread = np.broadcast_arrays(*[np.asarray(array, np.float64) for array in arrays])
    shape = spread[0].shape
    used = [(array.ravel(), half) for array, half in zip(spread, halves, strict=True) if half]
    with np.errstate(all="ignore"):
        return _integral(used, power).astype(dtype).reshape(shape)


def _dtype_of(arrays: Sequence[Any]) -> Any:
    """Return the dtype of the result, to which Python's numbers and whole ones say nothing."""
    given = [array.dtype for array in arrays if type(array) not in NUMBERS]
    real = [dtype for dtype in given if dtype.kind == "f"]
    return np.result_type(*real) if real else np.dtype(np.float64)


def _integral(used: Sequence[tuple[Any, int]], power: int) -> Any:
    places = np.stack([place for place, _ in used])
    at_zero = sum(np.where(place == 0, 0.5 * half, 0.0) for place, half in used)
    fall = 0.5 * sum(half for _, half in used) - power - 1  # as t grows
    size = np.max(places, axis=0)
    inside = np.all((places >= 0) & np.isfinite(places), axis=0) & (at_zero < power + 1)
    scale = np.where(inside, size, 1.0)
    scaled = np.where(inside, places / scale, 1.0)
    total = np.zeros(scale.shape)
    for nodes in _nodes(scaled, power + 1 - np.where(inside, at_zero, 0.0), fall):
        term = nodes ** (power + 1)
        for place, (_, half) in zip(scaled, used, strict=True):
            term = term * (nodes + place) ** (-0.5 * half)
        total += term.sum(axis=0)
    found = STEP * total * scale**-fall
    diverges = np.all(places >= 0, axis=0) & (at_zero >= power + 1)
    return np.where(inside, found, np.where(diverges, np.inf, np.nan))


def _nodes(scaled: Any, rise: Any, fall: float) -> Any:
    """Yield columns of the places ``t``, so many that each times the elements fit a cache."""
    if not scaled.size:
        return
    smallest = math.log(np.min(scaled[scaled > 0], initial=1.0))
    low, high = smallest - NEGLIGIBLE / float(np.min(rise)), NEGLIGIBLE / fall
    steps = np.arange(math.floor(low / STEP), math.ceil(high / STEP) + 1)
    at_once = max(1, AT_ONCE // scaled.shape[1])
    for start in range(0, len(steps), at_once):
        yield np.exp(STEP * steps[start : start + at_once, None])


def elliptic_moment(phi: Any, m: Any, sines: int, roots: int) -> Any:
    """Integrate ``sin(t)**(2 * sines) * (1 - m * sin(t)**2)**(-roots - 1 / 2)`` from 0 to ``phi``.

    What is beyond a quarter turn is a whole number of half turns, each of which adds the same.
    """
    dtype = _dtype_of([phi, m])
    phi, m = np.broadcast_arrays(np.asarray(phi, np.float64), np.asarray(m, np.float64))
    turns = np.round(phi / math.pi)
    with np.errstate(all="ignore"):
        found = _within_quarter(phi - turns * math.pi, m, sines, roots)
        if np.any(turns):
            whole = _within_quarter(np.full(phi.shape, 0.5 * math.pi), m, sines, roots)
            found = found + np.where(turns == 0, 0.0, 2 * turns * whole)
        return found.astype(dtype)


def _within_quarter(phi: Any, m: Any, sines: int, roots: int) -> Any:
    sine, across = np.sin(phi), np.cos(phi) ** 2
    across = np.where(across < 1e-30, 0.0, across)  # a quarter turn, rounded
    arguments = across, across + (1 - m) * sine**2, np.ones(phi.shape)
    halves = 1, 2 * roots + 1, 2 * (sines - roots) + 1
    return 0.5 * sine ** (2 * sines + 1) * integrate(arguments, halves, 0)
