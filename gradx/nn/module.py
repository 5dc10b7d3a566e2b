"""The base class of layers and models: dataclasses that are trees.

The fields of a module are its children, so everything that takes a tree takes a
model: its gradient is a model, an optimizer updates it, ``gx.to_device`` moves it.
"""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields
from functools import partial, wraps
from typing import Any, TypeVar, dataclass_transform

import optree

from gradx.core.explain import describe
from gradx.core.tree import NAMESPACE
from gradx.errors import DTypeError, GradxError
from gradx.nn.summary import Summary, counted, summarize
from gradx.nn.watching import WATCHER

WIDTH = 88  # of a line of a repr

Self = TypeVar("Self", bound="Module")


def static(default: Any = MISSING) -> Any:
    """Declare a field that is a setting of the layer, not a parameter.

    Trees of modules compare settings by ``==``, and no transform looks into them. Type checkers
    know of a default that is given by name.

    >>> import numpy as np, gradx as gx
    >>> class Shift(gx.nn.Module):
    ...     amount: object
    ...     unit: str = gx.nn.static(default="m")
    >>> Shift(np.asarray(1.0))
    Shift(amount=float64 (), unit='m')
    """
    return field(default=default, metadata={"static": True})


def state() -> Any:
    """Declare a field of arrays that training changes and no gradient does: see ``with_state``."""
    return field(metadata={"state": True})


@dataclass_transform(eq_default=False, field_specifiers=(field, static, state))
class Module:
    """Make each subclass a frozen dataclass whose fields, unless ``static()``, are parameters.

    A field holds an array, another module, or a list, tuple or dictionary of them,
    or ``None``. A subclass may write its own ``__init__``, which sets each field
    once; afterwards ``replace`` makes changed copies. Errors that gradx raises
    while a module is called name where in the model it was.

    >>> import numpy as np, gradx as gx
    >>> class Scale(gx.nn.Module):
    ...     factor: object
    ...     power: int = gx.nn.static(default=1)
    ...     def __call__(self, x):
    ...         return x * self.factor**self.power
    >>> scale = Scale(np.asarray([1.0, 2.0]), power=2)
    >>> scale
    Scale(factor=float64 (2,), power=2)
    >>> gx.grad(lambda model: gx.sum(model(np.asarray(3.0))))(scale).factor
    array([ 6., 12.])
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclass(init=not _writes_its_own_init(cls), eq=False, repr=False)(cls)
        if "__call__" in vars(cls):
            cls.__call__ = _locating(cls.__call__)  # type: ignore[method-assign]
        _register(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        known = [f.name for f in fields(self)]  # type: ignore[arg-type]
        if name not in known:
            raise DTypeError(
                f"{type(self).__name__} has no field {name!r}: "
                f"it has {', '.join(known) or 'none'}; "
                f"a field is declared in the body of the class, as in {name}: Any"
            )
        if name in self.__dict__:
            raise DTypeError(
                f"{type(self).__name__}.{name} cannot be changed: "
                f"model.replace({name}=...) makes a changed copy"
            )
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        raise DTypeError(f"{type(self).__name__}.{name} cannot be deleted")

    def replace(self: Self, **changes: Any) -> Self:
        """Return a copy with some fields changed; ``__init__`` does not run.

        >>> import gradx as gx
        >>> layer = gx.nn.Linear(3, 2, key=gx.random.key(0))
        >>> layer.replace(bias=None).bias is None
        True
        """
        known = [f.name for f in fields(self)]  # type: ignore[arg-type]
        if unknown := [name for name in changes if name not in known]:
            raise DTypeError(
                f"{type(self).__name__} has no field {unknown[0]!r}: it has {', '.join(known)}"
            )
        return _build(type(self), self.__dict__ | changes)

    def summary(self, *inputs: Any, **options: Any) -> Summary:
        """Return a table of the layers and their sizes; for inputs also of what they compute.

        The model is called with ``inputs`` and ``options`` if there are any. Then each layer's
        output has its shape, and operations on floating-point numbers that depend on the inputs
        are counted: a multiplication and an addition are two. Notebooks show the table as HTML.

        >>> import numpy as np, gradx as gx
        >>> model = gx.nn.Sequential(gx.nn.Linear(3, 2, key=gx.random.key(0)), gx.nn.relu)
        >>> model.summary(np.ones((5, 3), dtype=np.float32))
        layer      kind      output  parameters  bytes  FLOPs
        layers[0]  Linear    (5, 2)           8     32     70
        layers[1]  Function  (5, 2)           0      0     10
        total                                 8     32     80
        """
        called = counted(self, inputs, options) if inputs or options else None
        return summarize(self, Module, called)

    def __repr__(self) -> str:
        shown = [f"{f.name}={show(getattr(self, f.name, None))}" for f in fields(self)]  # type: ignore[arg-type]
        return join_shown(type(self).__name__ + "(", shown, ")")


def _writes_its_own_init(cls: type) -> bool:
    for base in cls.__mro__:
        if "__init__" in vars(base):
            made_by_dataclass = getattr(vars(base).get("__dataclass_params__"), "init", False)
            return base is not object and not made_by_dataclass
    return False


def _register(cls: type) -> None:
    """Make instances nodes of gradx's trees."""
    kinds = [("static" in f.metadata, f.name) for f in fields(cls)]
    children = tuple(name for is_static, name in kinds if not is_static)
    settings = tuple(name for is_static, name in kinds if is_static)

    def flatten(module):
        content = module.__dict__
        try:
            return [content[n] for n in children], tuple([content[n] for n in settings]), children
        except KeyError as error:
            raise DTypeError(f"{cls.__name__}.__init__ did not set {error.args[0]!r}") from None

    flatten.fields = (children, settings)  # type: ignore[attr-defined]  # for who reads them itself
    child_places, setting_places = [*enumerate(children)], [*enumerate(settings)]

    def unflatten(values, parts):
        # Transforms put anything into trees: nothing is checked or computed here. A replayed step
        # makes all of its model's modules, so this is a third of the time of a zip.
        module: Any = object.__new__(cls)
        content = module.__dict__
        for i, name in child_places:
            content[name] = parts[i]
        for i, name in setting_places:
            content[name] = values[i]
        return module

    optree.register_pytree_node(
        cls, flatten, unflatten, path_entry_type=optree.GetAttrEntry, namespace=NAMESPACE
    )


