"""Run kernels in CUDA C on a machine without a GPU: g++, and a header that plays the device.

A source is compiled once and kept in the temporary directory under the hash of its text.
"""

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
SIGNATURE = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(\w+)\s*\(([^)]*)\)', re.DOTALL)
C_TYPES = {"int64": ctypes.c_longlong, "double": ctypes.c_double}

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="g++, which stands in for a GPU, is not installed"
)


class EmulationError(RuntimeError):
    """A kernel was called wrongly, or its threads wait for one another for ever."""


class Module:
    """The kernels of one source: what stands in for ``cupy.RawModule``."""

    def __init__(self, code, options=()):
        self.library = compiled(code)
        self.parameters = {
            name: [one.strip() for one in parameters.split(",")]
            for name, parameters in SIGNATURE.findall(code)
        }

    def get_function(self, name):
        """Return a function of (blocks, threads, arguments)."""
        parameters = self.parameters[name]
        function = getattr(self.library, f"emulate_{name}")

        def run(blocks, threads, arguments):
            if len(arguments) != len(parameters):
                raise EmulationError(f"{name}: {len(parameters)} arguments, got {len(arguments)}")
            values = [as_argument(*pair) for pair in zip(parameters, arguments, strict=True)]
            if function(three(blocks), three(threads), *values):
                raise EmulationError(f"{name}: threads wait at a barrier that others never reach")

        return run


def three(lengths):
    """Return up to three lengths as three in C."""
    return (ctypes.c_uint * 3)(*(*lengths, 1, 1)[:3])


def as_argument(parameter, value):
    """Return a value as C takes it; CUDA would read whatever bytes it is given."""
    kind, _, name = parameter.rpartition(" ")
    if "*" in kind:
        if not value.flags.c_contiguous:
            raise EmulationError(f"{name}: the array is not contiguous")
        return ctypes.c_void_p(np.ndarray.__array_interface__.__get__(value)["data"][0])
    if type(value) is np.ndarray and value.dtype.kind == "V":
        return by_value(value.nbytes).from_buffer_copy(value)
    expected = {"int64": np.int64, "double": np.float64}[kind]
    if type(value) is not expected:
        raise EmulationError(f"{parameter}: expected {expected.__name__}, got {value!r}")
    return C_TYPES[kind](value)


@cache
def by_value(size):
    """Return the type of a structure of so many bytes, of numbers of eight bytes."""
    fields = [("numbers", ctypes.c_ulonglong * (size // 8))]
    return type("ByValue", (ctypes.Structure,), {"_fields_": fields})


@cache
def compiled(code):
    """Return the library of a source, from the temporary directory if it is there."""
    text = "\n".join(['#include "cuda_emulation.h"', code, *map(entry, SIGNATURE.findall(code))])
    return ctypes.CDLL(str(compiled_path(text)))


@cache
def fake_cublaslt():
    """Return the path of the library that stands in for cuBLASLt; "" without a compiler."""
    if shutil.which("g++") is None:
        return ""
    return compiled_path((HERE.parent / "fake_cublaslt.cpp").read_text())


def compiled_path(text):
    """Compile a text unless that was done before."""
    header = (HERE / "cuda_emulation.h").read_text()
    digest = hashlib.sha256((header + text).encode()).hexdigest()[:24]
    path = Path(tempfile.gettempdir()) / f"gradx_emulation_{digest}.so"
    if not path.exists():
        compile_to(path, text)
    return path


def compile_to(path, text):
    """Compile a text; a library that is half written has another name."""
    with tempfile.TemporaryDirectory() as folder:
        program, library = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
        program.write_text(text)
        flags = "-std=c++17 -O0 -w -shared -fPIC -fno-strict-aliasing -fexcess-precision=fast"
        command = ["g++", *flags.split(), f"-I{HERE}", str(program), "-o", str(library)]
        found = subprocess.run(command, capture_output=True, text=True)
        if found.returncode:
            raise EmulationError(found.stderr)
        partial = path.with_suffix(f".{id(folder)}.part")
        shutil.copy(library, partial)
        partial.replace(path)


def entry(signature):
    """Return the C function that runs one kernel on a grid."""
    name, parameters = signature
    names = [one.split()[-1].lstrip("*") for one in parameters.split(",")]
    fields = "".join(f"{one.strip()}; " for one in parameters.split(","))
    call = ", ".join(f"all->{one}" for one in names)
    return (
        f"struct Arguments_{name} {{ {fields}}};\n"
        f"static void run_{name}(void* given) {{\n"
        f"    auto* all = (Arguments_{name}*)given;\n    {name}({call});\n}}\n"
        f'extern "C" int emulate_{name}(unsigned* blocks, unsigned* threads, {parameters}) {{\n'
        f"    Arguments_{name} all = {{{', '.join(names)}}};\n"
        f"    return emulation::run(blocks, threads, run_{name}, &all);\n}}"
    )
