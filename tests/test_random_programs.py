"""Random programs have one derivative, however it is computed."""

import pytest

from gradx.core.op import OPS
from gradx.core.rules import compile_all_edges
from tests.faults import scaled
from tests.fuzz import check


@pytest.mark.parametrize("number", range(60))
def test_all_modes_and_finite_differences_agree(number):
    assert check(seed=0, number=number, all_ways=True).messages == []


def test_four_ways_at_least_are_compared_and_all_if_asked_for():
    drawn, everything = (check(seed=0, number=0, all_ways=wanted).ways for wanted in (False, True))

    assert len(drawn) >= 4
    assert {way for way in drawn if way.count("over") < 2} <= set(everything)
    assert len(everything) > len(drawn)
    assert {"reverse", "forward"} <= set(drawn)


@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_a_fault_in_a_rule_is_a_disagreement(mode, monkeypatch):
    op = OPS["tanh"]
    monkeypatch.setattr(op, mode, (scaled(getattr(op, mode)[0]),))
    monkeypatch.setattr(op, "all_edges", compile_all_edges(op.vjp, op.signature))

    assert "forward" in check(seed=0, number=0).messages[0]
