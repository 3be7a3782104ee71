"""Prints scikit-learn's measures of fixed cases as JSON: the golden file of the tests of `metrics`.

    pip install scikit-learn==1.9.* && python metrics_reference.py > metrics_reference.json

A measure that scikit-learn defines by convention only (one class, constant target) is left out, as ours is.
"""

import json

import numpy as np
import sklearn
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    log_loss,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)


def binary(name, predictions, targets):
    predictions = np.asarray(predictions, dtype=np.float64)
    targets = np.asarray(targets, dtype=np.float64)
    expected = {
        "log_loss": log_loss(targets, predictions, labels=[0, 1]),
        "accuracy": accuracy_score(targets, predictions > 0.5),
    }
    if targets.any() and not targets.all():
        expected["auc"] = roc_auc_score(targets, predictions)
    if targets.any():
        expected["average_precision"] = average_precision_score(targets, predictions)
    return case(name, "binary", predictions, targets, expected)


def regression(name, predictions, targets):
    predictions = np.asarray(predictions, dtype=np.float64)
    targets = np.asarray(targets, dtype=np.float64)
    expected = {"rmse": mean_squared_error(targets, predictions) ** 0.5}
    if np.ptp(targets) > 0:
        expected["r2"] = r2_score(targets, predictions)
    return case(name, "regression", predictions, targets, expected)


def case(name, task, predictions, targets, expected):
    return {
        "name": name,
        "task": task,
        "predictions": predictions.tolist(),
        "targets": targets.tolist(),
        "expected": {key: float(value) for key, value in expected.items()},
    }


rng = np.random.default_rng(20)
noisy = rng.random(400).round(6)
labels = (noisy + rng.normal(0, 0.4, 400) > 0.6).astype(float)
rare = (rng.random(600) < 0.02).astype(float)
rare[0] = 1.0
skewed = np.clip(0.02 + 0.1 * rare * rng.random(600) + rng.normal(0, 0.01, 600), 0, 1).round(6)
truth = rng.normal(1_000, 50, 300).round(3)

cases = [
    binary("plain", noisy, labels),
    binary("ties", np.round(noisy, 1), labels),
    binary("all scores equal", np.full(50, 0.3), labels[:50]),
    binary("imbalanced", skewed, rare),
    binary("certain and wrong", [0.0, 1.0, 1.0, 0.0, 0.5], [1, 0, 1, 0, 1]),
    binary("perfect", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]),
    binary("reversed", [0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1]),
    binary("only negatives", [0.1, 0.6, 0.4], [0, 0, 0]),
    binary("only positives", [0.1, 0.6, 0.4], [1, 1, 1]),
    binary("one row", [0.7], [1]),
    regression("plain", truth + rng.normal(0, 10, 300).round(3), truth),
    regression("worse than the mean", -truth, truth),
    regression("exact", truth[:20], truth[:20]),
    regression("constant target", [1.0, 2.0, 4.0], [2.0, 2.0, 2.0]),
]
lines = ",\n".join(json.dumps(case) for case in cases)
print(f'{{"scikit-learn": "{sklearn.__version__}", "cases": [\n{lines}\n]}}')
