"""The script for a machine with a GPU: what can be known of it on one without."""

import contextlib
import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optree
import pytest

from gradx.backends import cuda as selector
from gradx.backends.companions import FUNCTIONS
from gradx.backends.numpy import BACKEND as NUMPY
from gradx.core.op import OPS
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import cuda as cuda
from tests.test_cuda_replay import products_are_recorded as products_are_recorded

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """The script itself."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("gpu")


@pytest.fixture
def parts(cuda, monkeypatch):
    """The parts, with networks that a processor trains in no time."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("_gpu_parts")
    small = ((6, 5, 3), 4)
    for name in ("SMALL", "LARGE", "TINY"):
        monkeypatch.setattr(module, name, small)
    monkeypatch.setattr(module, "SIZES", {"small": small, "large": small})
    monkeypatch.setattr(module, "microseconds", lambda step: float(step() is not None) + 1)
    monkeypatch.setattr(module, "MANY", 1000)
    monkeypatch.setattr(module, "backend_for_device", lambda device: (cuda.backend, None))
    return module


# Each part in a process, within its time


def playing(script, monkeypatch, programs, together=()):
    """Let parts be small programs, which are given the file for their record."""
    command = lambda name, record, seconds: [sys.executable, "-c", programs[name], str(record)]
    monkeypatch.setattr(script, "command_of", command)
    monkeypatch.setattr(script, "PARTS", dict.fromkeys(programs, 6))
    monkeypatch.setattr(script, "TOGETHER", together)


WRITES = "import sys, json, time; print('said', flush=True); open(sys.argv[1], 'w').write("
GOOD = WRITES + "json.dumps({'a': 1, 'done': True}))"
PARTLY = WRITES + "json.dumps({'a': 1})) and time.sleep(60)"
HANGS = "import subprocess; subprocess.run(['sleep', '60'])"
MEETS = (
    "import sys, time, json, pathlib; mine = pathlib.Path(sys.argv[1]);"
    "mine.with_suffix('.here').touch();"
    "[time.sleep(0.05) for _ in range(80) if len(list(mine.parent.glob('*.here'))) < 2];"
    "mine.write_text(json.dumps({'met': len(list(mine.parent.glob('*.here'))), 'done': True}))"
)


def test_part_that_fails_or_hangs_takes_no_other_with_it(script, monkeypatch, tmp_path, capsys):
    crash = "raise SystemExit(3)"
    programs = {"good": GOOD, "crash": crash, "hangs": HANGS, "partly": PARTLY, "again": GOOD}
    playing(script, monkeypatch, programs)

    began = time.monotonic()
    failed = script.main(["--out", str(tmp_path / "new" / "folder")])

    records = json.loads((tmp_path / "new" / "folder" / "gpu.json").read_text())
    assert failed == 3
    assert time.monotonic() - began < 30
    assert records == {
        "good": {"a": 1},
        "crash": {"failed": "it ended with status 3 and no whole record; see gpu.log"},
        "hangs": {"failed": "not done after 6 s; see gpu.log"},
        "partly": {"failed": "not done after 6 s; see gpu.log", "a": 1},
        "again": {"a": 1},
    }
    files = {path.name: path.read_text() for path in (tmp_path / "new" / "folder").iterdir()}
    assert set(files) == {"gpu.json", "gpu.log", "gpu.md"}
    assert files["gpu.log"].startswith("===== good\nsaid\n===== crash\n")
    assert "## Partly\n\n**Failed: not done after 6 s; see gpu.log**" in files["gpu.md"]
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_part_that_is_ended_while_it_writes_leaves_what_it_wrote_before(
    script, monkeypatch, tmp_path
):
    half = f"{WRITES}json.dumps({{'a': 1}})); time.sleep(2); open(sys.argv[1], 'w').write('{{'); "
    playing(script, monkeypatch, {"half": half + "time.sleep(60)"})

    script.main(["--out", str(tmp_path)])

    record = json.loads((tmp_path / "gpu.json").read_text())["half"]
    assert record == {"failed": "not done after 6 s; see gpu.log", "a": 1}


