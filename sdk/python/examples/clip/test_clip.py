import pytest
from clip import Clip

from tiegel.plugin import Batch, InvalidConfig
from tiegel.plugin.testing import Harness


def test_values_above_the_limit_become_it() -> None:
    prices = Batch.of(price=("float64", [1.0, 9.0, None]))
    harness = Harness(Clip, {"max": 5})
    assert harness.transform(prices).to_dict() == {"price": [1.0, 5.0, None]}
    harness.check_row_wise(prices)


def test_a_limit_is_needed() -> None:
    with pytest.raises(InvalidConfig, match="the field `max` is missing"):
        Harness(Clip).transform(Batch.of(price=("float64", [1.0])))
