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
        "layers[0]", "layers[1]", "layers[2]", "layers[3]", "layers[3].layer",
    ]  # fmt: skip
    assert [row.output for row in summary.rows] == ["(5, 8)"] * 5
    assert [row.parameters for row in summary.rows] == [32, 16, 0, 0, 64]
    assert [row.bytes for row in summary.rows] == [128, 128, 0, 0, 256]


def test_operations_are_counted_where_they_are_done():
    summary = network().summary(np.ones((5, 3), np.float32))

    matrices = [2 * 5 * 3 * 8 + 5 * 8, 2 * 5 * 8 * 8]  # products, and the first bias
    # BatchNorm does four with each element, and what it does with its parameters alone is no
    # matter of the input; the residual adds.
    assert [row.flops for row in summary.rows] == [
        matrices[0], 4 * 40, 40, 40, matrices[1],
    ]  # fmt: skip
    assert summary.flops == sum(matrices) + 160 + 40 + 40


def test_operations_of_convolutions_and_attention_are_those_of_the_textbook():
    convolution = nn.Conv(4, 6, 3, groups=2, bias=False, key=KEY)
    transposed = nn.ConvTranspose(4, 6, 3, stride=2, bias=False, key=KEY)
    attention = nn.MultiHeadAttention(8, heads=2, bias=False, key=KEY)
    images, sequence = np.ones((2, 4, 8, 8), np.float32), np.ones((2, 5, 8), np.float32)

    assert convolution.summary(images).flops == 2 * (2 * 6 * 6 * 6) * (2 * 3 * 3)
    assert transposed.summary(images).flops == 2 * (2 * 4 * 8 * 8) * (6 * 3 * 3)
    rows = attention.summary(sequence).rows
    products = 2 * 2 * (2 * 2 * 5 * 5 * 4)  # scores, and averages of the values
    assert rows[0].flops == products + 2 * 5 * 8 + 2 * (2 * 2 * 5 * 5) / 2
    assert [row.flops for row in rows[1:]] == [2 * 2 * 5 * 8 * 8] * 4


def test_a_layer_that_is_there_twice_computes_its_share_once():
    layer = nn.Linear(8, 8, bias=False, key=KEY)

    rows = nn.Sequential(layer, layer).summary(np.ones((5, 8), np.float32)).rows

    assert [row.flops for row in rows] == [2 * 2 * 5 * 8 * 8, 0]


def test_a_model_that_reads_numbers_is_called_and_not_counted():
    class Reading(nn.Module):
        weight: object

        def __call__(self, x):
            return x * self.weight if float(gx.sum(x)) > 0 else x

    summary = Reading(np.ones(2)).summary(np.ones((3, 2)))

    assert (summary.rows[0].output, summary.flops) == ("(3, 2)", None)
    assert "FLOPs" not in repr(summary)


def test_a_summary_is_a_table_of_html():
    html = network().summary(np.ones((5, 3), np.float32)).to_html()

    assert html.count("<tr>") == 1 + 5 + 1
    assert '<td style="text-align: left">layers[3].layer</td>' in html
    assert html.endswith("</table>")


def test_state_is_memory_and_no_parameters():
    summary = nn.BatchNorm(8).summary()

    assert (summary.rows[0].path, summary.parameters, summary.bytes) == ("model", 16, 128)


def test_without_inputs_nothing_is_called():
    summary = network().summary()

    assert [row.output for row in summary.rows] == [""] * 4
    assert summary.flops is None


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


def test_names_are_escaped_in_html():
    class Holder(nn.Module):
        parts: dict

    html = Holder({"<b>": nn.Linear(2, 2, key=KEY)}).summary().to_html()

    assert "parts['&lt;b&gt;']" in html
    assert "<b>" not in html


def test_nothing_watches_after_a_summary():
    model = network()
    table = model.summary(np.ones((5, 3), np.float32))

    model(np.ones((7, 3), np.float32))

    assert table.rows[0].output == "(5, 8)"
