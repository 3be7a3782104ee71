//! Evaluation datasets, as the builder searches them.

use tiegel_search::{Entity, Family};

use super::entity::{Attribute, Lookup, Searched, Side, Values};

pub(crate) static EVALUATION_DATASETS: Searched = Searched {
    entity: Entity::EvaluationDataset,
    table: "evaluation_datasets",
    id: "dataset_id",
    id_is_text: true,
    scope: "project",
    stage: None,
    condition: None,
    attributes: &[
        Attribute::new("dataset_id", "t.dataset_id").found(Lookup::Unique),
        Attribute::new("name", "t.name"),
        Attribute::new("created_time", "t.created_ms"),
        Attribute::new("last_update_time", "t.updated_ms"),
        Attribute::new("created_by", "t.created_by").nullable(),
        Attribute::new("last_updated_by", "t.updated_by").nullable(),
    ],
    columns: &[],
    sides: &[(
        Family::Tag,
        Side {
            table: "evaluation_dataset_tags",
            owner: "dataset_id",
            key: "key",
            is_interned: false,
            values: Values::Whole("value"),
            scope: None,
            latest: None,
        },
    )],
    links: &[],
};
