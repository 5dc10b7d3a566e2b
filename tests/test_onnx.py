"""Models as ONNX files: onnxruntime computes what gradx does, for any number of rows."""

import sys

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, ShapeError

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

KEY = gx.random.key(0)


def drawn(*shape, dtype=np.float32, low=None):
    rng = np.random.default_rng(0)
    return (rng.normal(size=shape) if low is None else rng.uniform(low, 2.0, shape)).astype(dtype)


def run(path, *arrays):
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [x.name for x in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


def assert_exported(path, f, *arrays, dynamic=True, tolerance=2e-5):
    """Compare with onnxruntime: as exported, and with more rows than it was exported with."""
    gx.onnx.export(path, f, *arrays, dynamic=dynamic)
    for take in [lambda x: x, *([lambda x: np.concatenate([x, -x, x])] if dynamic else [])]:
        given = [take(x) if x.dtype.kind == "f" else np.abs(take(x)) for x in arrays]
        expected = f(*given)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for found, right in zip(run(path, *given), expected, strict=True):
            assert found.dtype == right.dtype
            np.testing.assert_allclose(found, right, rtol=tolerance, atol=tolerance)


IMAGES = drawn(2, 4, 8, 8)
SEQUENCE = drawn(2, 5, 8)
WIDE = {"key": KEY}


def with_statistics(layer):
    """Give a BatchNorm averages that are not those it begins with."""
    count = layer.mean.shape[0]
    return layer.replace(
        mean=drawn(count, dtype=layer.mean.dtype),
        variance=drawn(count, low=0.5, dtype=layer.variance.dtype),
    )


class BesideItself(nn.Module):
    block: nn.DecoderBlock

    def __call__(self, x):
        return self.block(x, x)


LAYERS = {
    "Linear": (nn.Linear(8, 3, **WIDE), SEQUENCE),
    "Embedding": (nn.Embedding(10, 6, **WIDE), np.asarray([[1, 9, 0], [3, 3, 2]])),
    "EmbeddingBag": (nn.EmbeddingBag(10, 6, padding=3, **WIDE), np.asarray([[1, 9, 0], [3, 3, 2]])),
    "EmbeddingBag max": (nn.EmbeddingBag(10, 6, mode="max", **WIDE), np.asarray([[1, 9], [3, 3]])),
    "SpectralNorm": (nn.SpectralNorm(nn.Linear(8, 3, **WIDE), key=gx.random.key(1)), SEQUENCE),
    "WeightNorm": (nn.WeightNorm(nn.Conv(4, 3, 3, **WIDE)), IMAGES),
    "Conv": (nn.Conv(4, 3, 3, padding="same", **WIDE), IMAGES),
    "Conv strided": (nn.Conv(4, 6, 3, stride=2, dilation=2, padding=2, groups=2, **WIDE), IMAGES),
    "Conv1d": (nn.Conv(5, 3, (3,), stride=3, **WIDE), SEQUENCE),
    "ConvTranspose": (nn.ConvTranspose(4, 3, 3, stride=2, padding=1, **WIDE), IMAGES),
    "ConvTranspose groups": (nn.ConvTranspose(4, 6, 3, stride=3, groups=2, **WIDE), IMAGES),
    "MaxPool": (nn.MaxPool(3, stride=2, padding=1), IMAGES),
    "MaxPool remainder": (nn.MaxPool(3), IMAGES),
    "MaxPool dilated": (nn.MaxPool((2, 3), stride=2, padding=1, dilation=(3, 2)), IMAGES),
    "MaxPool dilated line": (nn.MaxPool(2, stride=1, dilation=3), SEQUENCE),
    "AvgPool": (nn.AvgPool(3, stride=2, padding=1), IMAGES),
    "AdaptiveAvgPool": (nn.AdaptiveAvgPool(1), IMAGES),
    "AdaptiveAvgPool overlapping": (nn.AdaptiveAvgPool((3, 9)), IMAGES),
    "BatchNorm": (with_statistics(nn.BatchNorm(4)), IMAGES),
    "LayerNorm": (nn.LayerNorm(8), SEQUENCE),
    "GroupNorm": (nn.GroupNorm(2, 4), IMAGES),
    "RMSNorm": (nn.RMSNorm(8), SEQUENCE),
    "RNN": (nn.RNN(8, 4, **WIDE), SEQUENCE),
    "LSTM": (nn.LSTM(8, 4, **WIDE), SEQUENCE),
    "LSTM reversed": (nn.LSTM(8, 4, reverse=True, **WIDE), SEQUENCE),
    "GRU": (nn.GRU(8, 4, **WIDE), SEQUENCE),
    "Recurrent": (nn.Recurrent(nn.LSTM, 8, 4, layers=2, bidirectional=True, **WIDE), SEQUENCE),
    "MultiHeadAttention": (nn.MultiHeadAttention(8, heads=2, **WIDE), SEQUENCE),
    "causal": (nn.MultiHeadAttention(8, heads=2, causal=True, **WIDE), SEQUENCE),
    "TransformerBlock": (nn.TransformerBlock(8, heads=2, causal=True, **WIDE), SEQUENCE),
    "DecoderBlock": (BesideItself(nn.DecoderBlock(8, heads=2, **WIDE)), SEQUENCE),
    "SinusoidalPositions": (nn.SinusoidalPositions(), SEQUENCE),
    "LearnedPositions": (nn.LearnedPositions(9, 8, **WIDE), SEQUENCE),
    "Dropout": (nn.Dropout(0.5), SEQUENCE),
    "DropConnect": (nn.DropConnect(nn.Linear(8, 3, **WIDE), 0.5), SEQUENCE),
    "PReLU": (nn.PReLU(4), IMAGES),
    "PixelShuffle": (nn.PixelShuffle(2), IMAGES),
    "Upsample": (nn.Upsample(2), IMAGES),
    "Upsample linear": (nn.Upsample(1.7, method="linear"), IMAGES),
    "Upsample cubic": (nn.Upsample(size=5, method="cubic", align_corners=True), IMAGES),
    "Flatten": (nn.Flatten(), IMAGES),
    "Residual": (nn.Residual(nn.Linear(8, 8, **WIDE)), SEQUENCE),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_the_same(name, tmp_path):
    layer, x = LAYERS[name]

    assert_exported(tmp_path / "layer.onnx", layer, x)


def test_every_layer_is_tried():
    shown = {name.split()[0] for name in LAYERS}
    layers = {
        name
        for name, value in vars(nn).items()
        if isinstance(value, type) and issubclass(value, nn.Module) and "__call__" in vars(value)
    }

    assert layers - {"Module", "Sequential"} <= shown


ACTIVATIONS = [
    "elu", "gelu", "hard_swish", "leaky_relu", "log_softmax", "mish", "relu", "selu", "sigmoid",
    "silu", "softmax", "softplus", "tanh",
]  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_computes_the_same(name, tmp_path):
    assert_exported(tmp_path / "f.onnx", getattr(nn, name), drawn(3, 4) * 3)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_derivative_computes_the_same(name, tmp_path):
    weight = drawn(4, 2)
    f = lambda x: gx.sum((getattr(nn, name)(x) @ weight) ** 2)

    assert_exported(tmp_path / "f.onnx", gx.grad(f), drawn(3, 4) * 3)


FUNCTIONS = {
    "mlp": nn.Sequential(nn.Linear(8, 16, **WIDE), nn.relu, nn.Linear(16, 3, **WIDE), nn.softmax),
    "mean over rows": lambda x: gx.mean(x, axis=0),
    "statistics": lambda x: gx.std(x, axis=1) + gx.var(x, axis=(1, 2), correction=1)[:, None],
    "reductions": lambda x: gx.max(x, axis=2) + gx.min(x, axis=-1) + gx.prod(x, axis=2),
    "sum of all": lambda x: gx.sum(x) + gx.logsumexp(x) + gx.sum(x, axis=()),
    "comparison": lambda x: gx.where(x > 0.5, x, 2) + gx.astype(x <= 0, "float32"),
    "places": lambda x: (gx.argmax(x, axis=1), gx.argmin(x, axis=2, keepdims=True)),
    "clip": lambda x: gx.clip(x, -0.5, 1) + gx.clip(x, None, 0.1),
    "logarithms": lambda x: gx.log1p(abs(x)) + gx.log2(abs(x) + 1) + gx.log10(abs(x) + 2),
    "small numbers": lambda x: gx.expm1(x * 1e-6) * 1e6 + gx.log1p(x * 1e-6) * 1e6,
    "keys": lambda x: x[:, ::-2, None, -1] + x[..., 1][:, 1:4, None] + x[:, -1:, None, 0],
    "moves": lambda x: gx.flip(gx.swapaxes(x, 1, 2), axis=1) @ x,
    "stack": lambda x: gx.concat([gx.stack([x, x], axis=1), x[:, None]], axis=1),
    "padding": lambda x: gx.pad(x, ((0, 0), (1, 2), (0, 3))),
    "reshape": lambda x: gx.squeeze(gx.reshape(x, (-1, 1, 4)), axis=1),
    "broadcast": lambda x: gx.broadcast_to(x[:, None], (x.shape[0], 3, 5, 8)),
    "einsum": lambda x: gx.einsum("nij,nkj->nik", x, x),
    "two outputs": lambda x: (x * 2.0, gx.sum(x, axis=1)),
    "integers": lambda x: gx.astype(x, "int64") + 1,
    "not equal": lambda x: gx.logical_not(x != 0),
    "softmax over two axes": lambda x: nn.softmax(x, axis=(1, 2)),
    "softmax over all": lambda x: nn.softmax(x, axis=None) + nn.log_softmax(x, axis=None),
    "taken of all": lambda x: gx.take(x, np.asarray([1, 39, 7])),
    "place among all": lambda x: gx.argmax(x, keepdims=True),
    "ones and zeros": lambda x: (gx.ones_like(x[:, 0]), gx.zeros_like(x, dtype="int32")),
    "added at an index": lambda x: gx.scatter_add(x, x[:, 0], (slice(None), -1)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_computes_the_same(name, tmp_path):
    assert_exported(tmp_path / "f.onnx", FUNCTIONS[name], SEQUENCE)


@pytest.mark.parametrize("f", [gx.flip, lambda x: gx.permute_dims(x, ()), lambda x: gx.pad(x, 2)])
def test_a_number_is_moved_as_it_is(f, tmp_path):
    assert_exported(tmp_path / "f.onnx", f, drawn(), dynamic=False)


def test_nothing_has_the_shape_it_is_given(tmp_path):
    f = lambda x: gx.reshape(x[:, :0], (0, 8))

    assert_exported(tmp_path / "f.onnx", f, SEQUENCE, dynamic=False)


@pytest.mark.parametrize("f", [gx.var, nn.softmax, nn.log_softmax])
def test_no_axes_are_refused(f, tmp_path):
    with pytest.raises(NotImplementedError, match="over no axes"):
        gx.onnx.export(tmp_path / "f.onnx", lambda x: f(x, axis=()), SEQUENCE)


def test_double_precision_is_kept(tmp_path):
    model = nn.Sequential(nn.Linear(8, 4, dtype="float64", **WIDE), nn.tanh)

    assert_exported(tmp_path / "f.onnx", model, drawn(2, 8, dtype=np.float64), tolerance=1e-12)


def test_several_inputs_have_one_number_of_rows(tmp_path):
    f = lambda left, right: left @ gx.matrix_transpose(right)

    assert_exported(tmp_path / "f.onnx", f, SEQUENCE, SEQUENCE * 2)

    session = runtime.InferenceSession(str(tmp_path / "f.onnx"))
    assert [(x.name, x.shape) for x in session.get_inputs()] == [
        ("left", ["batch", 5, 8]),
        ("right", ["batch", 5, 8]),
    ]


def test_a_network_of_images_computes_the_same(tmp_path):
    network = nn.Sequential(
        nn.Conv(4, 8, 3, padding="same", **WIDE),
        with_statistics(nn.BatchNorm(8)),
        nn.relu,
        nn.MaxPool(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8 * 4 * 4, 10, **WIDE),
    )

    assert_exported(tmp_path / "network.onnx", network, IMAGES)


def test_fixed_sizes_take_what_depends_on_the_rows(tmp_path):
    f = lambda x: x * (1 / x.shape[0])

    with pytest.raises(gx.onnx.ExportError, match=r"a number depends .* dynamic=False"):
        gx.onnx.export(tmp_path / "f.onnx", f, SEQUENCE)
    assert_exported(tmp_path / "f.onnx", f, SEQUENCE, dynamic=False)


def test_a_broadcast_to_no_elements_which_runtimes_get_wrong_is_refused(tmp_path):
    f = lambda x: gx.broadcast_to(x, (3, 0))

    with pytest.raises(gx.onnx.ExportError, match=r"\(3, 1\) to no elements, \(3, 0\)"):
        gx.onnx.export(tmp_path / "f.onnx", f, drawn(3, 1), dynamic=False)


def test_a_graph_is_exported_with_its_sizes(tmp_path):
    assert_exported(tmp_path / "f.onnx", gx.capture(nn.gelu)(SEQUENCE), SEQUENCE, dynamic=False)


def test_what_depends_on_the_rows_in_another_way_is_refused(tmp_path):
    for f in [
        lambda x: x + np.arange(x.shape[0], dtype=np.float32)[:, None, None],
        lambda x: gx.reshape(gx.concat([x, x[:1]]), (x.shape[0] + 1, 40)),
        lambda x: x[: x.shape[0] - 1],
        lambda x: gx.sin(x) if x.shape[0] == 2 else gx.cos(x),
        lambda x: gx.std(x, axis=0),
    ]:
        with pytest.raises(gx.onnx.ExportError, match="rows"):
            gx.onnx.export(tmp_path / "f.onnx", f, SEQUENCE)
    assert not list(tmp_path.iterdir())


def test_ops_without_a_counterpart_are_named_with_their_lines(tmp_path):
    f = lambda x: gx.sort(gx.linalg.det(x[:, :5, :5]))

    with pytest.raises(gx.onnx.ExportError) as caught:
        gx.onnx.export(tmp_path / "f.onnx", f, SEQUENCE)

    message = str(caught.value)
    assert "det, at" in message
    assert "sort, at" in message
    assert "test_onnx.py" in message
    assert "There is one for abs, acos, " in message


def test_wrong_examples_are_refused(tmp_path):
    path = tmp_path / "f.onnx"
    with pytest.raises(DTypeError, match="example 0 is 3"):
        gx.onnx.export(path, gx.sin, 3)
    with pytest.raises(DTypeError, match="an example of each input"):
        gx.onnx.export(path, gx.sin)
    with pytest.raises(ShapeError, match="of no rows"):
        gx.onnx.export(path, gx.sin, np.ones((0, 3)))
    with pytest.raises(DTypeError, match=r"returned 3\.0"):
        gx.onnx.export(path, lambda x: 3.0, np.ones((2, 3)))
    with pytest.raises(DTypeError, match="the path is 3"):
        gx.onnx.export(3, gx.sin, np.ones(3))


def test_onnx_that_is_missing_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx.helper", None)

    with pytest.raises(gx.MissingPackageError, match=r"pip install 'gradx\[onnx\]'"):
        gx.onnx.export(tmp_path / "f.onnx", gx.sin, np.ones(3))
