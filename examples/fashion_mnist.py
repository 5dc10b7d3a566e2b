"""Recognise clothes on 70,000 photographs: by dense layers in seconds, or by convolution.

The data is Debian's: apt-get install dataset-fashion-mnist. The training curve and the
errors that the network was surest of are written to --output.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import gradx as gx
from gradx import nn

CLASSES = ["T-shirt", "trouser", "pullover", "dress", "coat"]
CLASSES += ["sandal", "shirt", "sneaker", "bag", "boot"]
HE = {"weight_init": nn.init.he_normal}  # for layers that relu follows


def mlp(key):
    first, last = gx.random.split(key)
    wide = nn.Linear(28 * 28, 256, key=first, **HE)
    return nn.Sequential(nn.Flatten(), wide, nn.relu, nn.Linear(256, 10, key=last))


def cnn(key):
    keys = gx.random.split(key, 4)
    convolve = lambda inputs, outputs, key: (
        nn.Conv(inputs, outputs, 3, padding="same", key=key, **HE),
        nn.MaxPool(2),
        nn.relu,
    )
    wide = nn.Linear(32 * 7 * 7, 128, key=keys[2], **HE)
    head = (nn.Flatten(), wide, nn.relu, nn.Dropout(0.3), nn.Linear(128, 10, key=keys[3]))
    return nn.Sequential(*convolve(1, 16, keys[0]), *convolve(16, 32, keys[1]), *head)


MODELS = {"mlp": (mlp, 128, 5), "cnn": (cnn, 64, 6)}  # and the rows in a batch, and epochs


def load(part):
    """Return images (n, 1, 28, 28) of mean 0 and variance 1 over the training set, and labels."""
    images, labels = gx.data.datasets.fashion_mnist(part)
    return (images[:, None] - 0.286) / 0.353, labels


def draw(history, images, labels, logits, path):
    """Draw the accuracy, and the eight errors with the highest probability."""
    chances = np.asarray(nn.softmax(logits))
    guesses = np.argmax(chances, axis=1)
    surest = np.argsort(np.where(guesses == labels, 0, np.max(chances, axis=1)))[:-9:-1]
    figure = plt.figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2)
    history.plot(left.subplots(), ["validation_accuracy"])
    for axes, i in zip(right.subplots(2, 4).flat, surest, strict=True):
        axes.imshow(images[i, 0], cmap="gray_r")
        axes.set_title(f"{CLASSES[labels[i]]},\ntaken for {CLASSES[guesses[i]]}", fontsize=8)
        axes.axis("off")
    figure.savefig(path, dpi=150)


def main(model, epochs, quick, output, device, seed):
    path = Path(output, f"fashion_{model}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    split_key, model_key, train_key = gx.random.split(gx.random.key(seed), 3)
    training, validation = gx.data.split(load("train"), [55_000, 5_000], key=split_key)
    images, labels = load("test")
    make, size, enough = MODELS[model]
    epochs = epochs or enough
    if quick:
        epochs, training = 1, tuple(part[:5_000] for part in training)
    steps = epochs * -(-len(training[0]) // size)

    result = gx.train.fit(
        make(model_key),
        nn.cross_entropy,
        gx.optim.adam(gx.optim.schedules.cosine(2e-3, steps)),
        training,
        epochs=epochs,
        batch_size=size,
        validation=validation,
        metrics=[gx.train.accuracy],
        key=train_key,
        device=device,
    )

    logits = gx.to_device(result.model, "cpu")(images)
    seconds = sum(result.history["seconds"])
    accuracy = gx.train.accuracy(logits, labels)
    print(f"{model}: test accuracy {accuracy:.2%} after {epochs} epochs, {seconds:.1f} s")
    draw(result.history, images, labels, logits, path)
    print(f"the curve and the errors are in {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="mlp")
    parser.add_argument("--epochs", type=int, help="5 for dense layers, 6 for convolution")
    parser.add_argument("--quick", action="store_true", help="one epoch on 5,000 images")
    parser.add_argument("--output", default=".", help="folder for the pictures")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
