"""Frames of modules in drawings: what is in them, and that nothing else is where they are."""

from functools import partial
from itertools import combinations, pairwise

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import ShapeError
from gradx.graph.svg import placed
from gradx.nn.watching import watching
from tests.pictures import (
    INPUTS,
    KEYS,
    block_picture,
    layers,
    layers_picture,
    loss,
    nested_picture,
)

X = np.asarray([[0.5, -1.0, 2.0]])


def linear(inputs=3, outputs=3):
    return nn.Linear(inputs, outputs, key=KEYS[2], dtype="float64")


def labels(picture):
    return [frame.label for frame in picture.diagram.frames]


def held(picture, number):
    """Return the labels of the boxes directly in a frame."""
    return [box.label for box in picture.diagram.boxes if box.frame == number]


def test_a_frame_holds_the_ops_and_the_parameters_of_a_module():
    picture = layers_picture()

    assert labels(picture) == [
        "model Sequential", "layers[0] Linear", "layers[2] Linear", "layers[4] Linear",
    ]  # fmt: skip
    assert [frame.parent for frame in picture.diagram.frames] == [None, 0, 0, 0]
    assert [frame.path for frame in picture.diagram.frames][1] == "model.layers[0]"
    for number in (1, 2, 3):
        assert held(picture, number) == ["weight", "bias", "@", "+"]
    assert held(picture, 0) == ["tanh", "tanh"]
    assert held(picture, None) == ["inputs", "softmax_cross_entropy", "Σ", "÷", "loss"]


def test_a_parameter_has_its_whole_path_in_its_title():
    boxes = layers_picture().diagram.boxes

    (box,) = [box for box in boxes if box.name == "model.layers[2].bias"]
    assert box.label == "bias"
    assert box.title.startswith("model.layers[2].bias = ")


def test_a_model_that_is_drawn_itself_has_a_frame():
    picture = gx.draw(linear(3, 1), X, seed=np.ones((1, 1)))

    assert labels(picture) == ["Linear"]
    assert held(picture, 0) == ["weight", "bias", "@", "+"]


def test_a_module_called_twice_has_a_frame_for_each_call():
    picture = gx.draw(lambda model: gx.sum(model(model(X))), linear())

    assert labels(picture) == ["model Linear", "model Linear (2)"]
    assert held(picture, 0) == ["weight", "bias", "@", "+"]
    assert held(picture, 1) == ["@", "+"]


def test_a_module_of_no_argument_is_called_by_its_class():
    inner = linear()

    picture = gx.draw(lambda x: gx.sum(inner(gx.tanh(inner(x)))), X)

    assert labels(picture) == ["Linear", "Linear"]
    assert [frame.path for frame in picture.diagram.frames] == [None, None]


def test_a_single_thing_has_no_frame():
    model = nn.Sequential(gx.tanh, gx.exp)

    assert labels(gx.draw(lambda model, x: gx.sum(model(x)), model, X)) == ["model Sequential"]
    assert labels(gx.draw(lambda model, x: gx.sum(model[0](x)), model, X)) == []


def test_a_parameter_that_is_used_before_its_module_stands_outside():
    def f(model):
        return gx.sum(model(X / gx.sum(model.weight * model.weight)))

    picture = gx.draw(f, linear())

    assert held(picture, 0) == ["bias", "@", "+"]
    assert "model.weight" in held(picture, None)


def test_a_parameter_that_is_penalized_later_stands_inside():
    picture = gx.draw(lambda model: gx.sum(model(X)) + gx.sum(model.weight**2), linear())

    assert held(picture, 0) == ["weight", "bias", "@", "+"]
    picture.to_svg()


def test_a_call_of_the_base_class_is_the_same_call():
    class Doubled(nn.Linear):
        def __call__(self, x):
            return super().__call__(x) * 2.0

    picture = gx.draw(lambda m: gx.sum(m(X)), Doubled(3, 3, key=KEYS[2], dtype="float64"))

    assert labels(picture) == ["m Doubled"]
    assert held(picture, 0) == ["weight", "bias", "@", "+", "×"]


def test_a_module_that_raised_and_was_caught_is_drawn():
    class Fails(nn.Module):
        weight: object

        def __call__(self, x):
            self.seen.append(gx.tanh(x * self.weight))
            raise ShapeError("on purpose")

        seen: object = nn.static()

    model = Fails(np.asarray([1.0, 2.0, 3.0]), [])

    def f(model, x):
        with pytest.raises(ShapeError, match="on purpose"):
            model(x)
        return gx.sum(model.seen.pop())

    assert held(gx.draw(f, model, X), 0) == ["weight", "×", "tanh"]


def test_drawing_leaves_nothing_watching():
    made = []

    with watching(lambda module, call: made.append(module) or call()):
        gx.draw(loss, layers(), INPUTS)
        with pytest.raises(gx.GradxError):
            gx.draw(lambda model: gx.sum(model(X)), linear(4, 4))
        assert made == []
        model = linear()
        model(X)

    assert made == [model]
    model(X)
    assert len(made) == 1


