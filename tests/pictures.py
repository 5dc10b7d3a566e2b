"""Graphs that tests of drawings share: the lecture's, layers in a row, a transformer block."""

import json
import random
import re

import numpy as np

import gradx as gx
from gradx import nn

KEYS = gx.random.split(gx.random.key(0), 4)
DRAWS = np.random.default_rng(0)
INPUTS = DRAWS.normal(size=(12, 8))
STEPS = DRAWS.normal(size=(2, 5, 8))
LABELS = np.arange(12) % 3


def lecture():
    """Return the lecture's graph, f = (x + y) z at (-2, 5, -4)."""
    x, y, z = gx.tensor(-2.0, name="x"), gx.tensor(5.0, name="y"), gx.tensor(-4.0, name="z")
    q = x + y
    q.name = "q"
    f = q * z
    f.name = "f"
    return f


def layers(width=16, count=3):
    """Return a model of dense layers with tanh between them, 8 features to 3."""
    sizes = [8, *[width] * (count - 1), 3]
    keys = gx.random.split(KEYS[0], count)
    parts = [
        nn.Linear(n, m, key=key, dtype="float64")
        for n, m, key in zip(sizes[:-1], sizes[1:], keys, strict=True)
    ]
    return nn.Sequential(parts[0], *[layer for part in parts[1:] for layer in (gx.tanh, part)])


def loss(model, inputs):
    return nn.cross_entropy(model(inputs), LABELS)


def block():
    return nn.TransformerBlock(8, 2, key=KEYS[1], causal=True, dtype="float64")


def total(model, x):
    return gx.sum(model(x) ** 2)


def lecture_picture():
    return gx.draw(lecture())


def layers_picture():
    return gx.draw(loss, layers(), INPUTS)


def block_picture():
    return gx.draw(total, block(), STEPS)


def large_picture():
    """Draw more than 300 boxes."""
    return gx.draw(loss, layers(count=60), INPUTS)


class Nested(nn.Module):
    """Calls modules inside it, and uses what others computed, at random."""

    weight: object
    children: tuple
    seed: int = nn.static()

    def __call__(self, x, computed):
        choices = random.Random(self.seed + len(computed))
        for _ in range(choices.randint(0, 4)):
            kind = choices.choice(["call", "call", "multiply", "add", "weight"])
            if kind == "call" and self.children:
                x = choices.choice(self.children)(x, computed)
            elif kind == "weight" and self.children:
                x = x * choices.choice(self.children).weight
            else:
                x = x + choices.choice(computed) if kind == "add" else x * self.weight
            computed.append(x)
        return x


def nested_picture(seed):
    """Draw modules in modules, with values that enter and leave at any depth."""
    choices = random.Random(seed)

    def make(depth):
        count = choices.randint(1, 3) if depth else 0
        children = tuple([make(depth - 1) for _ in range(count)])
        return Nested(np.asarray(choices.random()), children, choices.randint(0, 10**6))

    def f(model, x):
        computed = [x]
        for _ in range(3):
            computed.append(model(choices.choice(computed), computed))
        return computed[-1] * choices.choice(computed) + model.weight

    return gx.draw(f, make(3), 0.7)


def content_of(page):
    """Return what the JSON of a page says."""
    (text,) = re.findall(r'<script type="application/json" id="graph">(.*?)</script>', page)
    return json.loads(text)
