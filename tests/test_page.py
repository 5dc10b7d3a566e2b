"""The page of a graph: its numbers are those of the tape, and no name can be more than a name.

What it does in a browser is in `test_page_in_browser.py`.
"""

import base64
import hashlib
import re
from importlib.resources import files

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.graph.page import MANY, SCRIPTS, SOME, folded_at_first
from gradx.graph.summary import BARS, histogram
from tests.pictures import (
    INPUTS,
    KEYS,
    STEPS,
    block,
    block_picture,
    content_of,
    large_picture,
    layers,
    layers_picture,
    lecture_picture,
    loss,
    total,
)

every_graph = pytest.mark.parametrize(
    "make", [lecture_picture, layers_picture, block_picture, large_picture]
)


def boxes_of(picture):
    """Return the kind, name, value and gradient of each box of a page, the latter as texts."""
    content = content_of(picture.to_html())
    texts = content["summaries"]
    return [
        (kind, name, texts[value], texts[gradient])
        for kind, _, name, _, _, _, _, value, gradient in content["boxes"]
    ]


def arrows_of(picture):
    """Return the names of the ends of each arrow, and the texts of local and downstream."""
    content = content_of(picture.to_html())
    texts, boxes = content["summaries"], content["boxes"]
    return [
        (boxes[source][2], boxes[target][2], texts[local] if local >= 0 else None, texts[down])
        for source, target, _, local, down, *_ in content["arrows"]
    ]


def test_the_lecture_is_on_the_page():
    assert boxes_of(lecture_picture()) == [
        ("input", "x", "-2", "-4"),
        ("input", "y", "5", "-4"),
        ("input", "z", "-4", "3"),
        ("op", "add", "3", "-4"),
        ("op", "multiply", "-12", "1"),
        ("output", "f", "-12", "1"),
    ]
    assert arrows_of(lecture_picture()) == [
        ("x", "add", "1", "-4"),
        ("y", "add", "1", "-4"),
        ("add", "multiply", "-4", "-4"),
        ("z", "multiply", "3", "3"),
        ("multiply", "f", None, "1"),
    ]


def statistics(array):
    return (array.mean(), array.min(), array.max())


@pytest.mark.parametrize(
    ("make", "f", "model", "x"),
    [(layers_picture, loss, layers(), INPUTS), (block_picture, total, block(), STEPS)],
    ids=["layers", "block"],
)
def test_parameters_have_the_gradients_that_grad_finds(make, f, model, x):
    values = dict(zip(gx.core.tree.paths(model), gx.core.tree.leaves(model), strict=True))
    gradients = gx.core.tree.leaves(gx.grad(f)(model, x))

    shown = {name: rest for kind, name, *rest in boxes_of(make()) if kind == "parameter"}

    assert list(shown) == [f"model{path}" for path in values]
    for texts, value, gradient in zip(shown.values(), values.values(), gradients, strict=True):
        for text, array in zip(texts, (value, gradient), strict=True):
            if array.size > 4:
                shape, *numbers = text.split("|")[:4]
                assert shape == str(array.shape)
                scale = np.abs(array).max()
                np.testing.assert_allclose(
                    np.asarray(numbers, dtype=float),
                    statistics(array),
                    rtol=1e-3,
                    atol=1e-9 * scale,
                )


def number(text):
    """Return the number that a text of the page is, or ``None``."""
    *_, last = parts = text.split("|")
    return float(last) if len(parts) <= 2 and "[" not in last else None


@pytest.mark.parametrize("make", [lecture_picture, layers_picture, large_picture])
def test_downstream_is_upstream_times_local_where_all_are_numbers(make):
    picture = make()
    gradients = [gradient for *_, gradient in boxes_of(picture)]
    content = content_of(picture.to_html())
    checked = 0

    for _, target, _, local, down, *_ in content["arrows"]:
        texts = [gradients[target], content["summaries"][local], content["summaries"][down]]
        upstream, factor, downstream = map(number, texts)
        if local >= 0 and None not in (upstream, factor, downstream):
            assert upstream * factor == pytest.approx(downstream, rel=1e-4)
            checked += 1
    assert checked


def test_every_sum_of_a_frame_is_on_the_page():
    picture = block_picture()
    content = content_of(picture.to_html())

    shown = {(box, frame): content["summaries"][n] for box, frame, n in content["sums"]}

    assert shown.keys() == picture.diagram.sums.keys()
    assert all(shown[key].startswith(sum_.shape) for key, sum_ in picture.diagram.sums.items())


# One file, and a safe one


