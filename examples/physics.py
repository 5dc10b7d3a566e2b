"""A network that knows a law: seven measurements and a differential equation make the whole curve.

A damped oscillator obeys u'' + 2 d u' + w^2 u = 0. Its derivatives inside the loss are those
of the network, and the step differentiates through them once more. Draws physics.png.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import gradx as gx
from gradx import nn

DAMPING, FREQUENCY = 1.5, 10.0


def solution(t):
    """Return the curve that begins at u = 1 with u' = 0."""
    w = np.sqrt(FREQUENCY**2 - DAMPING**2)
    return np.exp(-DAMPING * t) * (np.cos(w * t) + DAMPING / w * np.sin(w * t))


def network(key):
    keys = gx.random.split(key, 3)
    layer = lambda inputs, outputs, key: nn.Linear(inputs, outputs, key=key, dtype="float64")
    first, second, last = layer(1, 32, keys[0]), layer(32, 32, keys[1]), layer(32, 1, keys[2])
    return nn.Sequential(lambda t: 5 * t, first, nn.tanh, second, nn.tanh, last)


def derivative(f):
    """Return the derivative of a function of many times, at each of them by itself."""
    return lambda t: gx.jvp(f, (t,), (gx.ones_like(t),))[1]


def residual(model, t):
    """Return how far the network is from obeying the law at each time."""
    velocity = derivative(model)
    acceleration = derivative(velocity)
    forces = acceleration(t) + 2 * DAMPING * velocity(t) + FREQUENCY**2 * model(t)
    return forces / FREQUENCY**2


def train(model, times, values, everywhere, steps):
    """Fit measurements and, unless ``everywhere`` is None, the law at these times."""
    optimizer = gx.optim.adam(gx.optim.schedules.cosine(1e-2, steps))

    def loss(model):
        misfit = nn.mse(model(times), values)
        if everywhere is None:
            return misfit
        return misfit + gx.mean(residual(model, everywhere) ** 2)

    @gx.compile
    def step(model, state):
        updates, state = optimizer.update(gx.grad(loss)(model), state, model)
        return gx.optim.apply_updates(model, updates), state

    state = optimizer.init(model)
    for _ in range(steps):
        model, state = step(model, state)
    return model


def main(output, device, seed):
    path = Path(output, "physics.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    t, times = np.linspace(0, 1, 500)[:, None], np.linspace(0, 0.35, 7)[:, None]
    given = gx.to_device((network(gx.random.key(seed)), times, solution(times)), device)
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    axes.plot(t, solution(t), "0.8", lw=6, label="solution")
    ways = {"measurements alone": None, "measurements and law": gx.to_device(t[::8], device)}
    for (name, everywhere), style in zip(ways.items(), ["C3--", "C0"], strict=True):
        curve = gx.to_device(train(*given, everywhere, 6000), "cpu")(t)
        print(f"{name}: largest error {np.max(np.abs(curve - solution(t))):.4f}")
        axes.plot(t, curve, style, label=name)
    axes.plot(times, solution(times), "ko", label="measurements")
    axes.set(xlabel="t", ylabel="u", ylim=(-1.1, 1.3), title="u'' + 2 d u' + w² u = 0")
    axes.legend(ncols=2)
    figure.savefig(path, dpi=150)
    print(f"the curves are in {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=".", help="folder for the picture")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
