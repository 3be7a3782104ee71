//! Runs, as the builder searches them.

use tiegel_search::{Entity, Family, Relation};

use super::entity::{Attribute, Link, Lookup, Searched, Side, Values};

/// The tag that repeats a run's name.
const RUN_NAME: &str = "mlflow.runName";

pub(super) static RUNS: Searched = Searched {
    entity: Entity::Run,
    table: "runs",
    id: "id",
    id_is_text: false,
    scope: "experiment_id",
    stage: Some("lifecycle"),
    condition: None,
    attributes: &[
        Attribute::new("run_id", "t.run_id").found(Lookup::Unique),
        Attribute::new("run_name", "t.name").found(Lookup::Side(Family::Tag, RUN_NAME)),
        Attribute::new("user_id", "t.user_id"),
        Attribute::new("status", "t.status"),
        Attribute::new("artifact_uri", "t.artifact_uri"),
        Attribute::new("start_time", "t.start_ms"),
        Attribute::new("end_time", "t.end_ms").nullable(),
    ],
    columns: &[],
    sides: &[
        (Family::Metric, side("latest_metrics", Values::Number)),
        (Family::Param, side("run_params", Values::Split)),
        (Family::Tag, side("run_tags", Values::Split)),
    ],
    links: &[
        dataset("name", "d.name", Some("d.experiment_id")),
        dataset("digest", "d.digest", Some("d.experiment_id")),
        dataset("context", "l.context", Some("l.experiment_id")),
    ],
};

const fn side(table: &'static str, values: Values) -> Side {
    let scope = Some("experiment_id");
    Side { table, owner: "run", key: "key", is_interned: true, values, scope, latest: None }
}

const fn dataset(property: &'static str, value: &'static str, scope: Option<&'static str>) -> Link {
    let from = "run_datasets AS l JOIN datasets AS d ON d.id = l.dataset";
    Link { relation: Relation::Dataset, property, from, owner: "l.run", value, scope }
}
