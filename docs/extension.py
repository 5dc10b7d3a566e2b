"""What our documentation needs of Sphinx beyond its own: reference, links, drawings, programs.

``.. public:: gradx`` with names under it lists them in a table and then documents each;
without names, all that the module has. What is public in two modules is documented in
one and named in the other. Literals that name something public, ``gx.grad`` on any page
and ``vjp`` within the documentation of ``gradx``, become links to it.

``{drawing} picture`` on a Markdown page shows what the Python above it on the page has
drawn under that name. ``.. programs:: FOLDER`` shows the programs of a folder.
"""

import ast
import builtins
import inspect
import re
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_overloads

from docutils import nodes
from docutils.statemachine import StringList
from public import aliases, everything, names
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.parsing import nested_parse_to_nodes

PUBLIC = everything()
ALIASES = aliases()
CALLED = re.compile(r"^gx\.([\w.]+)(\(.*\))?$", re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What says nothing in a signature: arrays of several libraries share no type.
UNTYPED = re.compile(r": (~?typing\.)?Any\b(?!\[)| -> (~?typing\.)?(Any|None)\b(?!\[)")
ANYTHING = re.compile(
    r"(?<=Callable)\[(\.\.\.|\[(\.\.\.|, |~?(typing\.)?Any)*\]), ~?(typing\.)?Any\]"
)


class Public(SphinxDirective):
    """Document public names of a module, in the order given."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        chosen = " ".join(self.content).split() or names(module)
        lines = [f".. currentmodule:: {module}", "", ".. autosummary::", "   :nosignatures:", ""]
        lines += [f"   {name}" for name in chosen]
        for name in chosen:
            lines += ["", *_entry(f"{module}.{name}")]
        return nested_parse_to_nodes(self.state, StringList(lines, source=module))


def _entry(full_name: str) -> list[str]:
    """Return the directive that documents one name."""
    if full_name in ALIASES:
        head = f".. py:function:: {full_name.rpartition('.')[2]}{_signature(full_name)}"
        return [head, "", f"   Another name of :py:obj:`{ALIASES[full_name]}`."]
    value = PUBLIC[full_name]
    if not inspect.isclass(value):
        # Of a function with overloads the one signature that says it all.
        signature = _signature(full_name) if get_overloads(value) else ""
        return [f".. autofunction:: {full_name}{signature}"]
    if issubclass(value, Exception):
        return [f".. autoexception:: {full_name}", "   :show-inheritance:"]
    members = ["   :members:", "   :special-members: __call__"]
    return [f".. autoclass:: {full_name}", *members]


def _signature(full_name: str) -> str:
    return _without_any(str(inspect.signature(PUBLIC[full_name])))


class Drawing(SphinxDirective):
    """Run the Python of the page up to here, and show a ``gx.draw`` picture that it made."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        source = Path(self.env.doc2path(self.env.docname)).read_text(encoding="utf-8")
        above = "".join(source.splitlines(keepends=True)[: self.lineno])
        scope: dict[str, Any] = {}
        with TemporaryDirectory() as folder, chdir(folder), redirect_stdout(StringIO()):
            exec("\n".join(BLOCK.findall(above)), scope)
        svg = scope[self.arguments[0]].to_svg()
        return [nodes.raw("", f'<div class="drawing">{svg}</div>', format="html")]


class Programs(SphinxDirective):
    """Show every program of a folder: what it says of itself, then the whole of it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.srcdir, self.arguments[0])
        lines: list[str] = []
        for path in sorted(folder.glob("[!_]*.py")):
            about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            lines += [path.name, "-" * len(path.name), "", about.partition("\n")[0], ""]
            lines += [f".. literalinclude:: {self.arguments[0]}/{path.name}", ""]
            self.env.note_dependency(str(path))
        return nested_parse_to_nodes(self.state, StringList(lines, source=str(folder)))


class Types(SphinxTransform):
    """Take a type ``bool`` for Python's, not ours, and say nothing where a type is ``Any``."""

    default_priority = 400

    def apply(self, **options: Any) -> None:
        for link in self.document.findall(addnodes.pending_xref):
            if link["reftarget"] in vars(builtins):
                link["py:module"] = None
                link.attributes.pop("refspecific", None)
        for annotation in list(self.document.findall(addnodes.desc_annotation)):
            if annotation.astext() == ": Any":
                annotation.parent.remove(annotation)


class Links(SphinxTransform):
    """Make links of literals that name something public."""

    default_priority = 400

    def apply(self, **options: Any) -> None:
        for literal in list(self.document.findall(nodes.literal)):
            target = _target(literal)
            if target is not None and not _is_link(literal):
                literal.replace_self(_link(literal, target, self.env.docname))


def _target(literal: nodes.literal) -> str | None:
    text = literal.astext()
    called = CALLED.match(text)
    if called:
        return _documented(f"gradx.{called[1]}")
    signature = _signature_around(literal)
    if signature is None or not text.isidentifier() or text in _own_words(signature):
        return None
    return _documented(f"{signature['module']}.{text}")


def _documented(full_name: str) -> str | None:
    """Return the name where the documentation is, of ``gradx.nn.Module.replace`` too."""
    owner = full_name if full_name in PUBLIC else full_name.rpartition(".")[0]
    if owner not in PUBLIC or (owner != full_name and not _is_member(full_name, owner)):
        return None
    return ALIASES.get(full_name, full_name)


def _is_member(full_name: str, owner: str) -> bool:
    name = full_name.removeprefix(f"{owner}.")
    member = vars(PUBLIC[owner]).get(name) if inspect.isclass(PUBLIC[owner]) else None
    return bool(getattr(member, "__doc__", None))


def _signature_around(literal: nodes.Node) -> Any:
    """Return the signature whose description this stands in."""
    node = literal
    while node is not None and not isinstance(node, addnodes.desc_content):
        node = node.parent
    signatures = [] if node is None else list(node.parent.findall(addnodes.desc_signature))
    return signatures[0] if signatures and signatures[0].get("module") else None


def _own_words(signature: Any) -> set[str]:
    """Return the parameters of a function and its name: words of its own documentation."""
    parameters = signature.findall(addnodes.desc_parameter)
    words = {word for parameter in parameters for word in re.findall(r"\w+", parameter.astext())}
    return words | set(signature["fullname"].split("."))


def _is_link(node: nodes.Node) -> bool:
    while node is not None:
        if isinstance(node, nodes.reference | addnodes.pending_xref | nodes.title):
            return True
        node = node.parent
    return False


def _link(literal: nodes.literal, target: str, page: str) -> nodes.Node:
    link = addnodes.pending_xref(
        "", refdomain="py", reftype="obj", reftarget=target, refexplicit=True, refdoc=page
    )
    link += literal.deepcopy()
    return link


def leave_out_any(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: Any, returned: Any
) -> tuple[Any, Any] | None:
    """Leave ``Any`` out of signatures."""
    if signature is None:
        return None
    return _without_any(signature), _without_any(f" -> {returned}").removeprefix(" -> ") or None


def _without_any(text: str) -> str:
    return ANYTHING.sub("", UNTYPED.sub("", text))


def leave_out_calls(
    app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Say nothing where Python itself would say "Call self as a function."."""
    if name.endswith(".__call__") and lines[:1] == ["Call self as a function."]:
        lines.clear()


def leave_out_foreign(
    app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out fields of a NamedTuple, and what scikit-learn puts into its estimators."""
    if (getattr(value, "__doc__", None) or "").startswith("Alias for field number"):
        return True
    home = getattr(inspect.unwrap(value), "__module__", None) if callable(value) else None
    return None if home is None or home.startswith("gradx") else True


def setup(app: Sphinx) -> dict[str, Any]:
    """Add it all to Sphinx."""
    app.add_directive("public", Public)
    app.add_directive("drawing", Drawing)
    app.add_directive("programs", Programs)
    app.add_transform(Types)
    app.add_transform(Links)
    app.connect("autodoc-process-signature", leave_out_any)
    app.connect("autodoc-process-docstring", leave_out_calls)
    app.connect("autodoc-skip-member", leave_out_foreign)
    return {"parallel_read_safe": True}
