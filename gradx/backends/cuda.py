"""Why CUDA cannot be used here, said before anything is computed.

CuPy imports without a driver and without most of CUDA's libraries, and fails
later, in the middle of a step and with a misleading message ("driver version
is insufficient" where there is no driver). So each cause is looked for in
turn, the first time that a CUDA device is asked for and never before.
"""

from collections.abc import Callable
from importlib import import_module

from gradx.backends.base import Backend
from gradx.errors import DeviceError

WHEELS = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")
OLDEST_CUPY = 14
LIBRARIES = ("nvrtc", "cublas", "cublasLt")
INSTALL = (
    "pip install 'gradx[cuda13]' (CUDA 13, NVIDIA driver 580 or newer) or "
    "pip install 'gradx[cuda12]' (CUDA 12, NVIDIA driver 525 or newer)"
)


def load(device: str) -> Backend:
    """Return CuPy's backend, or raise ``DeviceError`` naming ``device`` and the reason."""
    reason = find_problem()
    if reason is not None:
        raise DeviceError(
            f"device {device!r} cannot be used: {reason}. "
            f"CUDA takes an NVIDIA driver and CuPy: {INSTALL}. device='cpu' always works."
        )
    return import_module("gradx.backends.cupy").BACKEND


def find_problem() -> str | None:
    """Return the first reason why CUDA cannot be used, None where it can; never raise."""
    for check in CHECKS:
        try:
            reason = check()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if reason is not None:
            return reason
    return None


def _find_two_wheels() -> str | None:
    wheels = [wheel for wheel in WHEELS if _is_installed(wheel)]
    if len(wheels) < 2:
        return None
    return (
        f"{' and '.join(wheels)} are both installed and overwrite each other's files; "
        f"first run pip uninstall -y {' '.join(wheels)}"
    )


def _is_installed(distribution: str) -> bool:
    # Imported here because it takes 15 ms, and most programs never come here.
    metadata = import_module("importlib.metadata")
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _find_import_failure() -> str | None:
    try:
        import_module("cupy")
    except ModuleNotFoundError as error:
        if error.name == "cupy":
            return "CuPy is not installed"
        return f"CuPy cannot be imported ({error})"
    except Exception as error:
        # CuPy frames its own diagnosis in rules and blank lines.
        lines = [line.strip() for line in str(error).splitlines() if line.strip(" =")]
        return f"CuPy cannot be imported ({lines[-1] if lines else repr(error)})"
    return None


def _find_wrong_build() -> str | None:
    cupy = import_module("cupy")
    if int(cupy.__version__.partition(".")[0]) < OLDEST_CUPY:
        return f"CuPy {cupy.__version__} is older than {OLDEST_CUPY}"
    if getattr(cupy.cuda.runtime, "is_hip", False):
        return "this CuPy is built for ROCm, not for CUDA"
    return None


def _find_missing_driver() -> str | None:
    # 0 stands for no driver at all; asking for devices would say "insufficient".
    if import_module("cupy").cuda.runtime.driverGetVersion() == 0:
        return "no NVIDIA driver was found (libcuda.so.1)"
    return None


def _find_missing_device() -> str | None:
    runtime = import_module("cupy").cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except Exception as error:
        supported, built = map(
            _cuda_version, (runtime.driverGetVersion(), runtime.runtimeGetVersion())
        )
        return f"{error} (the driver supports CUDA {supported}, CuPy is built for CUDA {built})"
    if count == 0:
        return "the NVIDIA driver shows no device (see CUDA_VISIBLE_DEVICES and nvidia-smi)"
    return None


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _find_missing_library() -> str | None:
    # It comes with CuPy from PyPI; a CuPy without it finds its libraries by itself.
    try:
        pathfinder = import_module("cuda.pathfinder")
    except ImportError:
        return None
    for library in LIBRARIES:
        try:
            pathfinder.load_nvidia_dynamic_lib(library)
        except Exception as error:
            return f"the CUDA library {library} was not found ({type(error).__name__})"
    return None


CHECKS: tuple[Callable[[], str | None], ...] = (
    _find_two_wheels,
    _find_import_failure,
    _find_wrong_build,
    _find_missing_driver,
    _find_missing_device,
    _find_missing_library,
)