def _build(cls, content):
    module: Any = object.__new__(cls)
    module.__dict__.update(content)
    return module


def _locating(call: Callable[..., Any]) -> Callable[..., Any]:
    """Make errors of gradx that pass through ``call`` say which child they came from."""

    @wraps(call)
    def locating(self, *args, **kwargs):
        watcher = WATCHER.get()
        try:
            if watcher is None:
                return call(self, *args, **kwargs)
            return watcher(self, partial(call, self, *args, **kwargs))
        except GradxError as error:
            _locate(error, self)
            raise

    return locating


def _locate(error: Any, module: Module) -> None:
    child, is_innermost = getattr(error, "came_through", (None, True))
    if child is module:  # a call of super().__call__
        return
    error.came_through = (module, child is None)
    if child is None:
        return
    name = type(child).__name__
    path = next((path for path, found in _children(module) if found is child), name)
    error.locate(f"{path} ({name})" if is_innermost else path)


def _children(module: Module) -> Iterator[tuple[str, Any]]:
    """Give the path and value of everything in the fields of a module."""
    pending = [(name, value) for name, value in module.__dict__.items()]
    while pending:
        path, value = pending.pop()
        yield path, value
        if isinstance(value, (list, tuple)):
            pending += [(f"{path}[{i}]", part) for i, part in enumerate(value)]
        if isinstance(value, dict):
            pending += [(f"{path}[{key!r}]", part) for key, part in value.items()]


def show(value: Any) -> str:
    """Write a field's value: arrays by dtype and shape, at any depth."""
    if isinstance(value, list):
        return join_shown("[", [show(part) for part in value], "]")
    if type(value) is tuple:
        return join_shown("(", [show(part) for part in value], ",)" if len(value) == 1 else ")")
    if isinstance(value, dict):
        return join_shown("{", [f"{key!r}: {show(part)}" for key, part in value.items()], "}")
    return show_leaf(value)


def show_leaf(value: Any) -> str:
    """Name an array by dtype and shape, a function by its name, anything else by its repr."""
    if not isinstance(value, (Module, type)) and callable(value) and hasattr(value, "__name__"):
        return value.__name__
    return describe(value)


def join_shown(start: str, parts: list[str], end: str) -> str:
    """Write parts in one line if they fit, else one a line."""
    line = f"{start}{', '.join(parts)}{end}"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    inner = "".join(f"{part},\n" for part in parts)
    indented = "".join(f"    {text}" for text in inner.splitlines(keepends=True))
    return f"{start}\n{indented}{end.removeprefix(',')}"
