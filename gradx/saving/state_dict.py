"""Models in files with PyTorch's names, as ``safetensors.torch.save_file`` writes state dicts."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from gradx.errors import DTypeError, ShapeError
from gradx.nn.module import Module
from gradx.saving.layout import as_bytes, make_header
from gradx.saving.layouts import FIELDS, IGNORED, SAME, Arrays, Layout, known, layout_of
from gradx.saving.reading import read_file
from gradx.saving.trees import Tree, as_path, as_written, into_tree, named_leaves
from gradx.saving.writing import write_atomically

SHOWN = 8  # names in a message


class Place(NamedTuple):
    """A layer, or an array by itself: gradx's path, PyTorch's name, and how its arrays differ."""

    path: str
    name: str
    layout: Layout


def load_state_dict(path: Any, like: Tree, names: Mapping[str, str] | None = None) -> Tree:
    """Return ``like`` with the parameters of a PyTorch model of the same layers, in a file.

    The file is what ``safetensors.torch.save_file(module.state_dict(), path)`` writes. A layer
    of ``Sequential`` is named by its position, any other by its field. ``names`` says, by
    gradx's paths, where PyTorch's model has other names, as in ``{"layers[0]": "encoder"}``.

    Raises:
        ValueError: names or shapes are not those of the model; all that differ are named.
        TypeError: a dtype differs.

    >>> import gradx as gx
    >>> model = gx.nn.Sequential(gx.nn.Linear(3, 2, key=gx.random.key(0)))
    >>> gx.saving.save_state_dict("model.safetensors", model)
    >>> again = gx.saving.load_state_dict("model.safetensors", like=model)
    >>> bool((again[0].weight == model[0].weight).all())
    True
    """
    found = read_file(as_path("load_state_dict", path), verify=False).arrays
    places = list(_places(like, names))
    expected = _in_torch(like, places)
    _require_same(f"load_state_dict: {path}", found, _together(places, expected), places)
    ours: Arrays = {}
    for place, arrays in zip(places, expected, strict=True):
        names_of = {short: _joined(place.name, short) for short in arrays}
        theirs = {short: found[name] for short, name in names_of.items() if name in found}
        found_here = place.layout.from_torch(theirs)
        ours |= {_joined(place.path, short): array for short, array in found_here.items()}
    return into_tree({name: np.asarray(array, order="C") for name, array in ours.items()}, like)


def save_state_dict(path: Any, model: Any, names: Mapping[str, str] | None = None) -> None:
    """Write a model to a file that PyTorch's model of the same layers can load.

    There it is ``module.load_state_dict(safetensors.torch.load_file(path))``. ``names`` is as
    for ``load_state_dict``.
    """
    places = list(_places(model, names))
    arrays = _together(places, _in_torch(model, places))
    written = {name: as_written(name, array) for name, array in arrays.items()}
    parts = map(as_bytes, written.values())
    write_atomically(as_path("save_state_dict", path), [make_header(written, {}), *parts])


def _places(model: Any, names: Mapping[str, str] | None) -> Iterator[Place]:
    if names is not None and not isinstance(names, Mapping):
        raise DTypeError(f"state dict: names is {names!r}, expected a mapping from paths to names")
    names = {} if names is None else names
    met: list[str] = []
    yield from _walk(model, "", "", names, met)
    if unknown := [path for path in names if path not in met]:
        raise ShapeError(
            f"state dict: names has {unknown[0]!r}, where no layer is: there are {_listed(met)}"
        )


def _walk(
    value: Any, path: str, name: str, names: Mapping[str, str], met: list[str]
) -> Iterator[Place]:
    """Give the layers and arrays inside a value, from the outside in."""
    if value is None:
        return
    if path:
        met.append(path)
        name = names.get(path, name)
    layout = layout_of(value)
    parts = None if layout else _parts(value)
    if parts is None:
        yield Place(path, name, layout or SAME)
        return
    for inner, short, part in parts:
        yield from _walk(part, _joined(path, inner), _joined(name, short), names, met)


def _parts(value: Any) -> list[tuple[str, str, Any]] | None:
    """Return gradx's and PyTorch's name of each part and the part; None of what has none."""
    if isinstance(value, Module):
        renamed = known(FIELDS, value, {})
        shown = [f.name for f in fields(value) if "static" not in f.metadata]  # type: ignore[arg-type]
        return [(name, renamed.get(name, name), getattr(value, name)) for name in shown]
    if isinstance(value, (list, tuple)):
        return [(f"[{place}]", str(place), part) for place, part in enumerate(value)]
    if isinstance(value, dict):
        return [(f"[{key!r}]", str(key), part) for key, part in value.items()]
    return None


def _joined(path: str, name: str) -> str:
    return path + name if name.startswith("[") else f"{path}.{name}".strip(".")


def _in_torch(model: Any, places: list[Place]) -> list[Arrays]:
    """Return the arrays of each place in PyTorch's form, by their names within it."""
    leaves = {name: as_written(name, leaf) for name, leaf in named_leaves(model).items()}
    return [place.layout.to_torch(_inside(leaves, place.path)) for place in places]


def _inside(leaves: Arrays, path: str) -> Arrays:
    """Return the arrays under a path by what follows it."""
    if path in leaves:
        return {"": leaves[path]}
    start = f"{path}." if path else ""
    return {n.removeprefix(start): x for n, x in leaves.items() if n.startswith(start)}


def _together(places: list[Place], arrays: list[Arrays]) -> Arrays:
    theirs: Arrays = {}
    for place, inside in zip(places, arrays, strict=True):
        for short, array in inside.items():
            name = _joined(place.name, short)
            if name in theirs:
                raise ShapeError(f"state dict: two arrays would be called {name}: give names=")
            theirs[name] = array
    return theirs


def _require_same(what: str, found: Arrays, expected: Arrays, places: list[Place]) -> None:
    shown = lambda arrays, names: _listed([f"{n} {arrays[n].shape}" for n in sorted(names)])
    needed = {name for name in expected if not name.endswith(IGNORED)}
    missing, besides = needed - found.keys(), found.keys() - expected.keys()
    wrong = {n for n in needed & found.keys() if found[n].shape != expected[n].shape}
    problems = [
        *([f"lacks {shown(expected, missing)}"] if missing else []),
        *([f"has besides {shown(found, besides)}"] if besides else []),
        *[f"has {n} {found[n].shape}, expected {expected[n].shape}" for n in sorted(wrong)],
    ]
    if problems:
        paths = _listed([f"{place.path!r}: {place.name!r}" for place in places])
        raise ShapeError(
            f"{what} {'; '.join(problems)}. Names were taken to be {{{paths}}}: names= changes them"
        )


def _listed(names: list[str]) -> str:
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more]) or "none"
