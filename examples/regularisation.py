"""Regularisation side by side: one network that is too large, little data, wrong labels.

Two moons of 120 points, a sixth of which have the wrong label; 2,000 clean points tell how
well each way does. Draws regularisation.png: curves, where early stopping stops, and the
chances that the network gives, alone and as the mean of networks drawn by DropConnect.
"""

import argparse
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import gradx as gx
from gradx import nn, optim

RATE, EPOCHS = 5e-3, 300


def moons(key, count, wrong):
    """Draw two half circles, interlocked, with noise; ``wrong`` of the labels are turned."""
    keys = gx.random.split(key, 3)
    labels = np.arange(count) % 2
    angles = gx.random.uniform(keys[0], (count,), high=np.pi)
    half = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.where(labels[:, None] == 1, np.asarray([1.0, 0.5]) - half, half)
    points = points + gx.random.normal(keys[1], points.shape, std=0.2)
    turned = gx.random.bernoulli(keys[2], wrong, (count,))
    return points.astype(np.float32), np.where(turned, 1 - labels, labels)


def network(key, between=lambda layer: (layer, nn.relu)):
    keys = gx.random.split(key, 3)
    layer = lambda inputs, key: nn.Linear(inputs, 128, key=key, weight_init=nn.init.he_normal)
    first, second = layer(2, keys[0]), layer(128, keys[1])
    return nn.Sequential(first, nn.relu, *between(second), nn.Linear(128, 2, key=keys[2]))


def penalised(penalty):
    """Return the cross-entropy with a penalty on the model's weights, while training."""

    def loss(model, inputs, labels, *, key, train):
        logits = model(inputs, key=key, train=train)
        fit = nn.cross_entropy(logits, labels)
        return (fit + penalty(model) if train else fit), logits

    return loss


def smoothed(model, inputs, labels, *, key, train):
    logits = model(inputs, key=key, train=train)
    return nn.cross_entropy(logits, labels, smoothing=0.2 if train else 0.0), logits


def ways(key):
    """Return the network, the loss and the optimizer of each way, by name."""
    adam, plain, noise = optim.adam(RATE), nn.cross_entropy, optim.add_noise(0.01, key=key)
    dropout = network(key, lambda layer: (layer, nn.relu, nn.Dropout(0.5)))
    connect = network(key, lambda layer: (nn.DropConnect(layer, 0.5), nn.relu))
    return {
        "none": (network(key), plain, adam),
        "L1 in the loss": (network(key), penalised(partial(nn.l1_penalty, strength=1e-3)), adam),
        "L2 in the loss": (network(key), penalised(partial(nn.l2_penalty, strength=3e-3)), adam),
        "weight decay": (network(key), plain, optim.adamw(RATE, weight_decay=1.0)),
        "dropout": (dropout, plain, adam),
        "DropConnect": (connect, plain, adam),
        "label smoothing": (network(key), smoothed, adam),
        "clipping": (network(key), plain, optim.chain(optim.clip_by_global_norm(0.1), adam)),
        "gradient noise": (network(key), plain, optim.chain(noise, adam)),
        "early stopping": (network(key), plain, adam),
    }


@gx.compile
def average(model, x, keys):
    """Return the mean chances that networks without half their weights give, one for each key."""
    draw = lambda key: nn.softmax(model(x, key=key, train=True))
    return gx.mean(gx.vmap(draw)(keys), axis=0)


def draw_curves(axes, title, history, **style):
    axes.plot(history["epoch"], history["loss"], "C0", label="training", **style)
    axes.plot(history["epoch"], history["validation_loss"], "C1", label="validation", **style)
    axes.set(title=title, xlim=(0, EPOCHS), ylim=(0, 1.8))


def draw_chances(axes, title, predict, points, labels):
    grid = np.stack(np.meshgrid(np.linspace(-2, 3, 100), np.linspace(-1.5, 2, 70)), axis=-1)
    chances = np.asarray(predict(grid.reshape(-1, 2).astype(np.float32)))[:, 1]
    levels = np.linspace(0, 1, 11)
    axes.contourf(*np.moveaxis(grid, -1, 0), chances.reshape(70, 100), levels, cmap="PuOr")
    axes.scatter(*points.T, c=labels, cmap="PuOr", edgecolors="w", s=30)
    axes.set(title=title, xticks=[], yticks=[])


def main(output, device, seed):
    Path(output).mkdir(parents=True, exist_ok=True)
    keys = gx.random.split(gx.random.key(seed), 6)
    training, validation = moons(keys[0], 120, 1 / 6), moons(keys[1], 120, 1 / 6)
    points, labels = moons(keys[2], 2000, 0.0)
    figure = plt.figure(figsize=(15, 10), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[3, 2])
    above.suptitle("Losses by epoch, and the accuracy on 2,000 clean points")
    panels, models, histories = above.subplots(2, 5, sharex=True, sharey=True).flat, {}, {}
    for axes, (name, (model, loss, optimizer)) in zip(panels, ways(keys[3]).items(), strict=True):
        stop = gx.train.EarlyStopping(patience=20, min_delta=1e-3)
        result = gx.train.fit(
            model, loss, optimizer, training, epochs=EPOCHS, validation=validation, device=device,
            early_stopping=stop if name == "early stopping" else None, key=keys[4], progress=None,
        )  # fmt: skip
        models[name], histories[name] = gx.to_device(result.model, "cpu"), result.history
        accuracy = gx.train.accuracy(models[name](points), labels)
        print(f"{name:<16} test accuracy {accuracy:.1%} after {len(result.history)} epochs")
        draw_curves(axes, f"{name}: {accuracy:.1%}", result.history)
    axes.axvline(stop.best_epoch, color="k", ls=":", label=f"best: epoch {stop.best_epoch}")
    axes.axvline(len(result.history), color="k", label=f"stops after {len(result.history)}")
    axes.legend(loc="lower right")
    draw_curves(axes, axes.get_title(), histories["none"], alpha=0.25)  # had it gone on

    connect, draws = models["DropConnect"], gx.random.split(keys[5], 200)
    maps = {
        "no regularisation": lambda x: nn.softmax(models["none"](x)),
        "DropConnect, all weights": lambda x: nn.softmax(connect(x)),
        "DropConnect, mean of 200 networks": lambda x: average(connect, x, draws),
    }
    for axes, (title, predict) in zip(below.subplots(1, 3), maps.items(), strict=True):
        surprise = -np.mean(np.log(predict(points)[np.arange(2000), labels]))
        print(f"{title}: cross-entropy {surprise:.2f} on the 2,000 points")
        draw_chances(axes, f"{title}: cross-entropy {surprise:.2f}", predict, *training)
    figure.savefig(Path(output, "regularisation.png"), dpi=110)
    print(f"the curves and the chances are in {Path(output, 'regularisation.png')}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=".", help="folder for the picture")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
