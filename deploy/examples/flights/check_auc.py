"""Recomputes the model's test AUC from the endpoint's own answers, and compares it with what the platform reported.

Needs a server on which the demo ran, and scikit-learn (`.venv/bin/python` after `make python`). Exit code 1 where the
two differ by more than 1e-6 or where the AUC is below 0.70.
"""

import argparse
import csv
import io
import sys

import requests
from sklearn.metrics import roc_auc_score

ENDPOINT = "flights-delay"
TABLE = "features.joined"
TARGET = "late"
PAGE_ROWS = 50_000
BATCH_ROWS = 1_000
DIFFERENCE_MAX = 1e-6
AUC_MIN = 0.70
TIMEOUT_SECONDS = 120


def stored_rows(session, url):
    """Yields the rows of the joined table, before any fitted step, as dictionaries of texts."""
    offset = 0
    while True:
        answer = session.get(
            f"{url}/api/v1/projects/default/datasets/{TABLE}/rows",
            params={"limit": PAGE_ROWS, "offset": offset},
            headers={"accept": "text/csv"},
            timeout=TIMEOUT_SECONDS,
        )
        answer.raise_for_status()
        page = list(csv.DictReader(io.StringIO(answer.text)))
        yield from page
        if len(page) < PAGE_ROWS:
            return
        offset += PAGE_ROWS


def request_row(row, inputs):
    """Keeps the endpoint's inputs: empty is null, numbers are numbers, texts and times stay texts."""
    values = {}
    for name, datatype in inputs.items():
        text = row[name]
        if text == "":
            values[name] = None
        elif datatype == "BYTES" or not is_number(text):
            values[name] = text
        else:
            values[name] = float(text) if datatype.startswith("FP") else int(text)
    return values


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def predict(session, url, rows):
    """The endpoint's answers for the rows, in their order."""
    predictions = []
    for start in range(0, len(rows), BATCH_ROWS):
        answer = session.post(
            f"{url}/api/v1/endpoints/{ENDPOINT}/predict",
            json={"rows": rows[start : start + BATCH_ROWS]},
            timeout=TIMEOUT_SECONDS,
        )
        if not answer.ok:
            sys.exit(f"error: predict answered {answer.status_code}: {answer.text}")
        predictions += answer.json()["predictions"]
    return predictions


def reported_auc(session, url):
    """The test AUC of the newest finished run."""
    answer = session.get(f"{url}/api/v1/overview", timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    runs = [r for r in answer.json()["runs"] if r["status"] == "FINISHED" and "test_auc" in r["metrics"]]
    if not runs:
        sys.exit("error: no finished run reports test_auc")
    return max(runs, key=lambda run: run["start_ms"])["metrics"]["test_auc"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="http://127.0.0.1:8484")
    url = parser.parse_args().server.rstrip("/")
    session = requests.Session()

    metadata = session.get(f"{url}/v2/models/{ENDPOINT}", timeout=TIMEOUT_SECONDS)
    metadata.raise_for_status()
    inputs = {tensor["name"]: tensor["datatype"] for tensor in metadata.json()["inputs"]}
    test = [row for row in stored_rows(session, url) if row["split"] == "test"]
    targets = [row[TARGET] == "true" for row in test]
    predictions = predict(session, url, [request_row(row, inputs) for row in test])

    auc = roc_auc_score(targets, predictions)
    reported = reported_auc(session, url)
    print(f"{len(test)} test rows: AUC {auc:.6f} from the endpoint's answers, {reported:.6f} reported by the platform")
    if abs(auc - reported) > DIFFERENCE_MAX:
        sys.exit(f"error: they differ by {abs(auc - reported):.2g}, more than {DIFFERENCE_MAX}")
    if auc < AUC_MIN:
        sys.exit(f"error: below {AUC_MIN}")


if __name__ == "__main__":
    main()
