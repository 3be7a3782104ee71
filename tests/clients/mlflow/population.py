"""Six runs that differ in every way a search can ask about."""

from wire import Wire

# Name, start, end, status, metrics, params, tags, datasets (name, digest, context).
RUNS = [
    ("a", 100, 150, "FINISHED", {"acc": 0.1, "loss": 9.0}, {"lr": "0.1", "Kind": "x"}, {"team": "red"}, []),
    ("b", 200, 250, "FINISHED", {"acc": 0.2, "loss": "NaN"}, {"lr": "0.2"}, {"team": "Red"}, [("d1", "h1", "train")]),
    ("c", 300, None, "RUNNING", {"acc": 0.3}, {"lr": "0.10"}, {"team": "blue", "x y": "1"}, [("d2", "h2", "test")]),
    ("d", 400, 450, "FAILED", {"loss": 5.0}, {"opt": "adam"}, {"team": "blue%"}, [("d1", "h3", "eval")]),
    ("e", 500, 550, "KILLED", {"acc": "Infinity", "a b/c": 1.0}, {"lr": "0_1"}, {}, []),
    ("f", 600, 650, "FINISHED", {"acc": -1.0, "loss": 5.0}, {"long.name": "it's"}, {"note": 'says "hi"'}, []),
]


class Population:
    """The runs, in an experiment of their own."""

    def __init__(self, api: Wire):
        self.api = api
        self.experiment = api.experiment()
        self.ids = {name: self._create(name, *rest) for name, *rest in RUNS}
        self.names = {run_id: name for name, run_id in self.ids.items()}

    def _create(self, name, start, end, status, metrics, params, tags, datasets) -> str:
        run = self.api.run(self.experiment, run_name=name, start_time=start, user_id="ada" if name < "d" else "bob")
        points = [(key, value, 1, 0) for key, value in metrics.items()]
        self.api.batch(run, points, params.items(), tags.items()).ok()
        if datasets:
            inputs = [
                {
                    "dataset": {"name": data, "digest": digest, "source_type": "s", "source": "u"},
                    "tags": [{"key": "mlflow.data.context", "value": context}],
                }
                for data, digest, context in datasets
            ]
            self.api.post("runs/log-inputs", {"run_id": run, "datasets": inputs}).ok()
        update = {"run_id": run, "status": status} | ({"end_time": end} if end else {})
        self.api.post("runs/update", update).ok()
        return run

    def search(self, filter: str = "", **fields):
        return self.api.search_runs([self.experiment], filter, **fields)

    def found(self, filter: str = "", **fields) -> str:
        """The names of the runs that a search finds, in order."""
        runs = self.search(filter, **fields).ok().get("runs", [])
        return "".join(self.names[run["info"]["run_id"]] for run in runs)
