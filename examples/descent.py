"""Four ways down a bowl and off a saddle; descent.png has the paths, heights and step sizes."""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import gradx as gx

WAYS = [("gradient descent", gx.optim.sgd(0.07), 0.0), ("SGD", gx.optim.sgd(0.07), 2.0),
        ("momentum", gx.optim.sgd(0.02, momentum=0.85), 0.0), ("Adam", gx.optim.adam(0.15), 0.0)]  # fmt: skip


def bowl(point):
    """A bowl, 25 times steeper along y"""
    return 0.5 * gx.sum(np.asarray([1.0, 25.0]) * point * point)


def saddle(point):
    """A saddle: from x = 0, only noise finds a way out"""
    return 0.25 * (point[0] ** 2 - 1) ** 2 + point[1] ** 2


def descend(height, start, optimizer, key, noise, steps):
    """Return all points on the way; noise stands for the choice of a small batch."""
    path, state = [np.asarray(start)], optimizer.init(np.asarray(start))
    for error in noise * gx.random.normal(key, (steps, 2)):
        gradient = gx.grad(height)(path[-1]) + error
        updates, state = optimizer.update(gradient, state, path[-1])
        path.append(gx.optim.apply_updates(path[-1], updates))
    return np.asarray(path)


def draw(axes, height, start, steps, loud, extent, key):
    axes[0].set(title=height.__doc__, xlabel="x", ylabel="y")
    x, y = np.meshgrid(np.linspace(*extent[:2], 150), np.linspace(*extent[2:], 150))
    values = [float(height(point)) for point in np.stack([x.ravel(), y.ravel()], axis=1)]
    axes[0].contour(x, y, np.reshape(values, x.shape), 24, colors="0.8", linewidths=0.7)
    for i, (name, optimizer, noise) in enumerate(WAYS):
        path = descend(height, start, optimizer, key, noise * loud, steps)
        axes[0].plot(*path.T, ".-", markersize=4, linewidth=1, alpha=0.8)
        axes[1].semilogy([float(height(point)) for point in path], label=name)
        axes[2].bar(np.arange(2) + 0.2 * i, np.mean(np.abs(np.diff(path[:16], axis=0)), axis=0), 0.2)
    axes[1].set(xlabel="step", ylabel="height above the minimum")
    axes[2].set(ylabel="mean of the first 15 steps", xticks=[0.3, 1.3], xticklabels=["along x", "along y"])


def main(output, device, seed):
    key, (figure, axes) = gx.random.key(seed), plt.subplots(2, 3, figsize=(15, 8), layout="constrained")
    draw(axes[0], bowl, (-3.5, 1.1), 60, 1.0, (-4, 1, -1.5, 1.5), key)
    draw(axes[1], saddle, (0.0, 0.9), 150, 0.3, (-1.6, 1.6, -1.1, 1.1), key)
    axes[0, 1].legend()
    figure.savefig(f"{output}/descent.png", dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=".", help="folder for the picture")
    parser.add_argument("--device", help="not used: two numbers are quickest on the CPU")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
