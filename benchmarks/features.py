"""What each system does with the same few questions, found by trying.

    python benchmarks/features.py [--json FILE]

prints the table of the README. An answer is "yes" where the numbers are right,
"wrong" where they are not and nothing was said, "no" where an error was raised.
"""

import argparse
import json
import os
from importlib import import_module

os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np

X = np.asarray([0.5, 1.5, 2.0])


def gradx_grad(f, x):
    return import_module("gradx").grad(f)(x)


def autograd_grad(f, x):
    return import_module("autograd").grad(f)(x)


def mygrad_grad(f, x):
    tensor = import_module("mygrad").tensor(x)
    f(tensor).backward()
    return tensor.grad


def jax_grad(f, x):
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return jax.grad(f)(jax.numpy.asarray(x))


def torch_grad(f, x):
    torch = import_module("torch")
    tensor = x if isinstance(x, torch.Tensor) else torch.from_numpy(np.array(x)).requires_grad_()
    result = f(tensor)
    return torch.autograd.grad(result, tensor, create_graph=True)[0]


SYSTEMS = {
    "gradx": (gradx_grad, "gradx"),
    "autograd": (autograd_grad, "autograd.numpy"),
    "MyGrad": (mygrad_grad, "mygrad"),
    "JAX": (jax_grad, "jax.numpy"),
    "PyTorch": (torch_grad, "torch"),
}


def numpys_functions(grad, xp):
    """Functions of `numpy` itself are differentiated"""
    return grad(lambda x: np.sum(np.sin(x) * x), X), np.cos(X) * X + np.sin(X)


def scipys_functions(grad, xp):
    """`scipy.optimize.rosen`, unmodified, is differentiated"""
    optimize = import_module("scipy.optimize")
    return grad(optimize.rosen, X), optimize.rosen_der(X)


def plain_arrays(grad, xp):
    """The gradient is a NumPy array"""
    gradient = grad(lambda x: xp.sum(x * x), X)
    if type(gradient) is not np.ndarray:
        raise TypeError(type(gradient))
    return gradient, 2 * X


def second_derivatives(grad, xp):
    """Gradients of gradients"""
    return grad(lambda x: xp.sum(grad(lambda y: xp.sum(y * y * y), x)), X), 6 * X


def writes(grad, xp):
    """A write through a view, `x[1:][0] = x[0]`, has its gradient"""

    def f(x):
        x = x * 1.0
        x[1:][0] = x[0] * 2.0
        return xp.sum(x)

    return grad(f, X), np.asarray([3.0, 0.0, 1.0])


def ties(grad, xp):
    """`maximum(x, 1)` at the tie gives 1/2"""
    return grad(lambda x: xp.sum(xp.maximum(x, xp.asarray(np.ones(3)))), np.ones(3)), np.full(
        3, 0.5
    )


def zeros_in_products(grad, xp):
    """`prod` of zeros has its gradient"""
    return grad(lambda x: xp.prod(x), np.asarray([0.0, 2.0, 3.0])), np.asarray([6.0, 0.0, 0.0])


def single_precision(grad, xp):
    """`mean` of float32 has a float32 gradient"""
    gradient = grad(lambda x: xp.mean(x * x), X.astype(np.float32))
    kept = "float32" in str(gradient.dtype)
    return gradient if kept else None, 2 * X / 3


def constant_spread(grad, xp):
    """`std` of equal numbers has gradient 0, not NaN"""
    return grad(lambda x: xp.std(x), np.ones(3)), np.zeros(3)


QUESTIONS = [
    numpys_functions,
    scipys_functions,
    plain_arrays,
    second_derivatives,
    writes,
    ties,
    zeros_in_products,
    single_precision,
    constant_spread,
]


def answer(question, grad, namespace):
    """Return yes, wrong or no: what became of one question."""
    try:
        actual, expected = question(grad, import_module(namespace))
    except Exception:  # whatever it is, the system said that it cannot
        return "no"
    if actual is None:
        return "wrong"
    actual = np.asarray(actual.detach() if hasattr(actual, "detach") else actual)
    right = actual.shape == expected.shape and np.allclose(actual, expected, rtol=1e-6)
    return "yes" if right else "wrong"


def main(path):
    installed = {name: how for name, how in SYSTEMS.items() if _is_installed(how[1])}
    print("| |", " | ".join(installed), "|")
    print("|---|" + "---|" * len(installed))
    rows = []
    with np.errstate(all="ignore"):
        for question in QUESTIONS:
            answers = {name: answer(question, *how) for name, how in installed.items()}
            print(f"| {question.__doc__} |", " | ".join(answers.values()), "|")
            rows.append({"question": question.__doc__, **answers})
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


def _is_installed(namespace):
    try:
        import_module(namespace)
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json")
    main(parser.parse_args().json)
