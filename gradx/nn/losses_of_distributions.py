"""Losses that compare probabilities: a negative log-likelihood, or how far two are apart."""

from math import inf, log, pi
from typing import Any

from gradx.errors import DTypeError, ShapeError
from gradx.nn.checks import require_number
from gradx.nn.losses import binary_cross_entropy, cross_entropy
from gradx.nn.reducing import matching, reduced
from gradx.nn.targets import checked_targets
from gradx.ops.arithmetic import add, divide, multiply, subtract, where
from gradx.ops.creation import stop_gradient
from gradx.ops.exponential import exp, expm1, sigmoid
from gradx.ops.exponential import log as log_of
from gradx.ops.extremes import maximum
from gradx.ops.powers import pow
from gradx.ops.shapes import sum
from gradx.ops.special_gamma import gammaln


def kl_divergence(log_predictions: Any, targets: Any, reduction: str = "mean") -> Any:
    """Return how far predicted distributions are from target ones, in nats.

    That is ``sum(targets * (log(targets) - log_predictions))`` over the last axis, the classes,
    where a target of 0 counts nothing; the mean is over samples, as with PyTorch's
    ``"batchmean"``. ``log_predictions`` are logarithms of probabilities, as
    ``gx.nn.log_softmax`` of logits, ``targets`` probabilities; both are ``(..., classes)``.
    Source: Kullback, Leibler, "On information and sufficiency" (Annals of Mathematical
    Statistics 22, 1951).

    Raises:
        ValueError: the shapes differ, or a target is no probability.

    >>> import numpy as np, gradx as gx
    >>> predictions = gx.nn.log_softmax(np.zeros((1, 2)))
    >>> round(float(gx.nn.kl_divergence(predictions, np.asarray([[1.0, 0.0]]))), 6)
    0.693147
    """
    name = "kl_divergence"
    targets = matching(name, log_predictions, targets, "log_predictions")
    if not targets.shape:
        raise ShapeError(f"{name}: expected log_predictions (..., classes), got a number")
    targets = checked_targets(targets, law="probability", name=name)
    # The logarithms of what is 0 would be infinite, and so would their derivatives.
    counts = targets > 0
    logs = log_of(where(counts, targets, 1.0))
    log_predictions = where(counts, log_predictions, 0.0)
    losses = sum(multiply(targets, subtract(logs, log_predictions)), axis=-1)
    return reduced(name, losses, reduction)


def poisson_nll(
    log_rates: Any, targets: Any, reduction: str = "mean", *, full: bool = False
) -> Any:
    """Return the negative log-likelihood of counts whose expectation is ``exp(log_rates)``.

    That is ``exp(log_rates) - targets * log_rates``; ``full=True`` adds ``log(targets!)``, which
    no gradient sees. The mean is over all elements.

    Raises:
        ValueError: the shapes differ, or a target is below 0.

    >>> import numpy as np, gradx as gx
    >>> float(gx.nn.poisson_nll(np.asarray([0.0, 0.0]), np.asarray([3, 1])))
    1.0
    """
    targets = matching("poisson_nll", log_rates, targets, "log_rates")
    targets = checked_targets(targets, law="count", name="poisson_nll")
    losses = subtract(exp(log_rates), multiply(targets, log_rates))
    losses = add(losses, gammaln(targets + 1.0)) if full else losses
    return reduced("poisson_nll", losses, reduction)


def gaussian_nll(
    means: Any,
    targets: Any,
    variances: Any,
    reduction: str = "mean",
    *,
    full: bool = False,
    eps: float = 1e-6,
) -> Any:
    """Return the negative log-likelihood of targets under normal distributions.

    That is ``(log(variance) + (mean - target)**2 / variance) / 2``, with ``full=True`` and
    ``log(2 * pi) / 2``; the mean is over all elements. Variances below ``eps`` count as
    ``eps``, and have the derivative at ``eps``, so that they can grow again. Source: Nix,
    Weigend, "Estimating the mean and variance of the target probability distribution"
    (ICNN 1994).

    Raises:
        ValueError: the shapes differ, a variance is negative, or ``eps`` is not above 0.

    >>> import numpy as np, gradx as gx
    >>> float(gx.nn.gaussian_nll(np.asarray([1.0]), np.asarray([3.0]), np.asarray([1.0])))
    2.0
    """
    name = "gaussian_nll"
    targets = matching(name, means, targets, "means")
    variances = matching(name, means, variances, "means", "variances")
    require_number(name, "eps", eps)
    if not 0 < eps < inf:
        raise ShapeError(f"{name}: eps={eps!r}, expected a finite number above 0")
    variances = checked_targets(variances, law="variance", name=name)
    variances = variances + stop_gradient(maximum(variances, eps) - variances)
    error = subtract(means, targets)
    losses = 0.5 * add(log_of(variances), divide(error * error, variances))
    return reduced(name, losses + 0.5 * log(2 * pi) if full else losses, reduction)


def focal(
    logits: Any,
    targets: Any,
    gamma: float = 2.0,
    reduction: str = "mean",
    *,
    alpha: float | None = None,
) -> Any:
    """Return the cross-entropy, times ``(1 - p)**gamma``, where ``p`` is what was right.

    So what is predicted well already counts little. With ``targets`` of the shape of the
    logits, 0, 1 or probabilities, ``p`` is ``sigmoid(logits)`` of a target of 1, and with
    ``alpha`` those count ``alpha`` times and the others ``1 - alpha`` times; the mean is over
    all elements. With logits ``(..., classes)`` and integer labels ``(...)``, ``p`` is that class
    of ``softmax(logits)``; the mean is over samples. Source: Lin, Goyal, Girshick, He,
    Dollár, "Focal loss for dense object detection" (ICCV 2017).

    Raises:
        ValueError: the shapes do not belong together, or ``gamma`` is below 0.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.focal(np.asarray([0.0, 4.0]), np.asarray([1, 1]), reduction="none").round(6)
    array([1.73287e-01, 6.00000e-06])
    """
    require_number("focal", "gamma", gamma)
    if not 0 <= gamma < inf:
        raise ShapeError(f"focal: gamma={gamma!r}, expected 0 or more, and finite")
    if alpha is not None:
        require_number("focal", "alpha", alpha)
        if not 0 <= alpha <= 1:
            raise ShapeError(f"focal: alpha={alpha!r}, expected from 0 to 1")
    if len(getattr(targets, "shape", ())) == len(getattr(logits, "shape", ())):
        return reduced("focal", _focal_of_two(logits, targets, gamma, alpha), reduction)
    if alpha is not None:
        raise DTypeError(f"focal: alpha={alpha!r} is for targets of the shape of the logits")
    losses = cross_entropy(logits, targets, "none")
    return reduced("focal", pow(-expm1(-losses), gamma) * losses, reduction)


def _focal_of_two(logits, targets, gamma, alpha):
    targets = matching("focal", logits, targets, "logits")
    losses = binary_cross_entropy(logits, targets, "none")
    chances = sigmoid(logits)
    missing = add(multiply(targets, sigmoid(-logits)), multiply(1 - targets, chances))
    losses = multiply(pow(missing, gamma), losses)
    if alpha is None:
        return losses
    return multiply(alpha * targets + (1 - alpha) * (1 - targets), losses)
