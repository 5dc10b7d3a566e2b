"""Documentation that runs: Python in Markdown, doctests in the package, and the README's commands.

And documentation that is complete: the API reference has every public name, once.

The blocks of one Markdown file run in order as one script, as a reader would
type them. Code that is not to run is fenced as ``text``.
"""

import doctest
import inspect
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import gradx

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# A directive of the reference that documents names: its module, and the lines under it.
LISTED = re.compile(r"^\.\. public:: (?P<module>[\w.]+)\n\n?(?P<names>(?:^   .+\n)*)", re.MULTILINE)
DATA = re.compile(r"^\.\. py:data:: (?P<names>\w+\n(?:^ {13}\w+\n)*)", re.MULTILINE)

# Modules of a library that may be missing, which they import at the top.
NEEDS = {
    "gradx.backends.cupy": "cupy",
    "gradx.backends.cupy_gaps": "cupy",
    "gradx.backends.strict": "array_api_strict",
    "gradx.backends.native.compiler": "llvmlite",
    "gradx.graph.native.launch": "llvmlite",
}


def blocks(path, language):
    """Return (first line, code) of each block of a language."""
    text = path.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, found.start("code")), found["code"])
        for found in BLOCK.finditer(text)
        if found["language"] == language
    ]


def as_script(path):
    """Return the Python of a page, each line at the number that it has in the page."""
    lines = [""] * path.read_text(encoding="utf-8").count("\n")
    for first, code in blocks(path, "python"):
        written = code.splitlines()
        lines[first : first + len(written)] = written
    return "\n".join(lines)


def modules():
    found = pkgutil.walk_packages(gradx.__path__, "gradx.", onerror=_raise)
    return ["gradx", *(module.name for module in found if module.name not in NEEDS)]


def _raise(name):
    raise ImportError(name)


def reference_tool():
    """Return the module that tells the documentation what is public."""
    spec = spec_from_file_location("public", ROOT / "docs" / "public.py")
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def names_in_the_reference():
    """Return the full name of each entry of the pages of the reference."""
    tool, found = reference_tool(), []
    for page in sorted((ROOT / "docs" / "reference").glob("*.rst")):
        text = page.read_text(encoding="utf-8")
        for listed in LISTED.finditer(text):
            names = listed["names"].split() or tool.names(listed["module"])
            found += [f"{listed['module']}.{name}" for name in names]
        found += re.findall(r"^\.\. autoclass:: (gradx\.\w+)$", text, re.MULTILINE)
        home = "gradx.testing" if page.stem == "testing" else "gradx"
        data = [name for listed in DATA.finditer(text) for name in listed["names"].split()]
        found += [f"{home}.{name}" for name in data if not name.startswith("_")]
    return found


class Finder(doctest.DocTestFinder):
    """Finds decorated functions too: by the module they say they are of."""

    def _from_module(self, module, object):
        owner = getattr(object, "__module__", None)
        return owner == module.__name__ if owner else super()._from_module(module, object)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_python_of_a_page_runs(path, tmp_path):
    script = tmp_path / f"{path.stem}.py"
    script.write_text(as_script(path), encoding="utf-8")

    # A process of its own: what other tests imported would hide a name that gradx lacks.
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", modules())
def test_the_examples_of_a_module_hold(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    report = []

    for example in Finder().find(import_module(name), name):
        runner.run(example, out=report.append)

    assert not runner.failures, "".join(report)


def test_the_examples_of_the_package_are_found():
    found = Finder().find(import_module("gradx.data.batches"), "batches")

    assert {"batches.batches", "batches.split", "batches.Batches.epoch"} <= {
        example.name for example in found if example.examples
    }


def test_the_reference_has_every_public_name_once():
    listed = Counter(names_in_the_reference())

    assert sorted(listed) == sorted(reference_tool().everything())
    assert [name for name, count in listed.items() if count > 1] == []


def test_what_a_package_exports_is_public():
    public = reference_tool()

    for package in [
        "gradx",
        "gradx.nn",
        "gradx.optim",
        "gradx.random",
        "gradx.data",
        "gradx.train",
    ]:
        space = import_module(package)
        exported = {
            name
            for name in dir(space)
            if not name.startswith("_") and not inspect.ismodule(getattr(space, name))
        }
        assert exported == {*public.names(package)}
        assert package in public.modules()


def test_every_public_name_says_what_it_is():
    for name, value in reference_tool().everything().items():
        if callable(value):
            assert inspect.getdoc(value), name


def test_the_reference_names_every_attribute_of_a_tensor():
    page = (ROOT / "docs" / "reference" / "tensors.rst").read_text(encoding="utf-8")
    attributes = {name for name in dir(gradx.Tensor) if not name.startswith("_")}

    # What a transform keeps beside the value is its own affair.
    assert attributes - {"links", "payload", "trace", "value"} <= {*re.findall(r"\w+", page)}


def test_the_readme_starts_with_two_commands_and_ci_runs_them():
    commands = [code for _, code in blocks(ROOT / "README.md", "sh")[:2]]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert all(command.count("\n") == 1 for command in commands)
    assert "".join(commands) in script


def test_files_that_the_readme_names_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:examples|docs|benchmarks)/[\w/]+\.\w+|\b[A-Z]+\.md\b", text)

    assert named
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_every_promise_names_a_test_that_exists():
    page = Path(__file__).parent.parent / "docs" / "semantics.md"
    promised = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    found = {name for text in tests for name in re.findall(r"^def (test_\w+)", text, re.M)}

    assert len(promised) > 40
    assert promised <= found
