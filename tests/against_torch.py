"""A layer beside torch's: the same parameters, outputs, and gradients of all there is."""

import numpy as np

import gradx as gx
from gradx.core import tree

TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def values_of(module):
    """Return a function from the name of a parameter or buffer of ``module`` to its array."""
    return lambda name: module.state_dict()[name].detach().numpy().copy()


def gradients_of(module):
    """Return the same for gradients, which those of buffers are zero."""
    parameters = dict(module.named_parameters())
    buffers = dict(module.named_buffers())
    return lambda name: (
        np.zeros(buffers[name].shape) if name in buffers else parameters[name].grad.numpy()
    )


def randomized(torch, module, seed=0):
    """Return ``module`` in float64, with all parameters drawn anew."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double()
    for parameter in module.parameters():
        parameter.data = 0.5 * torch.randn(
            parameter.shape, generator=generator, dtype=torch.float64
        )
    return module


def assert_agrees(torch, module, make, ours, theirs, *inputs):
    """Compare ``ours(model, *inputs)`` with ``theirs(module, *inputs)``, and all gradients.

    ``make(get)`` writes the model with arrays that ``get(name)`` returns for torch's names.
    """
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    expected = theirs(module, *tensors)
    seed = np.random.default_rng(1).normal(size=tuple(expected.shape))
    (expected * torch.tensor(seed)).sum().backward()

    def total(model, *arrays):
        out = ours(model, *arrays)
        return gx.sum(out * seed), out

    differentiate = gx.value_and_grad(total, tuple(range(len(inputs) + 1)), has_aux=True)
    (_, out), (gradient, *others) = differentiate(make(values_of(module)), *inputs)

    np.testing.assert_allclose(out, expected.detach().numpy(), **TOLERANCE)
    for found, tensor in zip(others, tensors, strict=True):
        np.testing.assert_allclose(found, tensor.grad.numpy(), **TOLERANCE)
    wanted = make(gradients_of(module))
    assert tree.flatten(gradient)[1] == tree.flatten(wanted)[1]
    for path, found, leaf in zip(
        tree.paths(wanted), tree.leaves(gradient), tree.leaves(wanted), strict=True
    ):
        np.testing.assert_allclose(found, leaf, err_msg=path, **TOLERANCE)
