"""Ridge regression by stochastic gradient descent arrives at the closed-form solution.

Averaging noise out takes a decreasing step; the last digits take full batches.
"""

import argparse

import numpy as np
from sklearn.linear_model import Ridge

import gradx as gx

PENALTY = 1.0  # scikit-learn's alpha: |X w + b - y|^2 + alpha |w|^2


def loss(model, inputs, targets, *, key, train):
    """The mean over rows of what ``Ridge`` sums; the intercept is not penalised."""
    errors = inputs @ model["weight"] + model["intercept"] - targets
    penalty = gx.nn.l2_penalty(model["weight"], PENALTY / 442)
    return gx.sum(errors * errors) / targets.shape[0] + penalty


def difference(model, exact):
    """Return the largest difference of any coefficient."""
    model = gx.to_device(model, "cpu")
    weight = np.max(np.abs(model["weight"] - exact.coef_))
    return max(weight, abs(model["intercept"] - exact.intercept_))


def main(device, seed):
    inputs, targets = gx.data.datasets.diabetes(dtype=np.float64)
    inputs = inputs / inputs.std(axis=0)  # condition number about 500
    exact = Ridge(alpha=PENALTY).fit(inputs, targets)

    model = {"weight": np.zeros(10), "intercept": np.asarray(0.0)}
    noisy = gx.optim.sgd(lambda n: 0.05 / (1 + n / 1000))
    exact_steps = gx.optim.sgd(0.1, momentum=0.92, nesterov=True)
    stages = [
        ("batches of 32, rate 0.05 / (1 + step / 1000)", 32, 200, noisy),
        ("full batches, Nesterov's momentum", 442, 600, exact_steps),
    ]
    for name, size, epochs, optimizer in stages:
        model = gx.train.fit(
            model, loss, optimizer, (inputs, targets), epochs=epochs, batch_size=size,
            key=gx.random.key(seed), device=device, progress=None,
        ).model  # fmt: skip
        print(f"{name}: max difference {difference(model, exact):.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", help="not used: this example draws nothing")
    options = parser.parse_args()
    main(options.device, options.seed)
