"""Four ways down: an ill-conditioned bowl and a saddle, by noisy and exact gradients.

Writes descent.png: paths, and how far each method still has to go.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import gradx as gx

CURVES = np.asarray([1.0, 25.0])  # the bowl is 25 times steeper in y than in x


def bowl(point):
    return 0.5 * gx.sum(CURVES * point * point)


def saddle(point):
    """Flat at the origin and lowest at x = 1 and x = -1."""
    x, y = point[0] * point[0], point[1] * point[1]
    return 0.25 * x * x - 0.5 * x + y


def descend(height, start, optimizer, key, noise, steps):
    """Return every point on the way; noise stands for the choice of a small batch."""
    path, state = [np.asarray(start)], optimizer.init(np.asarray(start))
    for error in noise * gx.random.normal(key, (steps, 2)):
        gradient = gx.grad(height)(path[-1]) + error
        updates, state = optimizer.update(gradient, state, path[-1])
        path.append(gx.optim.apply_updates(path[-1], updates))
    return np.asarray(path)


def main(output, seed):
    ways = [("gradient descent", gx.optim.sgd(0.07), 0.0), ("SGD", gx.optim.sgd(0.07), 3.0),
            ("momentum", gx.optim.sgd(0.02, momentum=0.85), 0.0), ("Adam", gx.optim.adam(0.15), 0.0)]  # fmt: skip
    scenes = [("Bowl, 25 times steeper in y", bowl, (-3.5, 1.1), (-4, 1, -1.5, 1.5), 60, 1.0),
              ("Saddle, from its ridge x = 0", saddle, (0.0, 0.9), (-1.6, 1.6, -1.1, 1.1), 150, 0.2)]  # fmt: skip
    figure, axes = plt.subplots(2, 2, figsize=(12, 8.5), layout="constrained")
    for (title, height, start, (left, right, low, high), steps, loud), row in zip(scenes, axes, strict=True):
        x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(low, high, 200))
        values = np.asarray([float(height(p)) for p in np.stack([x.ravel(), y.ravel()], axis=1)])
        row[0].contour(x, y, values.reshape(x.shape), 24, colors="0.8", linewidths=0.7)
        for color, (name, optimizer, noise) in enumerate(ways):
            path = descend(height, start, optimizer, gx.random.key(seed), noise * loud, steps)
            row[0].plot(*path.T, ".-", color=f"C{color}", markersize=4, linewidth=1, label=name)
            row[1].plot([float(height(p)) - values.min() for p in path], color=f"C{color}", label=name)
        row[0].set(title=title, xlabel="x", ylabel="y")
        row[1].set(xlabel="step", ylabel="height above the minimum", yscale="log")
    axes[0, 1].legend()
    figure.savefig(Path(output, "descent.png"), dpi=130)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=".", help="folder for the picture")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
