-- What is left to remove of things that are gone: the integer id of a run whose points are still there, or the URI of an
-- artifact folder. Written in the transaction that removes the thing, so that an interrupted removal goes on.
CREATE TABLE gc_leftovers (
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Metrics of logged models that a removed run logged.
CREATE INDEX model_metrics_by_run ON model_metrics (run);
