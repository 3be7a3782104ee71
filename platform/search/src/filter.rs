use crate::grammar::comparisons;
use crate::limits::FILTER_CLAUSES_MAX;
use crate::resolve::clause;
use crate::{Condition, Entity, Family, Field, SearchError};

/// The tag that makes a registered model, or a version of one, a prompt.
const IS_PROMPT: &str = "mlflow.prompt.is_prompt";

/// What records must match: all clauses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub clauses: Vec<Clause>,
    /// Of logged models: only metrics measured on one of these datasets count, and there must be one. Empty: all count.
    pub datasets: Vec<DatasetFilter>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    pub field: Field,
    pub condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFilter {
    pub name: String,
    pub digest: Option<String>,
}

impl Filter {
    /// Parses a filter string as MLflow writes it; an empty one matches all.
    ///
    /// Registered models and versions that are prompts match only where the filter asks for prompts.
    pub fn parse(entity: Entity, text: &str) -> Result<Self, SearchError> {
        let mut clauses = Vec::new();
        if !text.is_empty() {
            for comparison in comparisons(text, entity == Entity::LoggedModel)? {
                clauses.push(clause(entity, &comparison)?);
            }
        }
        if clauses.len() > FILTER_CLAUSES_MAX {
            return Err(SearchError::new(format!(
                "Invalid filter: {} clauses; at most {FILTER_CLAUSES_MAX} are allowed",
                clauses.len()
            )));
        }
        if matches!(entity, Entity::RegisteredModel | Entity::ModelVersion) {
            leave_out_prompts(&mut clauses);
        }
        Ok(Self { clauses, datasets: Vec::new() })
    }

    #[must_use]
    pub fn on_datasets(self, datasets: Vec<DatasetFilter>) -> Self {
        Self { datasets, ..self }
    }
}

/// The first clause about the tag says whether prompts are wanted; where they are not, such clauses say nothing more.
fn leave_out_prompts(clauses: &mut Vec<Clause>) {
    let tag = Field::Keyed(Family::Tag, IS_PROMPT.to_owned());
    let wants_prompts =
        clauses.iter().find(|clause| clause.field == tag).is_some_and(|clause| match &clause.condition {
            Condition::Equal(value) => value.eq_ignore_ascii_case("true"),
            Condition::Differs(value) => value.eq_ignore_ascii_case("false"),
            _ => false,
        });
    if !wants_prompts {
        clauses.retain(|clause| clause.field != tag);
        clauses.push(Clause { field: tag, condition: Condition::Unless("true".to_owned()) });
    }
}

#[cfg(test)]
mod tests;
