"""Files with PyTorch's names: its model and ours of the same layers give the same outputs."""

from functools import partial

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.core import tree
from gradx.errors import CheckpointError, DTypeError, ShapeError

torch = pytest.importorskip("torch")
files = pytest.importorskip("safetensors.torch")

KEY = gx.random.key(0)
DOUBLE = {"key": KEY, "dtype": "float64"}


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape)


def randomized(module):
    """Draw all parameters and averages of a PyTorch module anew, in float64, for evaluation."""
    generator = torch.Generator().manual_seed(0)
    module = module.double().eval()
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator, dtype=torch.float64) * 0.5)
            if "bias" in name:
                value -= 0.25
    return module


def attention_of(module, x):
    return module(x, x, x, need_weights=False)[0]


def mlp():
    theirs = torch.nn.Sequential(torch.nn.Linear(8, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    ours = nn.Sequential(nn.Linear(8, 5, **DOUBLE), nn.relu, nn.Linear(5, 2, **DOUBLE))
    return theirs, ours, drawn(3, 8), None


def images():
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
        torch.nn.Sequential(torch.nn.GroupNorm(2, 4), torch.nn.ConvTranspose2d(4, 2, 3)),
        torch.nn.Flatten(), torch.nn.Linear(2 * 36, 3, bias=False),
    )  # fmt: skip
    ours = nn.Sequential(
        nn.Conv(2, 4, 3, padding=1, **DOUBLE), nn.BatchNorm(4, dtype="float64"), nn.relu,
        nn.Sequential(nn.GroupNorm(2, 4, dtype="float64"), nn.ConvTranspose(4, 2, 3, **DOUBLE)),
        nn.Flatten(), nn.Linear(2 * 36, 3, bias=False, **DOUBLE),
    )  # fmt: skip
    return theirs, ours, drawn(3, 2, 4, 4), None


def recurrent(kind, bias=True, outputs=None):
    given = {} if outputs is None else {"proj_size": outputs}
    theirs = getattr(torch.nn, kind)(3, 4, bias=bias, batch_first=True, **given)
    given = {} if outputs is None else {"outputs": outputs}
    ours = getattr(nn, kind)(3, 4, bias=bias, **given, **DOUBLE)
    return theirs, ours, drawn(2, 5, 3), lambda m, x: m(x)[0]


def stacked(kind, layers, bidirectional, bias=True, outputs=None):
    both = {"bidirectional": bidirectional, "bias": bias}
    given = {} if outputs is None else {"proj_size": outputs}
    theirs = getattr(torch.nn, kind)(3, 4, layers, batch_first=True, **both, **given)
    both["outputs"] = outputs
    ours = nn.Recurrent(getattr(nn, kind), 3, 4, layers=layers, **both, **DOUBLE)
    return theirs, ours, drawn(2, 5, 3), lambda m, x: m(x)[0]


def attention_to_others():
    theirs = torch.nn.MultiheadAttention(6, 2, kdim=3, vdim=3, batch_first=True)
    ours = nn.MultiHeadAttention(6, 2, context_features=3, **DOUBLE)
    context = drawn(2, 4, 3)
    call = lambda m, x: m(x, *[torch.from_numpy(context)] * 2, need_weights=False)[0]
    return theirs, Beside(ours, context), drawn(2, 5, 6), call


class Beside(nn.Module):
    inner: object
    context: object = nn.static()

    def __call__(self, x):
        return self.inner(x, self.context)


def attention():
    theirs = torch.nn.MultiheadAttention(6, 2, batch_first=True)
    return theirs, nn.MultiHeadAttention(6, 2, **DOUBLE), drawn(2, 5, 6), attention_of


def attention_without_bias():
    theirs = torch.nn.MultiheadAttention(6, 2, bias=False, batch_first=True)
    return theirs, nn.MultiHeadAttention(6, 2, bias=False, **DOUBLE), drawn(2, 5, 6), attention_of


def transformer():
    theirs = torch.nn.TransformerEncoderLayer(
        6, 2, 12, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return theirs, nn.TransformerBlock(6, 2, hidden=12, **DOUBLE), drawn(2, 5, 6), None


def decoder():
    theirs = torch.nn.TransformerDecoderLayer(
        6, 2, 12, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    context, ours = drawn(2, 4, 6), nn.DecoderBlock(6, 2, hidden=12, causal=False, **DOUBLE)
    theirs = torch.nn.ModuleDict({"inner": theirs})
    call = lambda m, x: m["inner"](x, torch.from_numpy(context))
    return theirs, Beside(ours, context), drawn(2, 5, 6), call


INTEGERS = np.asarray([[1, 5, 0], [2, 2, 6]])
# What PyTorch's layer is made of, ours, and the shape of an input.
LAYERS = {
    "Linear": (lambda: torch.nn.Linear(3, 2), lambda: nn.Linear(3, 2, **DOUBLE), (5, 3)),
    "Linear without bias": (
        lambda: torch.nn.Linear(3, 2, bias=False),
        lambda: nn.Linear(3, 2, bias=False, **DOUBLE),
        (5, 3),
    ),
    "Embedding": (lambda: torch.nn.Embedding(7, 4), lambda: nn.Embedding(7, 4, **DOUBLE), INTEGERS),
    "Conv of 1 axis": (
        lambda: torch.nn.Conv1d(4, 6, 3, groups=2, dilation=2),
        lambda: nn.Conv(4, 6, (3,), groups=2, dilation=2, **DOUBLE),
        (2, 4, 9),
    ),
    "Conv of 3 axes": (
        lambda: torch.nn.Conv3d(2, 3, 2, bias=False),
        lambda: nn.Conv(2, 3, (2, 2, 2), bias=False, **DOUBLE),
        (2, 2, 4, 4, 4),
    ),
    "ConvTranspose in groups": (
        lambda: torch.nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2),
        lambda: nn.ConvTranspose(4, 6, 3, stride=2, groups=2, **DOUBLE),
        (2, 4, 5, 5),
    ),
    "BatchNorm without weights": (
        lambda: torch.nn.BatchNorm1d(3, affine=False),
        lambda: nn.BatchNorm(3, affine=False, dtype="float64"),
        (5, 3),
    ),
    "LayerNorm of two axes": (
        lambda: torch.nn.LayerNorm((3, 4)),
        lambda: nn.LayerNorm((3, 4), dtype="float64"),
        (2, 3, 4),
    ),
    "LayerNorm without bias": (
        lambda: torch.nn.LayerNorm(4, bias=False),
        lambda: nn.LayerNorm(4, bias=False, dtype="float64"),
        (2, 4),
    ),
    "RMSNorm": (
        lambda: torch.nn.RMSNorm(4, eps=1e-6),
        lambda: nn.RMSNorm(4, dtype="float64"),
        (2, 3, 4),
    ),
    "PReLU": (lambda: torch.nn.PReLU(3), lambda: nn.PReLU(3, dtype="float64"), (2, 3, 4)),
    "GroupNorm": (
        lambda: torch.nn.GroupNorm(2, 4),
        lambda: nn.GroupNorm(2, 4, dtype="float64"),
        (2, 4, 3),
    ),
}  # fmt: skip


def layer(theirs, ours, shape):
    return theirs(), ours(), shape if isinstance(shape, np.ndarray) else drawn(*shape), None


MODELS = {
    "MLP": mlp,
    "images": images,
    "RNN": lambda: recurrent("RNN"),
    "LSTM": lambda: recurrent("LSTM"),
    "GRU": lambda: recurrent("GRU"),
    **{
        f"{kind} without bias": partial(recurrent, kind, bias=False)
        for kind in ("RNN", "LSTM", "GRU")
    },
    "LSTM with a projection": lambda: recurrent("LSTM", outputs=2),
    "LSTMs with a projection and no bias": lambda: stacked("LSTM", 2, True, False, 2),
    "GRUs without bias": lambda: stacked("GRU", 2, True, False),
    **{
        f"{kind}, {layers} layers, {'both ways' if both else 'one way'}": partial(
            stacked, kind, layers, both
        )
        for kind in ("RNN", "LSTM", "GRU")
        for layers, both in [(1, False), (2, False), (1, True), (3, True)]
    },
    **{name: partial(layer, *makers) for name, makers in LAYERS.items()},
    "attention": attention,
    "attention without bias": attention_without_bias,
    "transformer": transformer,
    "decoder": decoder,
}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def output_of(module, call, x):
    with torch.no_grad():
        return (call or (lambda m, x: m(x)))(module, torch.from_numpy(x)).numpy()


@every_model
def test_a_state_dict_of_torch_gives_the_same_outputs(make, tmp_path):
    theirs, ours, x, call = make()
    randomized(theirs)
    files.save_file(theirs.state_dict(), tmp_path / "model.safetensors")

    loaded = gx.saving.load_state_dict(tmp_path / "model.safetensors", like=ours)

    np.testing.assert_allclose(loaded(x), output_of(theirs, call, x), rtol=1e-10, atol=1e-10)


@every_model
def test_torch_loads_what_we_save_and_gives_the_same_outputs(make, tmp_path):
    theirs, ours, x, call = make()
    ours = tree.map(lambda leaf: np.abs(drawn(*leaf.shape)) + 0.1, ours)

    gx.saving.save_state_dict(tmp_path / "model.safetensors", ours)

    theirs.double().eval().load_state_dict(files.load_file(tmp_path / "model.safetensors"))
    np.testing.assert_allclose(ours(x), output_of(theirs, call, x), rtol=1e-10, atol=1e-10)


class Tagger(nn.Module):
    words: nn.Embedding
    blocks: list
    scale: object

    def __call__(self, x):
        x = self.words(x)
        for block in self.blocks:
            x = block(x)
        return x * self.scale


class TorchTagger(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(7, 6)
        self.blocks = torch.nn.ModuleList([torch.nn.Linear(6, 6), torch.nn.LayerNorm(6)])
        self.gain = torch.nn.Parameter(torch.ones(6))

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return x * self.gain


def tagger():
    blocks = [nn.Linear(6, 6, **DOUBLE), nn.LayerNorm(6, dtype="float64")]
    return Tagger(nn.Embedding(7, 6, **DOUBLE), blocks, np.ones(6))


def test_names_say_where_the_models_differ(tmp_path):
    theirs = randomized(TorchTagger())
    files.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    names = {"words": "embed", "scale": "gain"}
    x = np.asarray([[1, 2, 6]])

    loaded = gx.saving.load_state_dict(tmp_path / "model.safetensors", tagger(), names)

    np.testing.assert_allclose(loaded(x), output_of(theirs, None, x), rtol=1e-10)
    gx.saving.save_state_dict(tmp_path / "ours.safetensors", loaded, names)
    theirs.load_state_dict(files.load_file(tmp_path / "ours.safetensors"))
    assert sorted(files.load_file(tmp_path / "ours.safetensors")) == sorted(theirs.state_dict())


def test_two_layers_may_change_their_names(tmp_path):
    ours = nn.Sequential(nn.Linear(2, 2, **DOUBLE), nn.Linear(2, 2, **DOUBLE))
    names = {"layers[0]": "net", "layers[1]": "net.head"}
    ours = tree.map(lambda leaf: drawn(*leaf.shape), ours)

    gx.saving.save_state_dict(tmp_path / "m.safetensors", ours, names)

    again = gx.saving.load_state_dict(tmp_path / "m.safetensors", ours, names)
    assert all(map(np.array_equal, tree.leaves(again), tree.leaves(ours)))
    found = files.load_file(tmp_path / "m.safetensors")
    assert sorted(found) == ["net.bias", "net.head.bias", "net.head.weight", "net.weight"]


def test_all_that_differs_is_in_one_message(tmp_path):
    path = tmp_path / "model.safetensors"
    theirs = {"0.weight": torch.ones(5, 9), "0.bias": torch.ones(5), "fc.weight": torch.ones(2, 5)}
    files.save_file(theirs, path)

    with pytest.raises(ShapeError) as caught:
        gx.saving.load_state_dict(path, like=mlp()[1])

    message = str(caught.value)
    assert "lacks 2.bias (2,), 2.weight (2, 5)" in message
    assert "has besides fc.weight (2, 5)" in message
    assert "has 0.weight (5, 9), expected (5, 8)" in message
    assert "'layers[2]': '2'" in message


def test_another_dtype_is_named(tmp_path):
    files.save_file({"weight": torch.ones(2, 3), "bias": torch.ones(2)}, tmp_path / "m.safetensors")

    with pytest.raises(DTypeError, match="weight is float32 in the file, expected float64"):
        gx.saving.load_state_dict(tmp_path / "m.safetensors", nn.Linear(3, 2, **DOUBLE))


def test_names_of_what_is_not_there_or_twice_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(ShapeError, match=r"'layers\[7\]', where no layer is: there are layers, "):
        gx.saving.save_state_dict(path, mlp()[1], {"layers[7]": "x"})
    with pytest.raises(ShapeError, match=r"two arrays would be called 0\.weight"):
        gx.saving.save_state_dict(path, mlp()[1], {"layers[2]": "0"})
    with pytest.raises(DTypeError, match="names is 3"):
        gx.saving.save_state_dict(path, mlp()[1], 3)
    assert not path.exists()


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"PK\3\4 a pickle")

    with pytest.raises(CheckpointError):
        gx.saving.load_state_dict(tmp_path / "m.safetensors", mlp()[1])
