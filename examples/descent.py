"""Four ways down a bowl and off a saddle; descent.png has the paths, heights and step sizes."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import gradx as gx

# Optimizer and noise of the gradient, which stands for the choice of a small batch.
WAYS = {"gradient descent": (gx.optim.sgd(0.07), 0.0), "SGD": (gx.optim.sgd(0.07), 2.0)}
WAYS |= {"momentum": (gx.optim.sgd(0.02, 0.85), 0.0), "Adam": (gx.optim.adam(0.15), 0.0)}


def bowl(point):
    """A bowl, 25 times steeper along y"""
    return 0.5 * (point[0] ** 2 + 25 * point[1] ** 2)


def saddle(point):
    """A saddle: from x = 0, only noise finds a way out"""
    return 0.25 * (point[0] ** 2 - 1) ** 2 + point[1] ** 2


def descend(height, start, optimizer, seed, noise, steps):
    @gx.compile
    def step(point, state, error):
        updates, state = optimizer.update(gx.grad(height)(point) + error, state, point)
        return point + updates, state

    path, state = [start], optimizer.init(start)
    for error in noise * gx.random.normal(gx.random.key(seed), (steps, 2)):
        point, state = step(path[-1], state, error)
        path.append(point)
    return np.asarray(path)


def draw(axes, height, start, steps, loud, extent, seed):
    grid = np.meshgrid(np.linspace(*extent[:2], 150), np.linspace(*extent[2:], 150))
    axes[0].contour(*grid, height(grid), 24, colors="0.8", linewidths=0.7)
    axes[0].set_title(height.__doc__)
    for i, (name, (optimizer, noise)) in enumerate(WAYS.items()):
        path = descend(height, start, optimizer, seed, noise * loud, steps)
        axes[0].plot(*path.T, ".-", markersize=4, linewidth=1, alpha=0.8)
        axes[1].semilogy(height(path.T), label=name)
        axes[2].bar([0.2 * i, 1 + 0.2 * i], abs(np.diff(path[:16], axis=0)).mean(axis=0), 0.2)
    axes[1].set(xlabel="step", title="Height above the minimum")
    axes[2].set(title="Mean step, first 15", xticks=[0.3, 1.3], xticklabels=["along x", "along y"])


def main(output, device, seed):
    path = Path(output, "descent.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(2, 3, figsize=(15, 8), layout="constrained")
    draw(axes[0], bowl, np.asarray([-3.5, 1.1]), 60, 1.0, (-4, 1, -1.5, 1.5), seed)
    draw(axes[1], saddle, np.asarray([0.0, 0.9]), 150, 0.3, (-1.6, 1.6, -1.1, 1.1), seed)
    axes[0, 1].legend()
    figure.savefig(path, dpi=120)
    print(f"the paths are in {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=".", help="folder for the picture")
    parser.add_argument("--device", help="not used: two numbers are quickest on the CPU")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