def test_parts_that_only_check_run_at_once_after_all_others(script, monkeypatch, tmp_path):
    programs = {"first": MEETS, "second": MEETS, "measured": GOOD}
    playing(script, monkeypatch, programs, together={"first", "second"})

    failed = script.main(["--out", str(tmp_path)])

    records = json.loads((tmp_path / "gpu.json").read_text())
    assert failed == 0
    assert list(records) == ["measured", "first", "second"]
    assert records["first"] == records["second"] == {"met": 2}


def test_what_was_found_is_in_the_files_while_a_part_runs(script, monkeypatch, tmp_path):
    playing(script, monkeypatch, {"good": GOOD, "partly": PARTLY})
    monkeypatch.setattr(script, "EVERY", 0.2)
    seen = []
    sleep = time.sleep

    def looking(seconds):
        sleep(seconds)
        if (tmp_path / "gpu.json").exists():
            seen.append(json.loads((tmp_path / "gpu.json").read_text()))

    monkeypatch.setattr(script.time, "sleep", looking)

    script.main(["--out", str(tmp_path)])

    assert {"good": {"a": 1}, "partly": {"failed": "not done yet", "a": 1}} in seen


def test_script_that_is_ended_ends_its_parts_and_keeps_what_they_found(tmp_path):
    folder, text = tmp_path / "out", f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
    text += "import gpu\ngpu.PARTS = {'partly': 60}\ngpu.signal.signal(gpu.signal.SIGTERM, "
    text += f"lambda *_: sys.exit(143))\nprogram = {PARTLY!r}\n"
    text += "gpu.command_of = lambda name, at, s: [sys.executable, '-c', program, str(at)]\n"
    text += f"gpu.main(['--out', {str(folder)!r}])"
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: '"a": 1' in (folder / "gpu.json").read_text())
        process.terminate()

        assert process.wait(timeout=20) == 143
    finally:
        process.kill()
        process.wait()

    assert json.loads((folder / "gpu.json").read_text())["partly"]["a"] == 1
    assert "said" in (folder / "gpu.log").read_text()


