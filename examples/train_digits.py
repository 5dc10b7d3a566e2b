"""Recognise handwritten digits: a network with one hidden layer, dropout and Adam.

Writes the loss curve and the graph of one small batch's loss to --output.
"""

import argparse
from pathlib import Path

import gradx as gx


def make_model(key, device):
    first, last = gx.random.split(key)
    return gx.nn.Sequential(
        gx.nn.Linear(64, 128, key=first, device=device),
        gx.nn.relu,
        gx.nn.Dropout(0.3),
        gx.nn.Linear(128, 10, key=last, device=device),
    )


def main(output, device, seed):
    split_key, model_key, train_key = gx.random.split(gx.random.key(seed), 3)
    digits = gx.data.datasets.digits()
    training, validation, test = gx.data.split(digits, [1257, 180, 360], key=split_key)

    result = gx.train.fit(
        make_model(model_key, device),
        gx.nn.cross_entropy,
        gx.optim.adam(2e-3),
        training,
        epochs=60,
        batch_size=32,
        validation=validation,
        metrics=[gx.train.accuracy],
        early_stopping=gx.train.EarlyStopping(patience=10),
        key=train_key,
        device=device,
    )

    measured = gx.train.evaluate(
        result.model, gx.nn.cross_entropy, test, metrics=[gx.train.accuracy], device=device
    )
    print(f"test accuracy {measured['accuracy']:.2%}, loss {measured['loss']:.3f}")

    curve, graph = Path(output, "digits_loss.png"), Path(output, "digits_graph.html")
    curve.parent.mkdir(parents=True, exist_ok=True)
    result.history.plot().figure.savefig(curve, dpi=150)
    inputs, targets = (part[:4] for part in gx.to_device(training, device))
    loss = lambda model: gx.nn.cross_entropy(model(inputs), targets)
    gx.draw(loss, result.model).save(graph)
    print(f"the loss over the epochs is in {curve}, the graph in {graph}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=".", help="folder for the pictures")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
