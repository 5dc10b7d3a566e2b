"""Random programs have one derivative, however it is computed."""

import pytest

from tests.fuzz import check


@pytest.mark.parametrize("number", range(60))
def test_all_modes_and_finite_differences_agree(number):
    assert check(seed=0, number=number, all_ways=True).messages == []