@every_graph
def test_a_page_asks_for_nothing_from_elsewhere(make):
    page = make().to_html()

    assert not re.search(r"\b(src|href|url|import|fetch)\b\s*[=(]", page)
    assert set(re.findall(r"https?://[^\s\"']*", page)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in page


def test_the_only_script_that_may_run_is_the_one_of_the_page():
    page = lecture_picture().to_html()

    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;b&gt;",
    "$title ${content}",
    "\u2028\u2029",
    "__proto__",
    "'\\\n",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_nothing_but_a_name(name):
    x = gx.tensor(1.0, name=name)
    y = gx.exp(x)
    y.name = name

    page = gx.draw(y).to_html()

    content = content_of(page)
    assert content["boxes"][0][1:3] == [name, name]
    tags = re.findall(r"<[/!]?\w*", page)
    assert tags == re.findall(r"<[/!]?\w*", gx.draw(gx.exp(gx.tensor(1.0))).to_html())


def test_a_key_of_a_tree_and_a_name_of_a_function_are_nothing_but_names():
    def f(params):
        return params[HOSTILE[0]] * 2.0

    f.__name__ = HOSTILE[0]

    page = gx.draw(f, {HOSTILE[0]: np.asarray(1.0)}).to_html()

    assert page.count("</script>") == 2
    assert page.count("<script") == 2


def test_comments_can_be_left_out_of_the_scripts():
    for name in SCRIPTS:
        for line in (files("gradx.graph.page") / name).read_text(encoding="utf-8").splitlines():
            assert line.count("`") % 2 == 0, line  # No text goes over several lines.
            assert not re.search(r"/\*|</?script", line), line


# Size


def test_pages_are_small():
    assert len(lecture_picture().to_html().encode()) < 45_000
    picture = large_picture()
    assert len(picture.diagram.boxes) >= 300
    assert len(picture.to_html().encode()) < 100_000


def test_a_page_is_deterministic():
    assert block_picture().to_html() == block_picture().to_html()


# What is folded at first


def test_small_graphs_open_unfolded():
    assert folded_at_first(block_picture().diagram) == set()


def test_graphs_of_many_boxes_open_folded():
    diagram = large_picture().diagram

    assert len(diagram.boxes) > MANY
    # Opened, the model would show 60 folded layers and 59 functions.
    assert folded_at_first(diagram) == set(range(len(diagram.frames)))


def test_outer_frames_open_while_few_boxes_are_seen():
    layer = lambda: nn.Linear(8, 8, key=KEYS[2], dtype="float64")
    model = nn.Sequential(*[nn.Sequential(*[layer() for _ in range(8)]) for _ in range(6)])

    diagram = gx.draw(lambda model: gx.sum(model(INPUTS)), model).diagram

    opened = set(range(len(diagram.frames))) - folded_at_first(diagram)
    assert len(diagram.boxes) > MANY
    assert 6 <= SOME < 6 * 8
    assert [diagram.frames[n].label for n in opened] == ["model Sequential"]


def test_a_long_chain_without_modules_is_not_folded():
    def f(x):
        for _ in range(MANY + 1):
            x = gx.sin(x)
        return x

    assert folded_at_first(gx.draw(f, 1.0).diagram) == set()


# Histograms


def test_a_histogram_counts_from_least_to_greatest(backend):
    xp = backend.xp

    assert histogram(xp.asarray([0.0, 0.0, 0.0, 12.0])) == "9" + "0" * (BARS - 2) + "3"
    assert histogram(xp.arange(24, dtype=xp.float32)) == "9" * BARS


def test_a_histogram_shows_whatever_is_there():
    few = np.concatenate([np.zeros(10_000), [1.0]])

    assert histogram(few) == "9" + "0" * (BARS - 2) + "1"


@pytest.mark.parametrize(
    "array", [np.ones(5), np.zeros(0), np.full(3, np.nan), np.asarray([np.inf, 1.0, 1.0])]
)
def test_equal_numbers_have_no_histogram(array):
    assert histogram(array) == ""


def test_a_histogram_leaves_out_what_is_not_finite():
    x = np.asarray([np.nan, np.inf, -1.0, 1.0])

    assert histogram(x) == histogram(np.asarray([-1.0, 1.0]))


def test_a_histogram_spans_all_that_a_float_can():
    x = np.asarray([-1.7e308, 1.7e308, 5e-324])

    assert histogram(x).count("9") == 3
    assert histogram(np.asarray([0.0, 5e-324, 1e-323])).count("0") == BARS - 3


def test_a_histogram_of_complex_numbers_is_of_magnitudes():
    assert histogram(np.asarray([3 + 4j, 0.0])) == histogram(np.asarray([5.0, 0.0]))
