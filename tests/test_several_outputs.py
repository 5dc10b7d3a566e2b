"""Ops with several outputs: each has its own derivatives, and unused ones cost nothing."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import gradx as gx
from gradx.core.op import OPS, primitive
from gradx.testing import check_derivatives


class Waves(NamedTuple):
    """What ``waves`` returns."""

    sine: Any
    cosine: Any


asked = []


def pull_back(g, x):
    asked.append(tuple(part is not None for part in g))
    sine, cosine = g
    total = 0 * x
    if sine is not None:
        total = total + sine * gx.cos(x)
    return total if cosine is None else total - cosine * gx.sin(x)


@pytest.fixture(scope="module")
def waves():
    @primitive(
        results=Waves,
        vjp={"x": pull_back},
        jvp={"x": lambda g, x: (g * gx.cos(x), -g * gx.sin(x))},
        samples=lambda draw: [],
    )
    def waves(xp, x, /):
        """Compute the sine and the cosine."""
        return Waves(xp.sin(x), xp.cos(x))

    yield waves
    del OPS["waves"]


X = np.linspace(0.1, 1.0, 4)


def test_result_is_named_in_every_mode(waves):
    assert type(waves(X)) is Waves
    gx.grad(lambda x: gx.sum(waves(x).sine))(X)
    gx.jvp(lambda x: waves(x).sine, (X,), (X,))
    assert type(gx.vmap(waves)(X)) is Waves
    np.testing.assert_array_equal(gx.vmap(waves)(X).cosine, np.cos(X))


def test_derivatives_of_all_outputs_to_second_order(waves):
    check_derivatives(lambda x: tuple(waves(x)), X, order=2)


def test_outputs_used_together_add_up(waves):
    together = lambda x: gx.sum(waves(x).sine * waves(x).cosine ** 2)
    apart = lambda x: gx.sum(gx.sin(x) * gx.cos(x) ** 2)

    np.testing.assert_allclose(gx.grad(together)(X), gx.grad(apart)(X), rtol=1e-14)
    np.testing.assert_allclose(gx.hessian(together)(X), gx.hessian(apart)(X), atol=1e-14)


def test_rule_is_told_which_output_is_used(waves):
    asked.clear()
    gx.grad(lambda x: gx.sum(waves(x).cosine))(X)
    assert asked == [(False, True)]
