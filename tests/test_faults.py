"""The planting of faults itself; ``python -m tests.faults`` plants them in every op."""

import pytest

from gradx.core.op import OPS
from tests.faults import KINDS, faults, is_caught, is_reversed_batch_caught


@pytest.mark.parametrize("name", ["sin", "multiply", "sum", "concat"])
def test_planted_faults_are_caught_and_taken_out_again(name):
    op = OPS[name]
    sound = (op.vjp, op.jvp, op.all_edges)
    planted = list(faults([name]))

    assert {fault.kind for fault in planted} >= {"scaled", "dropped"}
    assert [fault for fault in planted if not is_caught(fault)] == []
    assert (op.vjp, op.jvp, op.all_edges) == sound


def test_sound_op_is_not_taken_for_a_faulty_one(monkeypatch):
    fault = next(iter(faults(["sin"])))
    monkeypatch.setitem(KINDS, fault.kind, lambda rule: rule)

    assert not is_caught(fault)


def test_reversed_batch_is_caught():
    assert is_reversed_batch_caught("matmul")
