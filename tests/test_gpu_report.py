"""What a machine with a GPU has shown, in Markdown and on its page of the documentation."""

import importlib

from tests.test_gpu_script import BENCHMARKS
from tests.test_gpu_script import script as script

STEPS = {"gradx compile": 50.0, "torch CUDA graph": 60.0, "torch eager": 150.0}


def test_records_are_told_in_markdown(script):
    records = {
        "environment": {"device": "H100", "seconds": 1.5, "cupy": "14.2.0"},
        "steps_of_gradx": {"small, tf32": STEPS},
        "steps_of_torch": {"small, tf32": STEPS | {"torch compile": "Error: a | b"}},
        "bandwidth": {"adam / copy": 0.9},
        "ops": {"failed": "time ran out", "right": 3, "wrong": []},
    }

    text = script.in_markdown(records)

    assert text.startswith("# Shown on H100 (cupy 14.2.0)\n")
    assert ", tf32, beside torch's CUDA graph | 1 | 1.20 | yes |" in text
    assert ", tf32, beside torch eager | 4 | 3.00 | **no** |" in text
    assert ", highest, beside jax.jit | 1 | not measured |  |" in text
    assert "| Adam over 100 M parameters, of the bandwidth of a copy | 0.85 | 0.90 | yes |" in text
    assert "| ops that agree with the CPU | 3 |" in text
    assert "| us a step | gradx compile | torch CUDA graph | torch eager | torch compile |" in text
    assert "| small, tf32 | 50 | 60 | 150 | Error: a \\| b |" in text
    assert "## Ops\n\n**Failed: time ran out**\n\n| what | found |" in text


def test_page_takes_what_was_shown_with_the_name_of_the_device(script, tmp_path):
    report = importlib.import_module("_gpu_report")
    page = (BENCHMARKS.parent / "docs" / "cuda.md").read_text(encoding="utf-8")

    once = report.written(page, {"environment": {"device": "H100"}})
    again = report.written(once, {"environment": {"device": "H200"}})

    before, after = page.split(report.BEGIN)[0], page.split(report.END)[1]
    assert once.startswith(before)
    assert once.endswith(after)
    assert "On H100 ():" in once
    assert "H100" not in again.removeprefix(before)
    assert "On H200 ():" in again


def test_page_has_the_times_of_all_in_one_table(script):
    report = importlib.import_module("_gpu_report")
    records = {
        "steps_of_gradx": {"small": {"gradx compile": 50.0}, "seconds": 3},
        "steps_of_jax": {"failed": "not done", "small": {"jax jit": 60.0}},
        "models": {"CNN": {"gradx compile": 70.0}},
        "precisions": {"fp16": {"us a step": 80, "loss": 0.5}},
    }

    page = report.written(f"{report.BEGIN}{report.END}", records)

    assert "| us a step | gradx compile | jax jit |\n|---|---|---|\n| small | 50 | 60 |" in page
    assert "| us a step | gradx compile |\n|---|---|\n| CNN | 70 |" in page
    assert "| training by `fit` | us a step | loss |\n|---|---|---|\n| fp16 | 80 | 0.5 |" in page
