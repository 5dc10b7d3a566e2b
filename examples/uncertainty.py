"""A network that says how sure it is: dropout stays on, and predictions are drawn many times.

Where there were no data, the networks that dropout samples disagree. Source: Gal,
Ghahramani, "Dropout as a Bayesian approximation" (ICML 2016). Draws uncertainty.png.
"""

import argparse
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import gradx as gx
from gradx import nn

SAMPLES, NOISE = 500, 0.15


def truth(x):
    return np.sin(3 * x) + 0.5 * x


def measurements(key, count):
    """Draw noisy points of the curve from -2 to 2, but none between 0 and 1."""
    place_key, noise_key = gx.random.split(key)
    x = gx.random.uniform(place_key, (count, 1), low=-2.0, high=1.0, dtype="float32")
    x = np.where(x > 0, x + 1, x)
    return x, truth(x) + gx.random.normal(noise_key, x.shape, std=NOISE, dtype="float32")


def network(key):
    keys, he = gx.random.split(key, 3), nn.init.he_normal
    spread = partial(nn.init.uniform, low=-2.0, high=2.0)  # so that all of x has kinks of relu
    return nn.Sequential(
        nn.Linear(1, 128, key=keys[0], weight_init=he, bias_init=spread),
        nn.relu,
        nn.Linear(128, 128, key=keys[1], weight_init=he),
        nn.relu,
        nn.Dropout(0.1),
        nn.Linear(128, 1, key=keys[2]),
    )


@gx.compile
def sampled(model, x, keys):
    """Predict by one network for each key, each without other units: (keys, rows, 1)."""
    return gx.vmap(lambda key: model(x, key=key, train=True))(keys)


def draw(x, mean, model_std, std, points, path):
    """Draw bands of two deviations: of the networks alone, and with the noise of measurements."""
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for band, color, what in [(std, "#d5e5f3", "with noise"), (model_std, "#8ab8e0", "networks")]:
        low, high = mean - 2 * band, mean + 2 * band
        axes.fill_between(x, low, high, color=color, lw=0, label=f"two deviations, {what}")
    axes.plot(x, mean, "C0", label="mean of the networks")
    axes.plot(x, truth(x), "k--", lw=1, label="truth")
    axes.plot(*points, "k.", ms=4, alpha=0.5, label="measurements")
    axes.set(xlabel="x", ylabel="y", title="Networks that lack some of their units disagree")
    axes.legend(loc="upper left", ncols=2)
    figure.savefig(path, dpi=150)


def main(output, device, seed):
    path = Path(output, "uncertainty.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = gx.random.split(gx.random.key(seed), 5)
    training, test = measurements(keys[0], 200), measurements(keys[1], 1000)
    rate = gx.optim.schedules.cosine(5e-3, steps=400 * 4)
    model = gx.train.fit(
        network(keys[2]), nn.mse, gx.optim.adamw(rate, weight_decay=1e-3), training,
        epochs=400, batch_size=50, key=keys[3], device=device, progress=None,
    ).model  # fmt: skip

    def predict(x):
        """Return the mean of the sampled networks, their deviation, and that of points."""
        outs = sampled(model, gx.to_device(x, device), gx.random.split(keys[4], SAMPLES))
        outs = gx.to_device(outs, "cpu")
        mean, model_std = outs.mean(axis=0)[:, 0], outs.std(axis=0)[:, 0]
        return mean, model_std, np.hypot(model_std, NOISE)

    mean, _, std = predict(test[0])
    inside = np.mean(np.abs(test[1][:, 0] - mean) < 2 * std)
    print(f"{inside:.1%} of 1,000 new points lie within two deviations of the mean")
    x = np.linspace(-3, 3, 400, dtype=np.float32)[:, None]
    mean, model_std, std = predict(x)
    for name, low, high in [("there were measurements", -2, 0), ("there were none", 0, 1)]:
        place = (x[:, 0] > low) & (x[:, 0] < high)
        print(f"deviation of the networks where {name}: {model_std[place].mean():.3f}")
    draw(x[:, 0], mean, model_std, std, training, path)
    print(f"the curves are in {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=".", help="folder for the picture")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
