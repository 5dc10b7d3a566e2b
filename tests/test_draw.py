"""Pictures say what was computed, what came back, and by which factors; and they can be read."""

import re
import shutil
import subprocess
from itertools import combinations
from xml.etree import ElementTree

import array_api_strict
import numpy as np
import pytest

import gradx as gx
from gradx.errors import TapeError
from gradx.graph.draw import draw
from gradx.graph.summary import summarize
from gradx.graph.svg import text_width
from tests.pictures import lecture

SVG = "{http://www.w3.org/2000/svg}"


def mlp_loss(params, inputs, labels):
    hidden = inputs
    for layer in params[:-1]:
        hidden = gx.tanh(hidden @ layer["weight"] + layer["bias"])
    difference = hidden @ params[-1]["weight"] + params[-1]["bias"] - labels
    penalty = 0.0
    for layer in params:
        penalty = penalty + gx.sum(layer["weight"] * layer["weight"])
    return gx.sum(difference * difference) + 1e-4 * penalty


def mlp_picture():
    draws = np.random.default_rng(0)
    params = [
        {"weight": draws.normal(size=(n, m)), "bias": draws.normal(size=m)}
        for n, m in [(5, 8), (8, 8), (8, 3)]
    ]
    return draw(mlp_loss, params, draws.normal(size=(7, 5)), draws.normal(size=(7, 3)))


def parsed(picture):
    return ElementTree.fromstring(picture.to_svg())


def texts(picture, colour=None):
    """Return the texts of an SVG; with a colour, those written in it."""
    found = [t for t in parsed(picture).iter(f"{SVG}text") if colour in (None, t.get("fill"))]
    return ["".join(text.itertext()) for text in found]


def titles(picture, kind):
    groups = [g for g in parsed(picture).iter(f"{SVG}g") if g.get("class") == kind]
    return [g.find(f"{SVG}title").text for g in groups]


def title_of(picture, first_line):
    (title,) = [t for t in titles(picture, "op") if t.splitlines()[0] == first_line]
    return title


GREEN, RED = "#18752f", "#c4122f"


def test_lecture_graph_shows_forward_values_in_green_and_gradients_in_red():
    picture = draw(lecture())

    assert sorted(texts(picture, GREEN)) == ["-12", "-2", "-4", "5", "q = 3"]
    assert sorted(texts(picture, RED)) == ["-4", "-4", "-4", "1", "3"]
    assert {"x", "y", "z", "f", "+", "×"} <= set(texts(picture))


def test_lecture_graph_titles_multiply_upstream_by_local():
    picture = draw(lecture())

    multiply = title_of(picture, "multiply")
    assert "output f = -12" in multiply
    assert "input 1: q = 3\n  upstream 1 × local -4 = downstream -4" in multiply
    assert "input 2: z = -4\n  upstream 1 × local 3 = downstream 3" in multiply
    assert "input 1: x = -2\n  upstream -4 × local 1 = downstream -4" in title_of(picture, "add")
    assert titles(picture, "input") == [
        "x = -2\ngradient -4",
        "y = 5\ngradient -4",
        "z = -4\ngradient 3",
    ]


def test_dot_and_mermaid_show_the_same_numbers():
    picture = draw(lecture())

    dot, mermaid = picture.to_dot(), picture.to_mermaid()
    for value, gradient in [("-2", "-4"), ("5", "-4"), ("q = 3", "-4"), ("-4", "3"), ("-12", "1")]:
        assert f'>{value}</font><br/><font color="{RED}">{gradient}</font>' in dot
        assert f'|"{value}<br/>grad {gradient}"|' in mermaid


def test_function_and_tape_give_the_same_picture():
    by_call = draw(lambda x, y, z: (x + y) * z, -2.0, 5.0, -4.0)

    assert texts(by_call, RED) == texts(draw(lecture()), RED)
    assert "f(x, y, z)" in by_call.to_svg()


def test_drawing_leaves_gradients_and_tape_alone():
    f = lecture()
    w = gx.tensor(2.0, name="w")

    draw(f)
    draw(lambda v: v * w, w)
    f.backward()

    assert w.grad is None
    assert float(f.grad) == 1.0


def test_freed_tape_cannot_be_drawn():
    f = lecture()
    f.backward()

    with pytest.raises(TapeError, match="retain_graph=True"):
        draw(f)


def test_tensor_of_another_transform_cannot_be_drawn():
    with pytest.raises(TapeError, match="belongs to grad of"):
        gx.grad(lambda x: draw(x * x))(1.0)


def test_function_may_be_drawn_inside_a_gradient():
    pictures = []

    def f(x):
        pictures.append(draw(lambda v: v * x, x))
        return x * x

    assert float(gx.grad(f)(3.0)) == 6.0
    assert "upstream 1 × local 3 = downstream 3" in title_of(pictures[0], "multiply")


def test_value_used_twice_has_an_arrow_for_each_use_and_a_total():
    picture = draw(lambda x: x * x, 3.0)

    assert len(titles(picture, "arrow")) == 3
    assert texts(picture, RED) == ["3", "3", "1", "total 6"]
    assert titles(picture, "input") == ["x = 3\ngradient 6 (sum over 2 uses)"]


