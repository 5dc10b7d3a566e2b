"""What is installed and what it runs on: the first thing that a bug report needs."""

import os
import platform
from importlib import import_module
from typing import Any

import numpy as np

from gradx.backends import cuda
from gradx.backends.registry import devices

PACKAGES = (
    "gradx",
    "numpy",
    "array-api-compat",
    "optree",
    *cuda.WHEELS,
    "llvmlite",
    "scipy",
    "torch",
)


def info() -> dict[str, Any]:
    """Print the versions, devices, BLAS and threads that gradx finds, and return them.

    Nothing is imported for it but CuPy, which is asked for its devices. Threads are
    those of the libraries loaded so far, where ``threadpoolctl`` is installed.

    >>> import gradx as gx
    >>> facts = gx.info()  # doctest: +ELLIPSIS
    python ...
    >>> facts["devices"][0]
    'cpu'
    """
    facts = {
        "python": f"{platform.python_version()} on {platform.platform()}",
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "devices": devices(),
        "cuda": cuda.find_problem() or "usable",
        "blas": _blas(),
        "processors": _processors(),
        "threads": _threads(),
    }
    print("\n".join(f"{name:<12}{_as_text(fact)}" for name, fact in facts.items()))
    return facts


def _as_text(fact: Any) -> str:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {value}" for name, value in fact.items())
    return ", ".join(fact) if isinstance(fact, list) else str(fact)


def _version(distribution: str) -> str | None:
    metadata = import_module("importlib.metadata")  # 15 ms, for those who ask
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _blas() -> str:
    built_with = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"{built_with.get('name', 'unknown')} {built_with.get('version', '')}".strip()


def _processors() -> int:
    # Those that this process may use, which a container or a pin makes fewer.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads() -> dict[str, int] | str:
    try:
        pools = import_module("threadpoolctl").threadpool_info()
    except ImportError:
        return "unknown: pip install threadpoolctl"
    return {f"{pool['internal_api']} ({pool['prefix']})": pool["num_threads"] for pool in pools}
