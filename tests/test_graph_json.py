"""Graphs as JSON: what is written is read, and nothing else."""

import json

import numpy as np
import pytest

import gradx as gx
from gradx.graph.executors.by_op import compile_by_op
from tests.test_ops import every_sample

X = np.asarray([[1.0, -2.0, 3.0], [0.5, 0.0, -1.5]])


@every_sample
def test_every_op_is_written_and_read(op, sample):
    arrays = [
        x if type(x) in (int, tuple) else np.asarray(x) if not isinstance(x, list) else x
        for x in sample.arrays
    ]
    varied = [i for i, x in enumerate(arrays) if isinstance(x, np.ndarray)]

    def f(*given):
        full = list(arrays)
        for i, x in zip(varied, given, strict=True):
            full[i] = x
        return op.call(*full, **sample.params)

    given = [arrays[i] for i in varied]
    try:
        graph = gx.capture(f)(*given)
        text = graph.to_json()
    except (gx.CaptureError, gx.GradxError):
        return

    again = gx.Graph.from_json(text)

    assert str(again) == str(graph)
    for a, e in zip(compile_by_op(again)(*given), compile_by_op(graph)(*given), strict=True):
        np.testing.assert_array_equal(a, e)


def test_whole_step_is_written_and_read():
    weight = np.asarray([0.5, np.inf, np.nan])
    f = lambda w, rate, key: (
        w - rate * gx.grad(lambda w: gx.sum((w[..., 1:] * X[:, :2]) ** 2))(w),
        gx.random.normal(key, (2,)) + weight[:2],
    )
    graph = gx.capture(f)(np.ones(3), 0.1, gx.random.key(0))

    again = gx.Graph.from_json(graph.to_json())

    for a, e in zip(
        again(np.ones(3), 0.2, gx.random.key(5)), f(np.ones(3), 0.2, gx.random.key(5)), strict=True
    ):
        np.testing.assert_array_equal(a, e)


WRONG = {
    "not json": ("{", "JSONDecodeError"),
    "another document": ("[]", "no text of the format"),
    "another format": ('{"format": "gradx graph 9"}', "no text of the format"),
}
CHANGES = {
    "unknown op": (lambda d: d["equations"][0].update(op="os.system"), "no op 'os.system'"),
    "unknown parameter": (
        lambda d: d["equations"][0].update(params={"shell": 1}),
        "has no parameter 'shell'",
    ),
    "too many inputs": (
        lambda d: d["equations"][0].update(inputs=[{"var": 0}] * 3),
        "takes 2 arrays, got 3",
    ),
    "use before it is written": (
        lambda d: d["equations"][0].update(inputs=[{"var": 0}, {"var": 9}]),
        "variable 9 is used before",
    ),
    "negative length": (lambda d: d["inputs"][0].update(shape=[-1]), r"the shape \[-1\]"),
    "unknown dtype": (lambda d: d["inputs"][0].update(dtype="object"), "expected the dtype"),
    "unknown kind of value": (
        lambda d: d.update(outputs=[{"code": "exit()"}]),
        "a value of kind 'code'",
    ),
    "constant of another shape": (
        lambda d: d["constants"][0].update(shape=[4]),
        r"a constant of float64 \(3,\), declared float64\[4\]",
    ),
    "missing part": (lambda d: d.pop("outputs"), "KeyError: 'outputs'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_text_that_is_no_graph_is_refused(name):
    text, message = WRONG[name]

    with pytest.raises(gx.GradxError, match=message):
        gx.Graph.from_json(text)


@pytest.mark.parametrize("name", CHANGES)
def test_graph_with_a_wrong_part_is_refused(name):
    change, message = CHANGES[name]
    document = json.loads(gx.capture(lambda x: x * np.ones(3))(X).to_json())
    change(document)

    with pytest.raises(gx.GradxError, match=message):
        gx.Graph.from_json(json.dumps(document))
