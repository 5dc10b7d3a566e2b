"""Fourier transforms: forward and derivatives against NumPy, their own matrices and each other."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

import gradx as gx
from gradx.testing import check_derivatives

NORMS = ["backward", "ortho", "forward"]
TO_COMPLEX, TO_REAL = ["fft", "ifft", "rfft", "ihfft"], ["irfft", "hfft"]
REAL_ONLY = ["rfft", "ihfft"]

every_norm = pytest.mark.parametrize("norm", NORMS)
every_transform = pytest.mark.parametrize("name", [*TO_COMPLEX, *TO_REAL])


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def drawn_for(name, *shape):
    x = drawn(*shape)
    return x if name in REAL_ONLY else x + 1j * drawn(*shape, seed=1)


def on(backend, x):
    return backend.from_numpy(x, backend.devices()[0])


@every_norm
@pytest.mark.parametrize("length", [1, 2, 5, 6])
@pytest.mark.parametrize("n", [None, 1, 2, 3, 4, 7, 8])
@every_transform
def test_values_and_both_derivatives_for_each_length(name, n, length, norm):
    if n is None and length == 1 and name in TO_REAL:
        n = 1
    x = drawn_for(name, length)

    actual = getattr(gx.fft, name)(x, n=n, norm=norm)

    np.testing.assert_array_equal(actual, getattr(np.fft, name)(x, n=n, norm=norm))
    check_derivatives(lambda x: getattr(gx.fft, name)(x, n=n, norm=norm), x, order=2)


@every_norm
@pytest.mark.parametrize("n", [4, 5])
@every_transform
def test_gradient_is_the_transpose_of_the_matrix(name, n, norm):
    x = drawn_for(name, 3)
    transform = lambda x: getattr(gx.fft, name)(x, n=n, norm=norm)
    out, pullback = gx.vjp(transform, x)
    g = np.asarray(drawn(*out.shape, seed=2) + 1j * drawn(*out.shape, seed=3))
    g = g if out.dtype.kind == "c" else g.real

    # Re(sum(g * transform(e))) for every real direction e, and for 1j * e.
    along = lambda e: np.sum(g * getattr(np.fft, name)(e, n=n, norm=norm)).real
    expected = np.asarray([along(e) for e in np.eye(3)])
    if x.dtype.kind == "c":
        expected = expected - 1j * np.asarray([along(1j * e) for e in np.eye(3)])

    np.testing.assert_allclose(pullback(g)[0], expected, rtol=1e-13, atol=1e-14)


@every_norm
@pytest.mark.parametrize("n", [5, 6])
def test_inverses_undo_what_the_others_do(n, norm):
    x, z = drawn(2, n), drawn(2, n) + 1j * drawn(2, n, seed=1)
    settings = {"n": n, "norm": norm}

    np.testing.assert_allclose(gx.fft.ifft(gx.fft.fft(z, norm=norm), norm=norm), z)
    np.testing.assert_allclose(gx.fft.irfft(gx.fft.rfft(x, norm=norm), **settings), x)
    np.testing.assert_allclose(gx.fft.hfft(gx.fft.ihfft(x, norm=norm), **settings), x)
    np.testing.assert_allclose(gx.fft.ifftn(gx.fft.fftn(z, norm=norm), norm=norm), z)
    np.testing.assert_allclose(gx.fft.irfftn(gx.fft.rfftn(x, norm=norm), s=(2, n), norm=norm), x)
    np.testing.assert_array_equal(gx.fft.ifftshift(gx.fft.fftshift(x)), x)


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@pytest.mark.parametrize(
    ("s", "axes"),
    [
        (None, None),
        (None, (0, 2)),
        (None, (2, 0)),
        ((2, 5), (1, 2)),
        ((4, 4), (-1, 0)),
        ((6,), (1,)),
    ],
)
def test_several_axes_agree_with_numpy_and_have_derivatives(name, s, axes):
    x = drawn(3, 2, 4) + (0 if name == "rfftn" else 1j * drawn(3, 2, 4, seed=1))
    transform = lambda x: getattr(gx.fft, name)(x, s=s, axes=axes, norm="ortho")

    expected = getattr(np.fft, name)(x, s=s, axes=axes, norm="ortho")

    np.testing.assert_allclose(transform(x), expected, rtol=1e-13, atol=1e-14)
    check_derivatives(transform, x, order=2)


def test_lengths_without_axes_are_of_the_last_axes():
    x = drawn(2, 3, 4)

    actual = gx.fft.fftn(x, s=(2, -1))

    np.testing.assert_array_equal(actual, np.fft.fftn(x, s=(2, 4), axes=(1, 2)))


def test_transform_along_no_axes_is_the_array():
    x = drawn(2, 3)

    assert gx.fft.fftn(x, axes=()).dtype == np.complex128
    np.testing.assert_array_equal(gx.grad(lambda x: gx.sum(gx.real(gx.fft.fftn(x, axes=()))))(x), 1)
    with pytest.raises(IndexError, match=r"rfftn: it takes at least one axis, got \(\)"):
        gx.fft.rfftn(x, axes=())


@every_transform
def test_single_precision_stays(name, backend):
    x = drawn_for(name, 4)
    x = on(backend, x.astype("complex64" if x.dtype.kind == "c" else "float32"))
    transform = getattr(gx.fft, name)
    energy = lambda x: gx.sum(gx.real(gx.conj(transform(x)) * transform(x)))

    expected = backend.xp.float32 if name in TO_REAL else backend.xp.complex64

    assert transform(x).dtype == expected
    assert gx.grad(energy)(x).dtype == x.dtype


@every_transform
def test_every_library_gives_the_same(name, backend):
    x = drawn_for(name, 2, 5)
    squared = lambda x: gx.sum(gx.real(getattr(gx.fft, name)(x, n=4, axis=0) ** 2))

    actual = backend.to_numpy(gx.grad(squared)(on(backend, x)))

    np.testing.assert_allclose(actual, gx.grad(squared)(x), rtol=1e-13)


@pytest.mark.parametrize("name", REAL_ONLY)
def test_real_transform_of_complex_numbers_is_refused(name, backend):
    with pytest.raises(TypeError, match=rf"{name}: expected real numbers, got .*complex128"):
        getattr(gx.fft, name)(on(backend, drawn(3) + 0j))


def test_real_input_of_complex_transform_has_real_gradient(backend):
    x = on(backend, drawn(4))
    energy = lambda x: gx.sum(gx.abs(gx.fft.fft(x)) ** 2)

    gradient = gx.grad(energy)(x)

    # Parseval: the energy of the coefficients is 4 times that of the signal.
    np.testing.assert_allclose(backend.to_numpy(gradient), 8 * backend.to_numpy(x))


def test_convolution_theorem_has_the_gradient_of_the_sum():
    x, kernel = drawn(7), drawn(3, seed=1)
    by_fft = lambda k: gx.fft.irfft(gx.fft.rfft(x, n=9) * gx.fft.rfft(k, n=9), n=9)
    g = drawn(9, seed=2)

    out, pullback = gx.vjp(by_fft, kernel)

    np.testing.assert_allclose(out, np.convolve(x, kernel), atol=1e-14)
    np.testing.assert_allclose(pullback(g)[0], np.correlate(g, x, "valid"), atol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_frequencies_are_numpys(name, n):
    np.testing.assert_allclose(
        getattr(gx.fft, name)(n, d=0.3), getattr(np.fft, name)(n, d=0.3), rtol=1e-15
    )
    assert getattr(gx.fft, name)(n, dtype="float32").dtype == np.float32


def test_frequencies_refuse_what_they_cannot_be(backend):
    with pytest.raises(ValueError, match="fftfreq: n=0, expected at least 1 sample"):
        gx.fft.fftfreq(0)
    with pytest.raises(TypeError, match="rfftfreq: dtype=int32, expected a real floating-point"):
        gx.fft.rfftfreq(4, dtype="int32")
    assert type(gx.fft.fftfreq(3, device=backend.devices()[0])) is type(on(backend, drawn(1)))


def test_a_tensors_namespace_makes_frequencies_beside_it(backend):
    def filtered(x):
        xp = x.__array_namespace__()
        return xp.sum(xp.fft.irfft(xp.fft.rfft(x) * xp.fft.rfftfreq(x.shape[0])) ** 2)

    gradient = gx.grad(filtered)(on(backend, drawn(4)))

    assert type(gradient) is type(on(backend, drawn(1)))


def test_scipys_transforms_are_differentiated():
    pytest.importorskip("scipy")
    # SciPy reads the variable when it is first imported.
    program = """
