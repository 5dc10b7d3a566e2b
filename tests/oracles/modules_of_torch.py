"""PyTorch's own table of modules and inputs: outputs and gradients of those that gradx has.

Run by ``nox -s oracles``, which installs PyTorch, or by name:

    python -m pytest -n auto tests/oracles/modules_of_torch.py

The table, ``module_db``, comes with PyTorch's wheel: each module with all its options and
odd inputs. Samples with options that gradx lacks are skipped.
"""

import warnings
from itertools import chain

import numpy as np
import pytest
import torch
from torch.testing._internal.common_modules import module_db

import gradx as gx

nn = gx.nn
FAMILIES = {f"{name}{n}d": (name, n) for name in ("Conv", "ConvTranspose") for n in (1, 2, 3)}
FAMILIES |= {f"{name}{n}d": (name, n) for name in ("AvgPool", "MaxPool") for n in (1, 2, 3)}
PADDINGS = {
    "CircularPad": "wrap",
    "ConstantPad": "constant",
    "ReflectionPad": "reflect",
    "ReplicationPad": "edge",
    "ZeroPad": "constant",
}
FAMILIES |= {f"{name}{n}d": ("Pad", n) for name in PADDINGS for n in (1, 2, 3)}


class Lacking(Exception):
    """Gradx has no such option."""


def lack(*options):
    if any(options):
        raise Lacking


def padded(x, pairs, mode, **value):
    """Pad the last axes; torch's numbers are for the last axis first."""
    ends = list(zip(pairs[::2], pairs[1::2], strict=True))[::-1]
    return gx.pad(x, [(0, 0)] * (x.ndim - len(ends)) + ends, mode, **value)


def sampled(f, n):
    """Give ``f`` the axis of samples that torch's modules of n axes can do without."""
    return lambda x: f(x) if x.ndim == n + 2 else f(x[None])[0]


def biased(y, bias, n):
    return y if not bias else y + gx.reshape(bias[0], (-1,) + (1,) * n)


def conv(m, n, weight, *bias):
    modes = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    padding = m.padding
    settings = {"stride": m.stride, "dilation": m.dilation, "groups": m.groups}

    def run(x):
        if m.padding_mode == "zeros":
            return biased(gx.conv(x, weight, padding=padding, **settings), bias, n)
        x = padded(x, m._reversed_padding_repeated_twice, modes[m.padding_mode])
        return biased(gx.conv(x, weight, **settings), bias, n)

    return sampled(run, n)


def conv_transpose(m, n, weight, *bias):
    names = ("stride", "padding", "output_padding", "dilation", "groups")
    settings = {name: getattr(m, name) for name in names}
    return sampled(lambda x: biased(gx.conv_transpose(x, weight, **settings), bias, n), n)


def max_pool(m, n):
    lack(m.ceil_mode, m.return_indices)
    pool = nn.MaxPool(m.kernel_size, stride=m.stride, padding=m.padding, dilation=m.dilation)
    return sampled(pool, n)


def avg_pool(m, n):
    lack(m.ceil_mode, getattr(m, "divisor_override", None))
    settings = {"stride": m.stride, "padding": m.padding, "count_padding": m.count_include_pad}
    return sampled(lambda x: gx.avg_pool(x, m.kernel_size, **settings), n)


def pad(m, n):
    mode = PADDINGS[type(m).__name__[:-2]]
    value = {"constant_values": getattr(m, "value", 0.0)} if mode == "constant" else {}
    pairs = m.padding if isinstance(m.padding, tuple) else (m.padding,) * (2 * n)
    return lambda x: padded(x, pairs, mode, **value)


FAMILY = {
    "AvgPool": avg_pool,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "Pad": pad,
}


def normalization(layer, parameters):
    return layer.replace(**dict(zip(("weight", "bias"), parameters, strict=False)))


def layer_norm(m, *parameters):
    shape, bias = tuple(m.normalized_shape), len(parameters) > 1
    layer = nn.LayerNorm(shape, eps=m.eps, affine=bool(parameters), bias=bias)
    return normalization(layer, parameters)


def rms_norm(m, *parameters):
    eps = torch.finfo(torch.float64).eps if m.eps is None else m.eps
    layer = nn.RMSNorm(tuple(m.normalized_shape), eps=eps, affine=bool(parameters))
    return normalization(layer, parameters)


def group_norm(m, *parameters):
    lack(len(parameters) == 1)
    layer = nn.GroupNorm(m.num_groups, m.num_channels, eps=m.eps, affine=bool(parameters))
    return normalization(layer, parameters)


def cross_entropy(m):
    def loss(x, labels):
        lack(m.weight is not None, labels.dtype.kind == "f", np.any(labels == m.ignore_index))
        logits = gx.moveaxis(x, 1, -1) if x.ndim > 1 else x
        return nn.cross_entropy(logits, labels, m.reduction, m.label_smoothing)

    return loss


def binary_cross_entropy(m):
    lack(m.weight is not None, m.pos_weight is not None)
    return lambda x, y: nn.binary_cross_entropy(x, y, m.reduction)


def softplus(m):
    beyond = lambda x: x * m.beta > m.threshold
    return lambda x: gx.where(beyond(x), x, nn.softplus(m.beta * x) / m.beta)