def test_several_paths_add_up():
    picture = draw(lambda x: gx.sin(x) * x + x, 2.0)

    expected = np.sin(2.0) + 2.0 * np.cos(2.0) + 1.0
    assert f"total {expected:.4g}" in texts(picture, RED)


def test_constant_function_has_zero_gradients():
    picture = draw(lambda x, y: 3.0, 1.0, 2.0)

    assert titles(picture, "input") == [
        "x = 1\ngradient 0 (sum over 0 uses)",
        "y = 2\ngradient 0 (sum over 0 uses)",
    ]
    assert titles(picture, "constant") == ["a constant = 3"]
    assert texts(picture, GREEN) == ["3"]


def test_argument_that_is_returned_is_drawn():
    picture = draw(lambda x: x, 3.0)

    assert texts(picture, RED) == ["1"]


def test_unused_argument_is_shown_with_zero():
    picture = draw(lambda x, y: x * 2.0, 1.0, 2.0)

    assert "total 0" in texts(picture, RED)
    assert "upstream 1 × local 2 = downstream 2" in title_of(picture, "multiply")


def test_broadcasting_shows_what_each_input_receives():
    x, y = np.asarray([1.0, 2.0]), np.asarray(3.0)

    picture = draw(lambda x, y: gx.sum(x * y), x, y)

    title = title_of(picture, "multiply")
    assert "input 1: x = [1, 2]\n  upstream [1, 1] × local [3, 3] = downstream [3, 3]" in title
    assert "input 2: y = 3\n  upstream [1, 1] × local [1, 2], summed = downstream 3" in title


def test_a_product_of_matrices_is_a_linear_map():
    x, y = np.asarray([[1.0, 2.0], [3.0, 4.0]]), np.asarray([[1.0, 0.0], [1.0, 1.0]])

    picture = draw(lambda x, y: gx.sum(x @ y), x, y)

    title = title_of(picture, "matmul")
    assert "through a linear map = downstream [[1, 2], [1, 2]]" in title
    assert "local" not in title


def test_elementwise_op_on_a_square_has_a_local_derivative():
    x = np.asarray([[1.0, 2.0], [3.0, 4.0]])

    picture = draw(lambda x: gx.sum(gx.exp(x)), x)

    assert "× local [[2.71828" in title_of(picture, "exp")


def test_large_arrays_appear_as_shape_mean_least_and_greatest(backend):
    x = backend.xp.reshape(backend.xp.linspace(-1.0, 3.0, 30), (5, 6))

    picture = draw(lambda x: gx.sum(x * x), x)

    assert texts(picture, GREEN)[:3] == ["(5, 6)", "mean 1", "-1 to 3"]
    assert "x = (5, 6), mean 1, min -1, max 3\n" in titles(picture, "input")[0]


