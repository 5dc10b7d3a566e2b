"""Pieces of user code for tests/programs.py, beside single ops.

NumPy's functions of Tensors, writes in place, choices whose other branch is infinite or
NaN, ties and zeros where ops are at their hardest, and transforms inside of a program.
Each takes one real array of any shape.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

import gradx as gx

KNOTS = np.linspace(-1.9, 2.3, 6)
TAPS = np.asarray([0.5, -1.0, 0.25])


def flat(x: Any) -> Any:
    """Return the elements of ``x`` in a row."""
    return gx.reshape(x, (-1,))


def twice(x: Any) -> Any:
    """Return the elements of ``x`` in a row, each of them twice: every one is tied."""
    return gx.concat([flat(x), flat(x)])


def places(x: Any) -> Any:
    """Return 0, 1, 2, ... for the elements of ``x``."""
    return np.arange(prod(x.shape))


def matrix(x: Any) -> Any:
    """Return a regular matrix of 2 x 2 made of the elements of ``x``."""
    four = gx.take(flat(x), np.arange(4) % prod(x.shape))
    return gx.reshape(four, (2, 2)) + 3.0 * gx.eye(2, dtype=x.dtype)


NUMPY: dict[str, Callable[[Any], Any]] = {
    "np.cumsum": lambda x: np.cumsum(x),
    "np.cumprod": lambda x: np.cumprod(x),
    "np.diff": lambda x: np.diff(twice(x), n=1),
    "np.ediff1d": lambda x: np.ediff1d(twice(x)),
    "np.convolve": lambda x: np.convolve(flat(x), TAPS),
    "np.correlate": lambda x: np.correlate(twice(x), flat(x)[:2], mode="same"),
    "np.interp": lambda x: np.interp(x, KNOTS, np.sin(KNOTS)),
    "np.gradient": lambda x: np.gradient(twice(x)),
    "np.trapezoid": lambda x: np.trapezoid(twice(x)),
    "np.quantile": lambda x: np.quantile(x, [0.25, 0.6, 1.0]),
    "np.median": lambda x: np.median(x),
    "np.ptp": lambda x: np.ptp(x),
    "np.average": lambda x: np.average(x, weights=1.5 + np.tanh(x)),
    "np.nansum": lambda x: np.nansum(np.where(x > 0.2, x, np.nan)),
    "np.nanmax": lambda x: np.nanmax(np.append(np.where(x > 0.2, x, np.nan), 0.1)),
    "np.nan_to_num": lambda x: np.nan_to_num(np.where(x > 0.2, x, np.nan)),
    "np.kron": lambda x: np.kron(flat(x)[:2], flat(x)),
    "np.outer": lambda x: np.outer(x, np.sin(x)),
    "np.trace": lambda x: np.trace(np.outer(x, np.cos(x))),
    "np.einsum": lambda x: np.einsum("i,j,i->j", flat(x), twice(x), np.cos(flat(x))),
    "np.tensordot": lambda x: np.tensordot(x, np.exp(x), axes=len(x.shape)),
    "np.select": lambda x: np.select([x > 0.5, x < -0.5], [x**2, np.exp(x)], default=0.3),
    "np.pad": lambda x: np.pad(flat(x), 1, mode="edge"),
    "np.insert": lambda x: np.insert(flat(x), 1, 0.5),
    "np.delete": lambda x: np.delete(twice(x), 0),
    "np.block": lambda x: np.block([[flat(x)], [2.0 * flat(x)]]),
    "np.cov": lambda x: np.cov(np.stack([twice(x), np.sin(twice(x))])),
    "np.rot90": lambda x: np.rot90(np.outer(x, x)),
    "np.linalg.norm": lambda x: np.linalg.norm(1.5 + np.tanh(x)),
    "np.linalg.det": lambda x: np.linalg.det(matrix(x)),
    "np.linalg.solve": lambda x: np.linalg.solve(matrix(x), np.asarray([1.0, -2.0])),
    "np.linalg.inv": lambda x: np.linalg.inv(matrix(x)),
    "np.fft.fft": lambda x: np.real(np.fft.fft(twice(x))),
    "np.polyval": lambda x: np.polyval([0.5, -1.0, 0.25], x),
    "np.vander": lambda x: np.vander(flat(x), 3),
    "np.sort": lambda x: np.sort(x, axis=None),
    "np.take_along_axis": lambda x: np.take_along_axis(flat(x), np.argsort(flat(x)), axis=0),
    "np.add.reduce": lambda x: np.add.reduce(flat(x)),
    "np.multiply.accumulate": lambda x: np.multiply.accumulate(flat(x)),
    "np.subtract.outer": lambda x: np.subtract.outer(flat(x), flat(x)),
    "np.maximum.reduce": lambda x: np.maximum.reduce(twice(x)),
    "np.linspace": lambda x: np.linspace(flat(x)[0], flat(x)[-1], 4),
    "np.clip": lambda x: np.clip(x, -0.5, None),
    "np.logaddexp": lambda x: np.logaddexp(x, 0.5),
    "np.arctan2": lambda x: np.arctan2(x, 1.5),
    "np.moveaxis": lambda x: np.moveaxis(np.outer(x, x), 0, -1),
    "np.std": lambda x: np.std(x) ** 2,
}


def _swapped(x):
    y = gx.asarray(flat(x), copy=True)
    y[[0, -1]] = y[[-1, 0]] * 1.5
    return y


def _filled(x):
    y = gx.asarray(x, copy=True)
    y[x > 0.3] = 0.25
    return y * x


def _every_other_scaled(x):
    y = twice(x)
    y = gx.asarray(y, copy=True)
    y[places(y) % 2 == 0] *= gx.sin(flat(x))
    return y


def _recurrence(x):
    x = flat(x)
    y = gx.zeros_like(x)
    y[0] = x[0]
    for i in range(1, min(x.shape[0], 4)):
        y[i] = gx.sin(y[i - 1]) * x[i] + y[i - 1]
    return y


def _in_place(x):
    y = gx.asarray(x, copy=True)
    y **= 2
    y /= 1.5
    y -= x
    return y


def _added_at(x):
    return gx.scatter_add(gx.zeros_like(x), flat(x), places(x) // 2) if len(x.shape) == 1 else x


WRITES: dict[str, Callable[[Any], Any]] = {
    "swap two": _swapped,
    "fill where": _filled,
    "scale every other": _every_other_scaled,
    "recurrence": _recurrence,
    "in place": _in_place,
    "add at": _added_at,
}


def _kept(x):
    return places(x) % 3 != 1


HARD: dict[str, Callable[[Any], Any]] = {
    "untaken arc": lambda x: gx.where(gx.abs(x) < 0.9, gx.acos(x), 0.3 * x),
    "untaken power": lambda x: gx.where(x > 0.1, x**-1.5, x),
    "untaken twice": lambda x: gx.where(x > 0.1, gx.where(x > 0.5, gx.log(x - 0.4), x**0.5), x),
    "untaken, added up": lambda x: gx.sum(gx.where(x > 0.1, gx.log(x), 0.0)) * x,
    "untaken, multiplied": lambda x: flat(gx.where(x > 0.1, gx.sqrt(x), 0.0)) @ flat(gx.cos(x)),
    "untaken, ordered": lambda x: gx.sort(flat(gx.where(x > 0.1, gx.log(x), -0.5))),
    "untaken of a sum": lambda x: gx.where(x > 0.1, gx.log(x + gx.sum(x * x)), x),
    "quotient of masked": lambda x: (
        gx.where(x > 0.1, x, 0.0) / gx.where(x > 0.1, gx.sqrt(gx.abs(x)), 1.0)
    ),
    "masked softmax": lambda x: gx.nn.softmax(gx.where(_kept(x), flat(x), -gx.inf), axis=-1),
    "masked logsumexp": lambda x: gx.logsumexp(gx.where(_kept(x), flat(x), -gx.inf)),
    "largest of masked": lambda x: gx.max(gx.where(_kept(x), flat(x), -gx.inf)),
    "integer powers": lambda x: x**0 + x**1 - x**2 + 0.5 * x**4,
    "integer exponents": lambda x: flat(x) ** (places(x) % 4),
    "inverse power": lambda x: (1.5 + gx.tanh(x)) ** -2,
    "products of zeros": lambda x: gx.prod(gx.where(_kept(x), flat(x), 0.0 * flat(x))),
    # Halved: the derivatives of long products of numbers up to 2 are no float32.
    "cumulative products": lambda x: gx.cumulative_prod(flat(x) / 2, axis=0),
    "singular determinant": lambda x: gx.linalg.det(
        gx.reshape(gx.take(flat(x), np.arange(9) % prod(x.shape)), (3, 3))
    ),
    "ties ordered": lambda x: gx.sort(twice(x)) * np.arange(2 * prod(x.shape)),
    "ties among the largest": lambda x: gx.max(twice(x)) - gx.min(twice(x)),
    "ties in windows": lambda x: gx.max_pool(gx.reshape(twice(x), (1, 1, -1)), 2),
    "ties in segments": lambda x: gx.segment_max(
        twice(x), np.arange(2 * prod(x.shape)) % 2, num_segments=2
    ),
    "mean of segments": lambda x: gx.segment_mean(
        twice(x), np.arange(2 * prod(x.shape)) % 2, num_segments=2
    ),
    "norm": lambda x: gx.linalg.vector_norm(x) ** 2,
    "largest of norm": lambda x: gx.linalg.vector_norm(flat(x), ord=np.inf),
    "absolute sum": lambda x: gx.linalg.vector_norm(flat(x), ord=1),
    "remainder": lambda x: gx.remainder(x, 0.7),
    "sign": lambda x: gx.sign(x) * x,
    "rounded": lambda x: gx.round(3 * x) * x,
    "kink of several": lambda x: gx.nn.relu(x) * gx.maximum(x, 0.0) + gx.abs(x) * gx.clip(x, 0, 1),
    "convolved": lambda x: gx.conv(
        gx.reshape(twice(x), (1, 1, -1)), gx.reshape(gx.sin(twice(x))[:2], (1, 1, 2))
    ),
    "einsum with itself": lambda x: gx.einsum(
        "i,ij,j->j", flat(x), gx.linalg.outer(flat(x), flat(x)), flat(x)
    ),
    "spectrum": lambda x: gx.real(gx.fft.ifft(gx.fft.fft(flat(x)) * gx.conj(gx.fft.fft(flat(x))))),
    "real spectrum": lambda x: gx.fft.irfft(gx.fft.rfft(twice(x)) * 1j, n=2 * prod(x.shape)),
    "special": lambda x: gx.special.erf(x) + gx.special.xlogy(x * x, 2.0) + gx.special.entr(x * x),
    "solved": lambda x: gx.linalg.solve(matrix(x), gx.linalg.inv(matrix(x)) @ matrix(x)[:, 0]),
}


@gx.custom_rule(partials={"x": lambda out: 1 - out * out})
def _squash(x):
    return gx.tanh(x)


@gx.custom_rule(vjp={"x": lambda g, y: g * gx.cos(y), "y": lambda g, x, y: -g * x * gx.sin(y)})
def _by_pullback(x, y):
    return x * gx.cos(y)


@gx.custom_rule(jvp={"x": lambda g, x: gx.cumulative_sum(2 * g * x, axis=0)})
def _by_pushforward(x):
    return gx.cumulative_sum(x * x, axis=0)


_compiled = gx.compile(lambda x: gx.sin(x) * gx.where(x > 0, x, 0.5 * x))
_KEY = gx.random.key(11)


def _noisy(x):
    noise = gx.random.normal(_KEY, x.shape, dtype=x.dtype)
    return gx.where(gx.random.bernoulli(_KEY, 0.5, x.shape), x * noise, 0.1 * x)


TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "inner Jacobian": lambda x: gx.jacobian(lambda y: gx.sin(y) * gx.sum(y))(flat(x)),
    "inner Hessian": lambda x: gx.hessian(lambda y: gx.sum(y) * gx.sum(y**3))(flat(x)),
    "inner product with the Hessian": lambda x: gx.hvp(
        lambda y: gx.sum(gx.sin(y) * gx.sum(y)), (x,), (gx.cos(x),)
    ),
    "inner pullback": lambda x: gx.vjp(lambda y: gx.sin(y * x), x)[1](x * x)[0],
    "inner linearized": lambda x: gx.linearize(lambda y: gx.exp(-y * y) * x, x)[1](x),
    "inner value and gradient": lambda x: sum(
        gx.value_and_grad(lambda y: gx.sum(gx.where(y > 0, y**3, y)))(x)
    ),
    "map of a gradient": lambda x: gx.vmap(gx.grad(lambda y: y * gx.sin(y)))(flat(x)),
    "map of a gradient of a map": lambda x: gx.vmap(
        gx.grad(lambda y: gx.sum(gx.vmap(lambda z: z * gx.sum(y))(y)))
    )(gx.stack([flat(x), gx.cos(flat(x))])),
    "map along the last axis": lambda x: gx.vmap(
        lambda column: gx.sort(column) * gx.sum(column), in_axes=-1, out_axes=-1
    )(gx.stack([flat(x), gx.sin(flat(x))])),
    "gradient of a gradient": lambda x: gx.grad(
        lambda y: gx.sum(gx.grad(lambda z: gx.sum(z**3 * y))(y))
    )(x),
    "gradient of a checkpoint": lambda x: gx.grad(
        gx.checkpoint(lambda y: gx.sum(gx.sin(y) * x * gx.exp(gx.tanh(y))))
    )(x),
    "compiled": lambda x: _compiled(x),
    "gradient of what is compiled": lambda x: gx.grad(lambda y: gx.sum(_compiled(y) * y))(x),
    "custom partials": lambda x: _squash(x),
    "custom pullback": lambda x: _by_pullback(x, gx.sin(x)),
    "custom pushforward": lambda x: _by_pushforward(flat(x)),
    "random": lambda x: _noisy(x),
}
IDIOMS = NUMPY | WRITES | HARD | TRANSFORMS
