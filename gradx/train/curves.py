"""Columns of a history as a line chart in SVG, written without help: static and self-contained."""

import math
from collections.abc import Mapping, Sequence

from gradx.graph.svg import escape, text_width

COLOURS = ("#2f6fdb", "#d9622b", "#2a8a57", "#8250c4", "#b3446c", "#6b7280")
WIDTH, HEIGHT = 520, 270
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 34, 36
INK, GRID = "#57606a", "#e4e8ec"
SIZE = 11.5
MOST_DOTS = 60  # more points than that are a line without dots


def line_chart(series: Mapping[str, Sequence[float]], epochs: Sequence[float]) -> str:
    """Draw lines over epochs; a number that is not finite leaves a gap.

    >>> from gradx.train.curves import line_chart
    >>> line_chart({"loss": [0.75, 0.5]}, [1, 2]).count("<circle")
    2
    """
    finite = [v for values in series.values() for v in values if math.isfinite(v)]
    bottom, top, step = scale_of(finite or [0.0])
    first, last = (epochs[0], epochs[-1]) if epochs else (0, 1)
    x_of = lambda e: LEFT + (WIDTH - LEFT - RIGHT) * ((e - first) / ((last - first) or 1))
    y_of = lambda v: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * ((v - bottom) / (top - bottom))
    ticks = [bottom + step * i for i in range(round((top - bottom) / step) + 1)]
    lines = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" font-size="{SIZE}" role="img" '
        f'aria-label="{escape(_in_words(series, epochs))}">',
        *[_level(y_of(tick), number(tick)) for tick in ticks],
        *[_mark(x_of(epoch), epoch) for epoch in _marked(epochs)],
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 3}" text-anchor="end" fill="{INK}">epoch</text>',
        *_legend(series),
    ]
    for place, (name, values) in enumerate(series.items()):
        points = [(x_of(e), y_of(v), e, v) for e, v in zip(epochs, values, strict=True)]
        lines += _line(name, points, COLOURS[place % len(COLOURS)])
    return "\n".join([*lines, "</svg>"])


def _in_words(series: Mapping[str, Sequence[float]], epochs: Sequence[float]) -> str:
    """Say for who cannot see it what a chart shows."""
    ends = [
        f"{name.replace('_', ' ')} from {number(values[0])} to {number(values[-1])}"
        for name, values in series.items()
        if values
    ]
    return f"{', '.join(ends) or 'nothing'}, in {len(epochs)} epochs"


def scale_of(values: Sequence[float]) -> tuple[float, float, float]:
    """Return round numbers below and above all values, and the step between marks on an axis.

    >>> from gradx.train.curves import scale_of
    >>> scale_of([0.0, 87.0])
    (0.0, 100.0, 20.0)
    """
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    step = _round_step(span / 5)
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    return (bottom, top, step) if top > bottom else (bottom - step, top + step, step)


def number(value: float) -> str:
    """Write a number beside an axis.

    >>> from gradx.train.curves import number
    >>> number(0.1 + 0.2)
    '0.3'
    """
    return f"{value + 0.0:.6g}"


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(round_ for round_ in (1, 2, 2.5, 5, 10) if step <= round_ * power * 1.001) * power


def _level(y: float, text: str) -> str:
    return (
        f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GRID}" class="level"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{text}</text>'
    )


def _marked(epochs: Sequence[float]) -> Sequence[float]:
    """Return the epochs to name under the axis: all, or a few that lie evenly."""
    if len(epochs) <= 10:
        return epochs
    step = math.ceil(_round_step((epochs[-1] - epochs[0]) / 8))
    return [epoch for epoch in epochs if epoch % step == 0]


def _mark(x: float, epoch: float) -> str:
    y = HEIGHT - BOTTOM + 16
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle" fill="{INK}">{number(epoch)}</text>'


def _legend(series: Mapping[str, Sequence[float]]) -> list[str]:
    lines, x = [], float(LEFT)
    for place, name in enumerate(series):
        label = name.replace("_", " ")
        lines.append(
            f'<path d="M{x:.1f} 14h16" stroke="{COLOURS[place % len(COLOURS)]}" stroke-width="3"/>'
            f'<text x="{x + 22:.1f}" y="18">{escape(label)}</text>'
        )
        x += 40 + text_width(label, SIZE)
    return lines


def _line(name: str, points: list[tuple[float, float, float, float]], colour: str) -> list[str]:
    parts, pen = [], "M"
    for x, y, _, value in points:
        if not math.isfinite(value):
            pen = "M"
            continue
        parts.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    path = f'<path d="{"".join(parts)}" fill="none" stroke="{colour}" stroke-width="2"/>'
    radius = 3 if len(points) <= MOST_DOTS else 0
    return [path, *[_dot(name, point, radius, colour) for point in points]]


def _dot(name: str, point: tuple[float, float, float, float], radius: int, colour: str) -> str:
    """Return a dot that says its number to the pointer, in a circle large enough to hit."""
    x, y, epoch, value = point
    if not math.isfinite(value):
        return ""
    words = f"epoch {number(epoch)}: {name.replace('_', ' ')} {value:.5g}"
    return (
        f'<g fill="{colour}"><title>{escape(words)}</title>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" stroke="transparent" '
        f'stroke-width="8"/></g>'
    )