import numpy as np, scipy.fft
import gradx as gx

x = np.arange(6.0)
energy = lambda fft: lambda x: gx.sum(gx.abs(fft.rfft(x, n=5, norm="ortho")) ** 2)
assert np.array_equal(gx.grad(energy(scipy.fft))(x), gx.grad(energy(gx.fft))(x))
gradient = gx.grad(lambda x: gx.sum(gx.abs(scipy.fft.ifftn(gx.reshape(x, (2, 3)))) ** 2))(x)
assert np.allclose(gradient, x / 3)
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
@pytest.mark.parametrize("n", [None, 4, 5])
def test_gradients_are_torchs(name, n):
    torch = pytest.importorskip("torch")
    x, weights = drawn_for(name, 6), drawn(20, seed=5)
    weigh = lambda out, w: (out.real**2 * w[: out.shape[0]]).sum()
    leaf = torch.tensor(x, requires_grad=True)
    weigh(getattr(torch.fft, name)(leaf, n=n), torch.tensor(weights)).backward()

    gradient = gx.grad(lambda x: weigh(gx_parts(getattr(gx.fft, name)(x, n=n)), weights))(x)

    np.testing.assert_allclose(gradient, leaf.grad.resolve_conj().numpy(), rtol=1e-12, atol=1e-13)


class gx_parts:
    """Give an array of gradx the attribute ``real`` whatever it is."""

    def __init__(self, out):
        self.real, self.shape = gx.real(out), out.shape


def test_module_lists_what_the_standard_does():
    strict = importlib.import_module("array_api_strict")

    assert set(gx.fft.__all__) == set(strict.fft.__all__)
