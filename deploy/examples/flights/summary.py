"""Prints what a run left, from `tiegel status -o json` on standard input. Fails where the endpoint does not serve."""

import json
import sys

overview = json.load(sys.stdin)
name = "flights-delay"

runs = [run for run in overview["runs"] if run["status"] == "FINISHED"]
if not runs:
    sys.exit("error: no training finished")
newest = max(runs, key=lambda run: run["start_ms"])
print(f"metrics of run {newest['name']} ({newest['run_id']})")
for key, value in sorted(newest["metrics"].items()):
    print(f"  {key:<32} {value:.6g}")

endpoint = next((e for e in overview["endpoints"] if e["name"] == name), None)
if endpoint is None or endpoint["state"] != "ready":
    sys.exit(f"error: endpoint {name} does not serve: {endpoint}")
replay = endpoint["replay"]
if replay is None or not replay["passed"]:
    sys.exit(f"error: the skew replay did not pass: {replay}")
print(f"endpoint {name} serves version {endpoint['live_version']} of {endpoint['model']}")
print(
    f"skew replay: {replay['rows']} stored rows through the request path, feature bytes equal, "
    f"predictions differ by at most {replay['max_prediction_difference'] or 0:.3g}"
)
