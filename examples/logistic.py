"""Logistic regression is a network of one layer: it arrives at scikit-learn's coefficients.

By three ways down the same hill: stochastic gradient descent, L-BFGS, which learns the
curvature from gradients, and Newton's method, which takes it from the second derivative.
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression

import gradx as gx

PENALTY = 1.0  # scikit-learn's 1 / C: the sum of all losses + penalty / 2 * |weight|^2


def loss(model, inputs, labels, *, key=None, train=True):
    """The mean over rows of what ``LogisticRegression`` sums; the bias is not penalised."""
    logits = inputs @ model["weight"] + model["bias"]
    penalty = gx.nn.l2_penalty(model["weight"], PENALTY / 2 / 569)
    return gx.nn.binary_cross_entropy(logits, labels) + penalty


def newton(model, inputs, labels, steps):
    """Go to the minimum of the parabola that touches the loss, again and again."""

    def of_vector(vector):
        return loss({"weight": vector[:-1], "bias": vector[-1]}, inputs, labels)

    @gx.compile
    def step(vector):
        return vector - gx.linalg.solve(gx.hessian(of_vector)(vector), gx.grad(of_vector)(vector))

    vector = gx.concat([model["weight"], model["bias"][None]])
    for _ in range(steps):
        vector = step(vector)
    return {"weight": vector[:-1], "bias": vector[-1]}


def main(device, seed):
    inputs, labels = gx.data.datasets.breast_cancer(dtype=np.float64)
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    exact = LogisticRegression(C=1 / PENALTY, solver="newton-cholesky", tol=1e-12)
    exact.fit(inputs, labels)
    print(f"scikit-learn: accuracy {exact.score(inputs, labels):.2%} on the rows it has seen")

    def report(name, model):
        model = gx.to_device(model, "cpu")
        found = np.append(model["weight"], model["bias"])
        error = np.max(np.abs(found - np.append(exact.coef_, exact.intercept_)))
        print(f"{name}: no coefficient is further than {error:.0e} from scikit-learn's")

    start = {"weight": np.zeros(30), "bias": np.asarray(0.0)}
    start, inputs, labels = gx.to_device((start, inputs, labels), device)
    rate = gx.optim.schedules.cosine(0.5, 100 * 18)
    descent = gx.train.fit(
        start, loss, gx.optim.sgd(rate, 0.9), (inputs, labels),
        epochs=100, key=gx.random.key(seed), device=device, progress=None,
    )  # fmt: skip
    report("100 epochs of gradient descent", descent.model)
    found = gx.optim.minimize(lambda model: loss(model, inputs, labels), start, tolerance=1e-9)
    report(f"{len(found.values) - 1} steps of L-BFGS", found.params)
    report("9 steps of Newton's method", newton(start, inputs, labels, 9))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    main(options.device, options.seed)
