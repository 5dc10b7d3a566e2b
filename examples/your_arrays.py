"""Gradients of code that knows nothing of gradx: NumPy functions, and functions of SciPy."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # SciPy follows the array API standard where this is set

import argparse

import numpy as np
import scipy.optimize
import scipy.stats

import gradx as gx


def negative_log_likelihood(weights, inputs, labels):
    """Return the loss of logistic regression, as somebody wrote it for NumPy."""
    margins = labels * np.dot(inputs, weights)
    return np.mean(np.log1p(np.exp(-margins))) + 0.01 * np.sum(weights**2)


def difference(f, x):
    """Return how far the gradient of ``f`` is from central differences."""
    steps = 1e-5 * np.eye(x.size).reshape(-1, *x.shape)
    expected = [(f(x + step) - f(x - step)) / 2e-5 for step in steps]
    return np.max(np.abs(gx.grad(f)(x).ravel() - expected))


def main(device, seed):
    rng = np.random.default_rng(seed)
    inputs, labels = rng.normal(size=(50, 3)), rng.choice([-1.0, 1.0], size=50)
    weights, sample = rng.normal(size=3), rng.gamma(2.0, size=20)

    loss = lambda w: negative_log_likelihood(w, inputs, labels)
    print("gradient of NumPy code:", gx.grad(loss)(weights))
    print(f"  differs from finite differences by {difference(loss, weights):.0e}")

    print("gradient of scipy.stats.skew:", gx.grad(scipy.stats.skew)(sample)[:3], "...")
    print(f"  differs from finite differences by {difference(scipy.stats.skew, sample):.0e}")

    rosen = scipy.optimize.rosen
    start = gx.to_device(np.asarray([-1.0, 2.0, 0.5]), device)  # CuPy's array on "cuda"
    print(f"scipy.optimize.rosen on {device}: gradient", gx.grad(rosen)(start))
    print("  and Hessian", gx.to_device(gx.hessian(rosen)(start), "cpu").tolist())
    found = scipy.optimize.minimize(rosen, np.zeros(3), jac=gx.grad(rosen), method="BFGS")
    print(f"  BFGS with it finds {found.x.round(6)} in {found.nit} steps")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    main(options.device, options.seed)
