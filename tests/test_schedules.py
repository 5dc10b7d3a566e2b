"""Learning-rate schedules: those of PyTorch, and the same for arrays as for numbers."""

import inspect

import numpy as np
import pytest

import gradx as gx
from gradx.errors import DTypeError, ShapeError
from gradx.optim import schedules

STEPS = 50

# Of each schedule: ours, and PyTorch's with the same rates, from a base rate of 0.2.
CASES = {
    "constant": [(lambda s: s.constant(0.2), lambda t, o: t.ConstantLR(o, factor=1.0))],
    "step": [
        (lambda s: s.step(0.2, 7), lambda t, o: t.StepLR(o, 7)),
        (lambda s: s.step(0.2, 3, 0.5), lambda t, o: t.StepLR(o, 3, 0.5)),
    ],
    "exponential": [(lambda s: s.exponential(0.2, 0.9), lambda t, o: t.ExponentialLR(o, 0.9))],
    "linear": [
        (lambda s: s.linear(0.02, 0.2, 8), lambda t, o: t.LinearLR(o, 0.1, 1.0, 8)),
        (lambda s: s.linear(0.2, 0.05, 8), lambda t, o: t.LinearLR(o, 1.0, 0.25, 8)),
    ],
    "cosine": [
        (lambda s: s.cosine(0.2, STEPS), lambda t, o: t.CosineAnnealingLR(o, STEPS)),
        (lambda s: s.cosine(0.2, STEPS, 0.01), lambda t, o: t.CosineAnnealingLR(o, STEPS, 0.01)),
    ],
    "cosine_restarts": [
        (lambda s: s.cosine_restarts(0.2, 7), lambda t, o: t.CosineAnnealingWarmRestarts(o, 7)),
        (
            lambda s: s.cosine_restarts(0.2, 3, growth=2, final=0.01),
            lambda t, o: t.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
        ),
    ],
    "cyclic": [
        (
            lambda s: s.cyclic(0.1, 0.3, up=4),
            lambda t, o: t.CyclicLR(o, 0.1, 0.3, 4, cycle_momentum=False),
        ),
        (
            lambda s: s.cyclic(0.1, 0.3, up=4, down=7, decay=0.5),
            lambda t, o: t.CyclicLR(o, 0.1, 0.3, 4, 7, "triangular2", cycle_momentum=False),
        ),
    ],
    "one_cycle": [
        (
            lambda s: s.one_cycle(0.3, STEPS + 1),
            lambda t, o: t.OneCycleLR(o, 0.3, STEPS + 1, cycle_momentum=False),
        ),
        (
            lambda s: s.one_cycle(0.3, STEPS + 1, 0.5, initial=0.1, final=0.05),
            lambda t, o: t.OneCycleLR(
                o,
                0.3,
                STEPS + 1,
                pct_start=0.5,
                div_factor=3,
                final_div_factor=2,
                cycle_momentum=False,
            ),
        ),
    ],
    "piecewise": [
        (
            lambda s: s.piecewise(0.2, {30: 0.1, 7: 0.1}),
            lambda t, o: t.MultiStepLR(o, [7, 30], 0.1),
        ),
        (
            lambda s: s.piecewise(0.06, {9: 1 / 0.3}),
            lambda t, o: t.ConstantLR(o, factor=0.3, total_iters=9),
        ),
    ],
    "interpolate": [
        (
            lambda s: s.interpolate({0: 0.1, 5: 0.2, 20: 0.05}),
            lambda t, o: t.LambdaLR(o, lambda n: np.interp(n, [0, 5, 20], [0.5, 1.0, 0.25])),
        ),
        (
            lambda s: s.interpolate({0: 0.2, STEPS: 0.01}, "cosine"),
            lambda t, o: t.CosineAnnealingLR(o, STEPS, 0.01),
        ),
    ],
    "polynomial": [
        (lambda s: s.polynomial(0.2, 30, 2.0), lambda t, o: t.PolynomialLR(o, 30, 2.0)),
        (lambda s: s.polynomial(0.2, 30), lambda t, o: t.PolynomialLR(o, 30)),
    ],
    "warmup": [
        (
            lambda s: s.warmup(5, s.exponential(0.2, 0.9)),
            lambda t, o: t.LambdaLR(o, lambda n: n / 5 if n < 5 else 0.9 ** (n - 5)),
        ),
        (lambda s: s.warmup(5, 0.2), lambda t, o: t.LambdaLR(o, lambda n: min(n / 5, 1))),
    ],
    "join": [
        (
            lambda s: s.join(
                [s.linear(0.02, 0.2, 4), s.exponential(0.2, 0.9), s.step(0.2, 5)], [4, 20]
            ),
            lambda t, o: t.SequentialLR(
                o, [t.LinearLR(o, 0.1, 1.0, 4), t.ExponentialLR(o, 0.9), t.StepLR(o, 5)], [4, 20]
            ),
        )
    ],
}

