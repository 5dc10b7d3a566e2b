"""Packages that an extra installs: imported when they are first asked for."""

from importlib import import_module
from typing import Any

from gradx.errors import MissingPackageError


def optional(module: str, what: str, extra: str) -> Any:
    """Import ``module``, which ``what`` needs and ``pip install 'gradx[extra]'`` installs.

    Raises:
        MissingPackageError: it is not there.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingPackageError(
            f"{what} needs {package}: pip install 'gradx[{extra}]'"
        ) from error