def wait_until(holds, seconds=60):
    """Wait for what becomes true; what it cannot read yet does not hold yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if holds():
                return
        time.sleep(0.05)
    raise AssertionError(f"it did not hold within {seconds} s")


def test_parts_that_time_runs_out_for_are_told(script, monkeypatch, tmp_path):
    playing(script, monkeypatch, {"good": GOOD, "other": GOOD})

    failed = script.main(["--out", str(tmp_path), "--minutes", "0.01"])

    records = json.loads((tmp_path / "gpu.json").read_text())
    assert failed == 2
    assert set(records) == {"good", "other"}
    assert {one["failed"] for one in records.values()} == {"time ran out before it began"}


def test_unknown_part_is_named(script, tmp_path, capsys):
    with pytest.raises(SystemExit):
        script.main(["--out", str(tmp_path), "--only", "environment,speed"])

    assert "no part 'speed': there are environment" in capsys.readouterr().err


def test_what_is_measured_leaves_time_for_the_tests(script):
    assert sum(script.ALONE.values()) < 8 * 60
    assert "suite" in script.TOGETHER


@pytest.mark.skipif(selector.find_problem() is None, reason="there is a GPU")
def test_every_part_says_in_one_line_that_there_is_no_gpu(script, tmp_path):
    names = ["environment", "ops", "suite"]
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--out", str(tmp_path)]

    found = subprocess.run([*command, "--only", ",".join(names)], capture_output=True, text=True)

    assert found.returncode == 1
    assert found.stderr == ""
    said = dict(line.split(": ", 1) for line in found.stdout.splitlines())
    assert set(said) == set(names)
    assert all(why.startswith("it takes an NVIDIA GPU and CuPy: ") for why in said.values())


# What parts do


@needs_compiler
def test_every_part_is_a_function(script, parts):
    assert all(callable(getattr(parts, name)) for name in script.PARTS)


@needs_compiler
def test_replay_has_the_numbers_of_eager_steps_and_of_the_cpu(parts):
    record = parts.replay()

    assert record["relative to eager"] < 1e-6
    assert record["in place, relative to eager"] < 1e-6
    assert record["relative to the CPU"] < 1e-5


@needs_compiler
def test_steps_run_at_each_precision(parts):
    record = parts.steps_of_gradx()

    assert set(record) == {f"{n}, {p}" for n in ("small", "large") for p in parts.PRECISIONS}
    assert all(
        set(one) == {"gradx eager", "gradx compile", "gradx compile, arguments kept"}
        for one in record.values()
    )


@needs_compiler
def test_way_that_fails_takes_no_other_with_it(parts):
    ways = {"works": lambda: lambda: 1, "fails": lambda: 1 / 0}

    record = parts._steps(lambda training, precision: ways)

    one = {"works": 2.0, "fails": "ZeroDivisionError: division by zero"}
    assert record == {f"{n}, {p}": one for n in ("small", "large") for p in parts.PRECISIONS}


@needs_compiler
def test_ops_that_are_wrong_are_told(parts, cuda, monkeypatch):
    checks = importlib.import_module("_gpu_checks")
    backends = {"cpu": (NUMPY, None), "cuda": (cuda.backend, None)}
    monkeypatch.setattr(checks, "backend_for_device", backends.__getitem__)
    scaled = lambda b, by: b.xp.exp(b.from_numpy(np.ones(3), b.devices()[0])) * by

    good = checks.wrongs(OPS["exp"])
    differs = checks.compared("exp", lambda b: scaled(b, 1.0 if b is NUMPY else 1.001))
    shaped = checks.compared("exp", lambda b: scaled(b, 1.0)[: 3 if b is NUMPY else 2])
    raises = checks.compared("exp", lambda b: scaled(b, 1.0) if b is NUMPY else b.missing)

    assert set(good) == {""}
    assert differs == "differs exp: by 1.0e-03"
    assert shaped == "differs exp: float64 (2,), expected float64 (3,)"
    assert raises.startswith("raises exp: AttributeError: 'Backend' object has no")
    text = "\n".join(["right sin", differs, "Traceback", "KeyError: 1"])
    assert checks.told([text]) == {"right": 1, "wrong": [differs, "KeyError: 1"]}


@needs_compiler
def test_kernels_are_compared_with_float64(parts, monkeypatch):
    checks = importlib.import_module("_gpu_checks")
    few = {"softmax": (checks.CASES["softmax, long rows"][0], ((3, 5),)), "fails": (None, ())}
    monkeypatch.setattr(checks, "CASES", few)

    record = parts.kernels()

    assert record["softmax"] < 1e-6
    assert record["softmax, compiled"] < 1e-6
    assert record["fails"].startswith("DTypeError")
    assert record["uniform"] == record["permutation"] == "same bits"


@needs_compiler
def test_steps_of_larger_models_are_timed(parts, monkeypatch):
    models = importlib.import_module("_gpu_models")
    way = lambda name: lambda suite: {name: lambda: lambda: suite.WORK}
    monkeypatch.setattr(models, "ways", way("gradx compile"))

    assert parts.models() == {name: {"gradx compile": 2.0} for name in models.SUITES}


@pytest.mark.parametrize("name", ["_cnn", "_transformer"])
def test_larger_models_have_the_same_step_compiled(script, name):
    suite = importlib.import_module(name)

    steps = [suite.gradx_step(compiled=how) for how in (False, True)]

    eager, compiled = (optree.tree_leaves(step()) for step in steps)

    for one, other in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_network_is_trained_in_mixed_precision(script, monkeypatch):
    models = importlib.import_module("_gpu_models")
    monkeypatch.setattr(models, "WIDTHS", (20, 30, 10))
    monkeypatch.setattr(models, "BATCH", 64)

    plain, mixed = (models.fitted(precision, "cpu") for precision in (None, "fp16"))

    assert plain["loss of epoch 3"] < plain["loss of epoch 1"]
    assert mixed["loss of epoch 3"] == pytest.approx(plain["loss of epoch 3"], rel=1e-3)


@needs_compiler
def test_small_step_is_taken_in_both_ways(parts):
    eager, compiled = parts.small_step()["losses"]

    assert eager == pytest.approx(compiled, rel=1e-5)


@needs_compiler
def test_bandwidth_is_measured_of_the_chain_and_of_adam(parts):
    assert set(parts.bandwidth()) >= {"copy", "fused chain", "adam", "adam / copy"}


@needs_compiler
def test_failure_of_a_part_is_its_record(parts, monkeypatch):
    monkeypatch.setattr(parts, "replay", lambda: 1 / 0)
    monkeypatch.setattr(parts.cuda, "find_problem", lambda: None)

    record = parts.recorded("replay", 10)

    assert record["failed"] == "ZeroDivisionError: division by zero"
    assert "seconds" in record


# Ops that no CUDA graph holds: numbers decide their shapes, or whether they are right.
# What CuPy has no function for goes through the host.
READ_NUMBERS = {
    "checked_labels",
    *[name for name, op in OPS.items() if op.sizes_vary],
    *[
        name
        for name, op in OPS.items()
        if name not in FUNCTIONS and "through_numpy" in op.forward.__code__.co_names
    ],
}
# Nor those whose libraries refuse.
REFUSED = {
    *("cholesky", "cofactors", "det", "eigvals", "eigvalsh", "expm", "inv", "pseudo_inverse"),
    *("solve", "solve_stein", "svdvals", "truncated_inverse"),
}


@needs_compiler
def test_ops_are_captured_on_the_played_device_but_those_that_read_numbers(parts):
    every = 10  # of all; what is compiled for one takes a second
    record = parts.capture(every)

    # The played device has no functions of cupyx, and its `stack` of nothing is NumPy's.
    absent = {name for name, said in record["not captured"].items() if "cupyx" in said}
    refused = record["not captured"].keys() - absent
    assert refused <= READ_NUMBERS | REFUSED, refused
    assert record["captured"] + len(record["not captured"]) > 0.8 * len(OPS) / every
    assert record["captured"] >= 150 / every


# What other programs tell


@pytest.fixture
def programs(script):
    """The module that runs other programs, which is found beside the script."""
    return importlib.import_module("_gpu_programs")


def test_times_of_kernels_are_read_from_the_profilers_table(programs):
    heads = "ID", "Kernel Name", "Block Size", "Grid Size", "Metric Unit", "Metric Value"
    rows = [heads, ("0", "copies", "(256, 1, 1)", "(1, 2, 1)", "ns", "2,592")]
    table = [",".join(f'"{one}"' for one in row) for row in rows]

    found = programs.times_in(["==PROF== Connected", *table, ""])

    assert found == ["copies (1, 2, 1) x (256, 1, 1): 2,592 ns"]


def test_examples_tell_how_they_went(programs, monkeypatch, tmp_path):
    texts = {
        "runs.py": "import sys; print(sys.argv[1:])",
        "quick.py": "import sys; print(sys.argv[-1])  # knows --quick",
        "lacks.py": "raise type('DatasetError', (Exception,), {})('a is not installed: b')",
        "wrong.py": "raise ValueError('no')",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(programs, "EXAMPLES", tmp_path)
    kept = []

    found = programs.examples(lambda record: kept.append(len(record)))

    assert found["failed"] == "1 examples: wrong.py"
    assert found["runs.py"] == "runs: ['--device', 'cuda']"
    assert found["quick.py"] == "runs: --quick"
    assert found["lacks.py"] == "left out: a is not installed: b"
    assert found["wrong.py"].endswith("ValueError: no")
    assert kept == [1, 2, 3, 4]
