"""Write a file whole or not at all, also when the power goes or the process is killed."""

import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_atomically(path: Path, parts: Iterable[Any]) -> None:
    """Put bytes into a file that takes the place of ``path`` once all of it is on disk.

    Whatever happens before that, ``path`` is what it was; what is left then is a file beside
    it whose name ends in ``.tmp``.
    """
    target = _place_for_file(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


def _place_for_file(path: Path) -> Path:
    """Return where the links of ``path`` lead, if a file may stand there.

    A device or a pipe is not replaced: root may do that even to ``/dev/null``.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder is there, expected a file", str(path))
    if target.exists() and not target.is_file():
        raise FileExistsError(errno.EEXIST, "a device or a pipe is there, not a file", str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
    return target


def _sync_directory(directory: Path) -> None:
    """Make the new name of a file as durable as its content, where the system has a way."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