def test_every_backend_draws_the_same(backend):
    def make(xp):
        x = xp.reshape(xp.asarray([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), (2, 3))
        return draw(lambda x, y: gx.sum(gx.tanh(x @ y)), x, x[0, :]).to_svg()

    assert make(backend.xp) == make(np)


@pytest.mark.parametrize("xp", [np, array_api_strict])
def test_summary_of_odd_arrays(xp):
    complex_array = xp.asarray([3.0 + 4.0j] * 5)

    assert summarize(xp.zeros((0, 3))).lines == ("empty (0, 3)",)
    assert summarize(xp.asarray(-0.0)).sentence == "0"
    assert summarize(xp.asarray([True] * 13)).sentence == "(13,), mean 1, min 1, max 1"
    assert summarize(complex_array).lines == ("mean 3+4j", "5 to 5")
    assert summarize(xp.asarray([xp.inf, -xp.inf, 0.0, 0.0, 0.0])).lines[1] == "-inf to inf"


def test_complex_gradient_is_the_one_that_backward_finds():
    z = gx.tensor(1.0 + 2.0j, name="z")
    w = z * z
    w.name = "w"

    (title,) = titles(draw(w), "op")

    assert "× local 1-2j = downstream 1-2j" in title
    assert "gradient 2-4j" in titles(draw(w), "input")[0]


def test_result_that_is_no_scalar_needs_a_seed():
    x = np.asarray([1.0, 2.0])

    with pytest.raises(ValueError, match=r"reduce it, as in gx.sum\(...\), or pass seed="):
        draw(lambda x: x * x, x)
    with pytest.raises(ValueError, match=r"the seed has shape \(3,\), expected \(2,\)"):
        draw(lambda x: x * x, x, seed=np.ones(3))
    picture = draw(lambda x: gx.exp(x), np.zeros(2), seed=np.asarray([1.0, 10.0]))
    assert texts(picture, RED)[0] == "[1, 10]"


def test_tensor_that_is_no_scalar_needs_a_seed():
    x = gx.tensor(np.asarray([1.0, 2.0]))

    with pytest.raises(ValueError, match="or pass seed="):
        draw(x * x)


@pytest.mark.parametrize("value", ["text", (1.0, 2.0), None])
def test_function_returns_one_array(value):
    with pytest.raises(TypeError, match="must return one array"):
        draw(lambda x: value, 1.0)


def test_only_tensors_and_functions_can_be_drawn():
    with pytest.raises(TypeError, match=r"takes one gx\.tensor, or a function"):
        draw(np.ones(2))
    with pytest.raises(TypeError, match=r"takes one gx\.tensor, or a function"):
        draw(lecture(), 1.0)


def test_leaves_of_trees_are_dashed_boxes_named_by_their_path():
    params = {"w": [np.asarray(1.0), np.asarray(2.0)]}

    picture = draw(lambda params, x: params["w"][0] * params["w"][1] * x, params, 3.0)

    assert {"params['w'][0]", "params['w'][1]", "x"} <= set(texts(picture))
    dashed = [r for r in parsed(picture).iter(f"{SVG}rect") if r.get("stroke-dasharray")]
    assert len(dashed) == 2


def test_integers_are_not_leaves():
    picture = draw(lambda x, label: x[label], np.asarray([1.0, 2.0]), 1)

    assert len(titles(picture, "input")) == 1
    assert "downstream [0, 1]" in title_of(picture, "getitem")


def test_variable_arguments_are_numbered():
    assert {"xs[0]", "xs[1]"} <= set(texts(draw(lambda *xs: xs[0] * xs[1], 1.0, 2.0)))


def test_a_callable_without_a_signature_is_drawn():
    class Twice:
        __signature__ = "none"

        def __call__(self, x):
            return x * 2.0

    assert "argument[0]" in texts(draw(Twice(), 1.0))


NAMES = ['a<b>&"c"', "]]>", "-->", "back\\slash", "end\\", "two\nlines", "nul\0", "名前", "{}", "'"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_drawn(name):
    x = gx.tensor(1.0, name=name)
    y = gx.exp(x)
    y.name = name

    picture = draw(gx.sin(y))

    shown = name.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert shown in texts(picture)
    assert f"{shown} = 2.718" in texts(picture, GREEN)


@pytest.mark.parametrize("name", NAMES)
def test_graphviz_reads_any_name(name, tmp_path):
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    path = tmp_path / "x.dot"
    draw(gx.sin(gx.tensor(1.0, name=name))).save(path)

    done = subprocess.run(["dot", "-Tsvg", path], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("name", NAMES)
def test_mermaid_text_holds_no_quote_of_a_name(name):
    line = draw(gx.sin(gx.tensor(1.0, name=name))).to_mermaid().splitlines()[1]

    assert re.fullmatch(r'  n0\["[^"<>]*(<br/>)?[^"<>]*"\]', line)


def rectangles(picture):
    """Return name, left, right, top and bottom of every text of the drawing."""
    for text in parsed(picture).iter(f"{SVG}text"):
        if text.get("text-anchor") == "middle":
            size, words = float(text.get("font-size")), text.text
            x, y, half = float(text.get("x")), float(text.get("y")), text_width(words, size) / 2
            yield words, x - half, x + half, y - 0.75 * size, y + 0.1 * size


@pytest.mark.parametrize("make", [lambda: draw(lecture()), mlp_picture])
def test_no_texts_overlap(make):
    for one, other in combinations(rectangles(make()), 2):
        apart = one[2] <= other[1] or other[2] <= one[1] or one[4] <= other[3] or other[4] <= one[3]
        assert apart, (one, other)


@pytest.mark.parametrize("make", [lambda: draw(lecture()), mlp_picture])
def test_everything_lies_inside_the_picture(make):
    picture = make()
    root = parsed(picture)

    for _, left, right, top, bottom in rectangles(picture):
        assert left >= -14
        assert right <= float(root.get("width")) - 14
        assert top >= -46
        assert bottom <= float(root.get("height")) - 46


def test_drawing_is_deterministic():
    assert mlp_picture().to_svg() == mlp_picture().to_svg()


def test_long_chain_is_drawn():
    def f(x):
        for _ in range(400):
            x = gx.sin(x)
        return x

    assert len(titles(draw(f, 1.0), "op")) == 400


def test_save_writes_by_suffix(tmp_path):
    picture = draw(lecture())

    picture.save(tmp_path / "f.svg")
    picture.save(str(tmp_path / "f.dot"))
    picture.save(tmp_path / "f.html")

    assert (tmp_path / "f.svg").read_text(encoding="utf-8") == picture._repr_svg_()
    assert (tmp_path / "f.dot").read_text(encoding="utf-8") == picture.to_dot()
    assert (tmp_path / "f.html").read_text(encoding="utf-8") == picture.to_html()


@pytest.mark.parametrize("name", ["f.htm", "f", "f.png"])
def test_save_names_the_suffixes_it_knows(name, tmp_path):
    allowed = re.escape(f"{name}' must end in one of .html, .svg, .dot")
    with pytest.raises(ValueError, match=allowed):
        draw(lecture()).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_picture_says_what_it_is():
    assert repr(draw(lecture())) == "<Picture of f: 2 ops; .save(...) writes .html, .svg or .dot>"
