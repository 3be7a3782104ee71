import math

from standardize import Standardize

from tiegel.plugin import Batch
from tiegel.plugin.testing import Harness


def test_the_training_rows_get_mean_zero_and_variance_one() -> None:
    rows = Batch.of(a=("float32", [float(i) for i in range(500)]), b=("int64", [i * 1_000_003 for i in range(500)]))
    harness = Harness(Standardize)
    harness.fit([rows])
    for column in harness.transform(rows):
        values = [x for x in column.numbers() if x is not None]
        assert abs(math.fsum(values)) < 1e-3
        assert abs(math.fsum(x * x for x in values) / 500 - 1) < 1e-5
    harness.check_row_wise(rows)
