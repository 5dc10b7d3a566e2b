"""How PyTorch holds the parameters of a layer: under which names, and in which order of axes.

A layout is two functions between arrays by gradx's names, relative to the layer, and by
PyTorch's. What is not in the table has the same names and axes in both.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradx import nn

Arrays = dict[str, np.ndarray]


class Layout(NamedTuple):
    """From gradx's arrays to PyTorch's, and back."""

    to_torch: Callable[[Arrays], Arrays]
    from_torch: Callable[[Arrays], Arrays]


# In a state dict, and no parameter: BatchNorm counts batches, for averages that gradx has not.
IGNORED = "num_batches_tracked"


def _renamed(names: dict[str, str], transposed: tuple[str, ...] = ()) -> Layout:
    """Give arrays other names, and those of ``transposed`` the other order of axes."""
    turned = lambda name, array: array.T if name in transposed else array
    return Layout(
        lambda ours: {names.get(n, n): turned(n, array) for n, array in ours.items()},
        lambda theirs: {n: turned(n, theirs[names.get(n, n)]) for n in _ours(names, theirs)},
    )


def _ours(names: dict[str, str], theirs: Arrays) -> list[str]:
    back = {other: name for name, other in names.items()}
    return [back.get(name, name) for name in theirs]


SAME = _renamed({})
LINEAR = _renamed({}, transposed=("weight",))
NORM = _renamed({"mean": "running_mean", "variance": "running_var"})
BATCH_NORM = Layout(
    lambda ours: NORM.to_torch(ours) | {IGNORED: np.asarray(0)},
    lambda theirs: NORM.from_torch({n: x for n, x in theirs.items() if n != IGNORED}),
)
LAST = {"weight": "weight_ih_l0", "recurrent": "weight_hh_l0", "bias": "bias_ih_l0"}
LAST |= {"projection": "weight_hr_l0"}
WEIGHTS = _renamed(LAST, transposed=("weight", "recurrent", "projection"))
SECOND = "bias_hh_l0"  # PyTorch adds two biases, where one does


def _recurrent_to_torch(ours: Arrays) -> Arrays:
    theirs = WEIGHTS.to_torch(ours)
    return theirs | {SECOND: np.zeros_like(ours["bias"])} if "bias" in ours else theirs


def _recurrent_from_torch(theirs: Arrays) -> Arrays:
    ours = WEIGHTS.from_torch({n: x for n, x in theirs.items() if n != SECOND})
    if SECOND not in theirs:
        return ours
    return ours | {"bias": ours["bias"] + theirs[SECOND]}


def _gru_to_torch(ours: Arrays) -> Arrays:
    """The last third of the second bias is within the reset: it cannot be added to the first."""
    if "bias" not in ours:
        return WEIGHTS.to_torch(ours)
    second = np.zeros_like(ours["bias"])
    own = ours["recurrent_bias"]
    second[len(second) - len(own) :] = own
    rest = {name: array for name, array in ours.items() if name != "recurrent_bias"}
    return WEIGHTS.to_torch(rest) | {SECOND: second}


def _gru_from_torch(theirs: Arrays) -> Arrays:
    if SECOND not in theirs:
        return _recurrent_from_torch(theirs)
    count = len(theirs[SECOND]) // 3
    second = theirs[SECOND].copy()
    second[2 * count :] = 0
    ours = _recurrent_from_torch(theirs | {SECOND: second})
    return ours | {"recurrent_bias": theirs[SECOND][2 * count :]}


def _stacked(one: Layout) -> Layout:
    """Return the layout of several layers, whose names end in the place and direction of each."""

    def to_torch(ours: Arrays) -> Arrays:
        theirs: Arrays = {}
        for (place, direction), inside in _apart(OUR_PLACE, ours).items():
            ending = f"_l{place}" + ("_reverse" if direction == "1" else "")
            inside = one.to_torch(inside)
            theirs |= {name.removesuffix("_l0") + ending: x for name, x in inside.items()}
        return theirs

    def from_torch(theirs: Arrays) -> Arrays:
        ours: Arrays = {}
        for (place, reverse), inside in _apart(THEIR_PLACE, theirs).items():
            begin = f"layers[{place}][{1 if reverse else 0}]"
            inside = one.from_torch({f"{name}_l0": x for name, x in inside.items()})
            ours |= {f"{begin}.{name}": x for name, x in inside.items()}
        return ours

    return Layout(to_torch, from_torch)


OUR_PLACE = re.compile(r"layers\[(?P<place>\d+)\]\[(?P<direction>\d)\]\.(?P<name>\w+)")
THEIR_PLACE = re.compile(r"(?P<name>\w+)_l(?P<place>\d+)(?P<direction>_reverse)?")


def _apart(pattern: re.Pattern[str], arrays: Arrays) -> dict[Any, Arrays]:
    """Return the arrays of each layer by its place and direction, and by their names within."""
    found: dict[Any, Arrays] = {}
    for full, array in arrays.items():
        match = pattern.fullmatch(full)
        assert match, full  # the names are those of the layer, which were compared before
        inside = found.setdefault((match["place"], match["direction"]), {})
        inside[match["name"]] = array
    return found


PARTS = ("queries", "keys", "values")
APART = ("q_proj_weight", "k_proj_weight", "v_proj_weight")  # where their inputs differ


def _attention_to_torch(ours: Arrays) -> Arrays:
    weights = [ours[f"{part}.weight"].T for part in PARTS]
    if len({weight.shape for weight in weights}) == 1:
        theirs = {"in_proj_weight": np.concatenate(weights)}
    else:
        theirs = dict(zip(APART, weights, strict=True))
    theirs["out_proj.weight"] = ours["out.weight"].T
    if "out.bias" in ours:
        theirs["in_proj_bias"] = np.concatenate([ours[f"{part}.bias"] for part in PARTS])
        theirs["out_proj.bias"] = ours["out.bias"]
    return theirs


def _attention_from_torch(theirs: Arrays) -> Arrays:
    together = theirs.get("in_proj_weight")
    weights = [theirs[n] for n in APART] if together is None else np.split(together, 3)
    ours = {f"{part}.weight": x.T for part, x in zip(PARTS, weights, strict=True)}
    ours["out.weight"] = theirs["out_proj.weight"].T
    if "in_proj_bias" in theirs:
        biases = np.split(theirs["in_proj_bias"], 3)
        ours |= {f"{part}.bias": x for part, x in zip(PARTS, biases, strict=True)}
        ours["out.bias"] = theirs["out_proj.bias"]
    return ours


RECURRENT = Layout(_recurrent_to_torch, _recurrent_from_torch)
LAYOUTS: dict[type, Layout] = {
    nn.BatchNorm: BATCH_NORM,
    nn.GRU: Layout(_gru_to_torch, _gru_from_torch),
    nn.LSTM: RECURRENT,
    nn.Linear: LINEAR,
    nn.MultiHeadAttention: Layout(_attention_to_torch, _attention_from_torch),
    nn.RNN: RECURRENT,
}

# What PyTorch calls the layers inside a layer. Those of Sequential it only counts.
FIELDS: dict[type, dict[str, str]] = {
    nn.Sequential: {"layers": ""},
    nn.DecoderBlock: {
        "attention": "self_attn",
        "to_context": "multihead_attn",
        "first_norm": "norm1",
        "second_norm": "norm2",
        "third_norm": "norm3",
        "widen": "linear1",
        "narrow": "linear2",
    },
    nn.TransformerBlock: {
        "attention": "self_attn",
        "first_norm": "norm1",
        "second_norm": "norm2",
        "widen": "linear1",
        "narrow": "linear2",
    },
}


def layout_of(value: Any) -> Layout | None:
    """Return how PyTorch holds the arrays of a layer; None of what consists of layers."""
    if isinstance(value, nn.Recurrent):
        return _stacked(known(LAYOUTS, value.layers[0][0], SAME))
    return known(LAYOUTS, value, None)


def known(table: dict[type, Any], value: Any, default: Any) -> Any:
    """Return what a table says of the class of a value, or of one that it derives from."""
    return next((table[kind] for kind in type(value).__mro__ if kind in table), default)
