"""What type checkers know of gradx."""

import runpy
from pathlib import Path

import gradx as gx
from gradx import operators
from gradx.core import surface

PROGRAM = Path(__file__).with_name("typed_program.py")
# Of Python's and NumPy's protocols, which no program writes.
UNSAID = {"__array_function__", "__array_ufunc__", "__contains__", "__copy__", "__deepcopy__"}
UNSAID |= {"__divmod__", "__format__", "__getattr__", "__hash__", "__rdivmod__", "__reduce_ex__"}
UNSAID |= {"__repr__", "__str__", "__trunc__"}


def test_typed_program_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    runpy.run_path(str(PROGRAM))


def test_type_checkers_know_all_that_a_tensor_has():
    source = Path(surface.__file__).read_text(encoding="utf-8")
    tables = [operators.OPERATORS, operators.PROTOCOLS, operators.ATTRIBUTES, operators.METHODS]

    for name in set().union(*tables) - UNSAID:
        assert f"def {name}(self" in source or f"        {name}: " in source, name


def test_type_checkers_know_nothing_that_a_tensor_lacks():
    lines = Path(surface.__file__).read_text(encoding="utf-8").splitlines()
    inside = [line.strip() for line in lines if line.startswith("        ")]
    names = [line.removeprefix("def ").split("(")[0].split(":")[0] for line in inside]
    names = [name for name in names if name.isidentifier()]

    assert len(names) > 100
    assert [name for name in names if not hasattr(gx.Tensor, name)] == []