cases = [
    pytest.param(*pair, id=f"{name}-{i}")
    for name, pairs in CASES.items()
    for i, pair in enumerate(pairs)
]
every_case = pytest.mark.parametrize(("ours", "theirs"), cases)


def test_every_schedule_is_compared():
    functions = [n for n, f in vars(schedules).items() if inspect.isfunction(f)]

    homes = {f"gradx.optim.{name}" for name in ("schedules", "cycles", "pieces")}
    own = {n for n in functions if vars(schedules)[n].__module__ in homes}

    assert {n for n in own if not n.startswith("_")} == set(CASES)


@every_case
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rates_are_those_of_torch(ours, theirs):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler, expected = theirs(torch.optim.lr_scheduler, optimizer), []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()

    actual = [ours(schedules)(step) for step in range(STEPS)]

    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-14)


@every_case
def test_rates_are_python_numbers_for_numbers_and_the_same_for_tracked_steps(ours, theirs):
    schedule = ours(schedules)

    for step in range(0, STEPS, 3):
        rate = schedule(step)
        tracked, _ = gx.vjp(lambda s: schedule(s) + 0.0 * s, np.asarray(float(step)))

        assert type(rate) is float
        np.testing.assert_allclose(tracked, rate, rtol=1e-12)


def test_cosine_and_linear_stay_at_their_end():
    assert schedules.cosine(1.0, 10, final=0.1)(25) == pytest.approx(0.1)
    assert schedules.linear(1.0, 0.3, 10)(25) == pytest.approx(0.3)


def test_warm_up_begins_at_zero_and_meets_what_follows():
    schedule = schedules.warmup(4, schedules.cosine(0.8, 10))

    assert [schedule(step) for step in range(5)] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    assert schedule(4 + 10) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: schedules.constant(-1.0),
            r"constant: value=-1\.0: expected a number of 0 or more",
        ),
        (lambda: schedules.step(0.1, 0), "step: every=0: expected a number of steps"),
        (lambda: schedules.step(0.1, 2.5), r"step: every=2\.5: expected a number of steps"),
        (lambda: schedules.exponential(0.1, -0.5), r"exponential: factor=-0\.5: expected"),
        (lambda: schedules.linear(0.1, 0.0, 0), "linear: steps=0: expected"),
        (lambda: schedules.cosine(0.1, -3), "cosine: steps=-3: expected"),
        (lambda: schedules.warmup(0, 0.1), "warmup: steps=0: expected"),
        (lambda: schedules.join([], []), "join: 0 schedules"),
        (
            lambda: schedules.join([schedules.constant(1.0)], [3]),
            r"1 schedules and boundaries \[3\]",
        ),
        (lambda: schedules.join([schedules.constant(1.0)] * 3, [5, 2]), "increasing and above 0"),
        (lambda: schedules.join([schedules.constant(1.0)] * 2, [0]), "increasing and above 0"),
    ],
)
def test_what_is_out_of_range_is_named(make, message):
    with pytest.raises(ShapeError, match=message):
        make()


def test_what_is_not_a_number_is_named():
    with pytest.raises(DTypeError, match="cosine: steps='ten': expected a number"):
        schedules.cosine(0.1, "ten")