# Module: what gradx has for it, given the module and its parameters.
MODULES = {
    "BCEWithLogitsLoss": binary_cross_entropy,
    "Bilinear": lambda m, w, *b: (
        lambda x, y: gx.einsum("...i,oij,...j->...o", x, w, y) + (b[0] if b else 0.0)
    ),
    "CELU": lambda m: lambda x: m.alpha * nn.elu(x / m.alpha),
    "CrossEntropyLoss": cross_entropy,
    "ELU": lambda m: lambda x: nn.elu(x, alpha=m.alpha),
    "Embedding": lambda m, w: lambda i: gx.take(w, i, axis=0),
    "GELU": lambda m: lambda x: nn.gelu(x, approximate=m.approximate),
    "GLU": lambda m: lambda x: nn.glu(x, axis=m.dim),
    "GroupNorm": group_norm,
    "Hardtanh": lambda m: lambda x: gx.clip(x, m.min_val, m.max_val),
    "Hardswish": lambda m: nn.hard_swish,
    "HuberLoss": lambda m: lambda x, y: nn.huber(x, y, m.delta, m.reduction),
    "L1Loss": lambda m: lambda x, y: nn.mae(x, y, m.reduction),
    "LayerNorm": layer_norm,
    "LeakyReLU": lambda m: lambda x: nn.leaky_relu(x, negative_slope=m.negative_slope),
    "Linear": lambda m, w, *b: lambda x: x @ w.T + (b[0] if b else 0.0),
    "LogSigmoid": lambda m: lambda x: -nn.softplus(-x),
    "LogSoftmax": lambda m: lambda x: nn.log_softmax(x, axis=m.dim),
    "MSELoss": lambda m: lambda x, y: nn.mse(x, y, m.reduction),
    "Mish": lambda m: nn.mish,
    "PReLU": lambda m, w: nn.PReLU(len(w), dtype="float64").replace(weight=w),
    "RMSNorm": rms_norm,
    "ReLU": lambda m: nn.relu,
    "ReLU6": lambda m: lambda x: gx.clip(x, 0.0, 6.0),
    "SELU": lambda m: nn.selu,
    "SiLU": lambda m: nn.silu,
    "Sigmoid": lambda m: nn.sigmoid,
    "SmoothL1Loss": lambda m: lambda x, y: nn.huber(x, y, m.beta, m.reduction) / m.beta,
    "Softmax": lambda m: lambda x: nn.softmax(x, axis=m.dim),
    "Softmax2d": lambda m: lambda x: nn.softmax(x, axis=-3),
    "Softmin": lambda m: lambda x: nn.softmax(-x, axis=m.dim),
    "Softplus": softplus,
    "Softsign": lambda m: lambda x: x / (1 + gx.abs(x)),
    "Tanh": lambda m: nn.tanh,
    "Tanhshrink": lambda m: lambda x: x - nn.tanh(x),
}


def counterpart(module, parameters):
    name = type(module).__name__
    if name in FAMILIES:
        family, n = FAMILIES[name]
        return FAMILY[family](module, n, *parameters)
    return MODULES[name](module, *parameters)


def samples():
    """Give modules of torch, in float64 and new, with their arguments."""
    for info in module_db:
        name = info.module_cls.__name__
        if name not in MODULES and name not in FAMILIES:
            continue
        settings = {"device": "cpu", "dtype": torch.float64, "requires_grad": True}
        both = [info.module_inputs_func(info, training=t, **settings) for t in (True, False)]
        for number, sample in enumerate(chain(*both)):
            if not sample.forward_input.kwargs:
                yield pytest.param(info.module_cls, sample, id=f"{name}-{number}")


def compare(module, inputs):
    """Compare the output, and the gradients of inputs and parameters, eager and compiled."""
    parameters = [p.detach().numpy().copy() for p in module.parameters()]
    arrays = [x.detach().numpy().copy() for x in inputs]
    is_varied = [x.requires_grad for x in inputs]
    found = counterpart(module, parameters)(*arrays)
    expected = module(*inputs)
    seed = np.random.default_rng(0).normal(size=tuple(expected.shape))
    varied = [*module.parameters(), *[x for x in inputs if x.requires_grad]]
    wanted = torch.autograd.grad((expected * torch.tensor(seed)).sum(), varied) if varied else []

    def total(parameters, inputs):
        inputs = iter(inputs)
        full = [next(inputs) if v else x for v, x in zip(is_varied, arrays, strict=True)]
        return gx.sum(counterpart(module, parameters)(*full) * seed)

    given = [x for v, x in zip(is_varied, arrays, strict=True) if v]
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    gradient = gx.grad(total, (0, 1))
    for take in (gradient, gx.compile(gradient)):
        for one, other in zip(chain(*take(parameters, given)), wanted, strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("make", "sample"), list(samples()))
def test_module_agrees(make, sample):
    torch.manual_seed(0)
    settings = sample.constructor_input
    module = make(*settings.args, **settings.kwargs).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compare(module, sample.forward_input.args)
        except Lacking:
            pytest.skip("an option that gradx lacks")
