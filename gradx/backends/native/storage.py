"""Machine code kept on disk, so that a program compiles it once.

A file holds object code behind its SHA-256, and is named by the hash of all that it was made
from: source, LLVM's version, the processor and its features. It is written beside its place
and moved there, so readers and writers may be many; a damaged or shortened file is as good as
none. Nothing is unpickled. But it is code that will run: like Python's own ``.pyc`` files it is
only as safe as its folder, so a folder that others can write to is not used.
"""

import hashlib
import os
import stat
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

SUFFIX = ".o"
DIGEST = hashlib.sha256().digest_size


class Store:
    """A folder of object code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, key: str) -> bytes | None:
        """Return the code kept under a key; None where there is none, or not whole."""
        try:
            content = (self.folder / f"{key}{SUFFIX}").read_bytes()
        except OSError:
            return None
        digest, code = content[:DIGEST], content[DIGEST:]
        return code if hashlib.sha256(code).digest() == digest else None

    def write(self, key: str, code: bytes) -> None:
        """Keep code under a key; a folder that cannot be written to keeps nothing."""
        with suppress(OSError):
            handle, temporary = tempfile.mkstemp(dir=self.folder, suffix=".new")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(code).digest() + code)
                os.replace(temporary, self.folder / f"{key}{SUFFIX}")
            except OSError:
                os.unlink(temporary)
                raise


def _is_ours(folder: Path) -> bool:
    """Tell whether nobody else may write to a folder."""
    if not hasattr(os, "getuid"):
        return True  # Windows: the user's own folder, by its place
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _usual_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


@cache
def user_store() -> Store | None:
    """Return the user's folder: ``GRADX_CACHE_DIR``, or where the system has its caches.

    None if ``GRADX_CACHE_DIR`` is empty, or the folder cannot be made or is open to others.
    """
    chosen = os.environ.get("GRADX_CACHE_DIR")
    if chosen == "":
        return None
    folder = (Path(chosen) if chosen else _usual_folder() / "gradx") / "native"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Store(folder) if _is_ours(folder) else None
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
