"""NVIDIA's compiler, by ctypes: it compiles for any GPU on a machine that has none.

``pip install nvidia-cuda-nvrtc`` is all it takes: no CuPy, no driver, no toolkit.
"""

import ctypes
import importlib.util
from functools import cache
from pathlib import Path

# What CuPy adds to the options of ``cuda_kernels.launching``.
OPTIONS = ("-ftz=true", "--device-as-default-execution-space")


class CompileError(RuntimeError):
    """What the compiler said."""


@cache
def library():
    """Return the compiler, None where it is not installed."""
    found = importlib.util.find_spec("nvidia")
    folders = [] if found is None else [Path(p) for p in found.submodule_search_locations]
    libraries = [one for folder in folders for one in folder.glob("*/lib/libnvrtc.so.*")]
    return ctypes.CDLL(str(libraries[0])) if libraries else None


def compiled(text, architecture, options=()):
    """Return the machine code of a source for ``"sm_90"`` or another kind of GPU."""
    return _compiled(text, architecture, options, "CUBIN")


def assembly(text, architecture, options=()):
    """Return the source in PTX, for ``"compute_90"``: in it loads and stores have their order."""
    return _compiled(text, architecture, options, "PTX").decode().rstrip("\0")


def _compiled(text, architecture, options, kind):
    nvrtc, program = library(), ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
    try:
        every = [f"-arch={architecture}", *OPTIONS, *options]
        values = (ctypes.c_char_p * len(every))(*[one.encode() for one in every])
        if nvrtc.nvrtcCompileProgram(program, len(every), values):
            log = read(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
            raise CompileError(log.decode())
        size_of, write = (getattr(nvrtc, f"nvrtcGet{kind}{part}") for part in ("Size", ""))
        return read(size_of, write, program)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def read(size_of, write, program):
    """Read bytes whose number is asked first."""
    size = ctypes.c_size_t()
    size_of(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    write(program, buffer)
    return buffer.raw
