"""Results that are right in several ways: each brought to one way before they are compared.

An eigenvector may be multiplied by any number of size 1, so may a pair of singular vectors;
eigenvalues of a matrix that is not symmetric have no order, and what completes singular
vectors to a basis is one of many. NumPy and array-api-strict call the same library and agree
to the bit, NVIDIA's takes other signs.
"""

import numpy as np


def phases(vectors):
    """Return a number of size 1 for each column, by which it is turned from one direction."""
    weights = 1 + 0.37 * np.arange(vectors.shape[-2])
    along = weights @ vectors
    return along / np.abs(along)


def of_eigh(values, vectors):
    """Turn each vector."""
    return values, vectors / phases(vectors)[..., None, :]


def of_eigvals(values):
    """Sort values, which are complex."""
    return (np.take_along_axis(values, order_of(values), axis=-1),)


def of_eig(values, vectors):
    """Sort values with their vectors, and turn each vector."""
    order = order_of(values)
    vectors = np.take_along_axis(vectors, order[..., None, :], axis=-1)
    return np.take_along_axis(values, order, axis=-1), vectors / phases(vectors)[..., None, :]


def order_of(values):
    """Return the order of complex numbers; real parts that differ by rounding are equal."""
    return np.lexsort((values.imag, np.round(values.real, 9)), axis=-1)


def of_svd(u, values, vh):
    """Turn each pair of vectors; of the others keep what they project on."""
    count = values.shape[-1]
    turn = phases(u[..., :count])
    pairs = u[..., :count] / turn[..., None, :], vh[..., :count, :] * turn[..., None]
    rest = u[..., count:], np.conj(np.swapaxes(vh[..., count:, :], -2, -1))
    return *pairs, values, *[x @ np.conj(np.swapaxes(x, -2, -1)) for x in rest]


FREE = {"eig": of_eig, "eigh": of_eigh, "eigvals": of_eigvals, "svd": of_svd}


def in_one_way(op, results):
    """Return the results of an op, as arrays of NumPy, in the one of all ways that is compared."""
    return list(FREE.get(op, lambda *same: same)(*results))
