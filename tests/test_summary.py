"""What a model's summary says."""

import numpy as np

import gradx as gx
from gradx import nn

KEY = gx.random.key(0)


def network():
    return nn.Sequential(
        nn.Linear(3, 8, key=KEY),
        nn.BatchNorm(8),
        nn.relu,
        nn.Residual(nn.Linear(8, 8, key=KEY, bias=False)),
    )


def test_layers_have_paths_outputs_and_sizes():
    summary = network().summary(np.ones((5, 3), np.float32))

    assert [row.path for row in summary.rows] == [
        "layers[0]", "layers[1]", "layers[2]", "layers[3].layer",
    ]  # fmt: skip
    assert [row.output for row in summary.rows] == ["(5, 8)"] * 4
    assert [row.parameters for row in summary.rows] == [32, 16, 0, 64]
    assert [row.bytes for row in summary.rows] == [128, 128, 0, 256]


def test_state_is_memory_and_no_parameters():
    summary = nn.BatchNorm(8).summary()

    assert (summary.rows[0].path, summary.parameters, summary.bytes) == ("model", 16, 128)


def test_without_inputs_nothing_is_called():
    assert [row.output for row in network().summary().rows] == [""] * 4


def test_several_outputs_and_options_are_shown():
    class Pair(nn.Module):
        inner: object
        scale: dict

        def __call__(self, x, *, train=False):
            return self.inner(x), x if train else x[:1]

    model = Pair(nn.Linear(3, 2, key=KEY), {"a": np.ones(2), "b": [np.ones((2, 2))]})

    summary = model.summary(np.ones((4, 3)), train=True)

    assert summary.rows[0].output == "(4, 2), (4, 3)"
    assert [row.parameters for row in summary.rows] == [6, 8]
    assert "total" in repr(summary).splitlines()[-1]


def test_sizes_are_right_in_every_library_and_dtype(backend):
    class Holder(nn.Module):
        arrays: list

    names = {"bool": 1, "int8": 1, "int64": 8, "float32": 4, "complex64": 8, "complex128": 16}
    arrays = [backend.xp.zeros((3,), dtype=getattr(backend.xp, name)) for name in names]

    assert Holder(arrays).summary().bytes == 3 * sum(names.values())


def test_nothing_watches_after_a_summary():
    model = network()
    table = model.summary(np.ones((5, 3), np.float32))

    model(np.ones((7, 3), np.float32))

    assert table.rows[0].output == "(5, 8)"