def test_tapes_by_hand_have_no_frames():
    model = linear()

    assert labels(gx.draw(gx.sum(model(gx.tensor(X))))) == []


def sums_of(picture):
    return picture.diagram.sums


def test_what_several_arrows_bring_back_from_a_frame_is_added_up():
    class Split(nn.Module):
        factor: object

        def __call__(self, x):
            return x * x * self.factor

    picture = gx.draw(lambda m, x: m(x) + 2.0 * x, Split(np.asarray(5.0)), 3.0)

    (sum_,) = sums_of(picture).values()
    assert sum_.sentence == "30"  # 2 x 3 x 5, without the 2 of the other way
    names = {picture.diagram.boxes[box].name for box, _ in sums_of(picture)}
    assert names == {"x"}


# Where frames stand


def bounds(item):
    half, tall = item.width / 2, item.height / 2
    return item.x - half, item.x + half, item.y - tall, item.y + tall


def lies_in(item, rim):
    (left, right, top, bottom), outer = bounds(item), bounds(rim)
    return outer[0] <= left and right <= outer[1] and outer[2] <= top and bottom <= outer[3]


def are_apart(one, other):
    (left, right, top, bottom), there = bounds(one), bounds(other)
    return right <= there[0] or there[1] <= left or bottom <= there[2] or there[3] <= top


NESTED = [partial(nested_picture, seed) for seed in range(12)]
every_model = pytest.mark.parametrize(
    "make",
    [layers_picture, block_picture, *NESTED],
    ids=["layers", "block", *[f"nested {seed}" for seed in range(len(NESTED))]],
)


@every_model
def test_a_frame_surrounds_what_is_in_it_and_nothing_else(make):
    diagram = make().diagram
    layout = placed(diagram)
    inside = list(zip([box.frame for box in diagram.boxes], layout.boxes, strict=True))
    inside += zip([frame.parent for frame in diagram.frames], layout.frames, strict=True)

    for number, rim in enumerate(layout.frames):
        for frame, item in inside:
            if item is rim or item in [layout.frames[n] for n in diagram.around(number)]:
                continue
            is_inside = number in diagram.around(frame)
            assert lies_in(item, rim) if is_inside else are_apart(item, rim)


@every_model
def test_labels_hide_nothing(make):
    layout = placed(make().diagram)

    for one, other in combinations([*layout.labels, *layout.boxes], 2):
        assert are_apart(one, other)


@every_model
def test_the_label_of_an_arrow_stands_where_both_of_its_ends_are(make):
    diagram = make().diagram
    layout = placed(diagram)

    for arrow, label in zip(diagram.arrows, layout.labels, strict=True):
        source, target = diagram.boxes[arrow.source].frame, diagram.boxes[arrow.target].frame
        common = [n for n in diagram.around(source) if n in diagram.around(target)]
        assert label.frame == (common[0] if common else None)


@every_model
def test_arrows_run_to_the_right(make):
    for path in placed(make().diagram).paths:
        for before, after in pairwise(path):
            assert before.right < after.left


def test_lines_that_leave_a_frame_do_not_cross():
    class Both(nn.Module):
        a: object
        b: object

        def __call__(self):
            return self.a

    layout = placed(gx.draw(lambda m: m() * m.b, Both(np.asarray(1.0), np.asarray(2.0))).diagram)

    (a, b), (over_a, over_b, _) = layout.boxes[:2], layout.labels
    assert (a.y < b.y) == (over_a.y < over_b.y)


def test_frames_are_in_the_svg():
    svg = layers_picture().to_svg()

    assert svg.count('<g class="frame">') == 4
    assert ">layers[0] Linear</text>" in svg


def test_frames_are_in_the_texts_for_other_programs():
    picture = gx.draw(lambda model: gx.sum(gx.tanh(model(X))), nn.Sequential(linear(), gx.exp))

    dot, mermaid = picture.to_dot().splitlines(), picture.to_mermaid().splitlines()

    assert [line.strip() for line in dot if "cluster" in line or line.strip() == "}"] == [
        'subgraph cluster_0 { label="model Sequential"',
        'subgraph cluster_1 { label="layers[0] Linear"',
        "}", "}", "}",
    ]  # fmt: skip
    assert [line for line in mermaid if "subgraph" in line or line.strip() == "end"] == [
        '  subgraph m0["model Sequential"]',
        '    subgraph m1["layers[0] Linear"]',
        "    end",
        "  end",
    ]
    start, stop = mermaid.index('    subgraph m1["layers[0] Linear"]'), mermaid.index("    end")
    assert [line.strip() for line in mermaid[start + 1 : stop]] == [
        'n0[["weight"]]', 'n1[["bias"]]', 'n2(("@"))', 'n3(("+"))',
    ]  # fmt: skip
