use serde::{Deserialize, Serialize};
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_pipeline::{Decision, explain};
use tiegel_types::{JobId, StepState};

/// Why a step of a job ran or did not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Why {
    pub step: String,
    pub state: StepState,
    pub lines: Vec<String>,
}

/// `step` may leave the pipeline's name out where that is plain.
pub async fn why(ctx: &Ctx, job: JobId, step: &str) -> OpResult<Why> {
    let steps = ctx.store.steps(job).await?;
    let matches = |name: &str| name == step || name.rsplit(['.', '/']).next() == Some(step);
    let exact = steps.iter().find(|s| s.name == step);
    let Some(row) = exact.or_else(|| steps.iter().find(|s| matches(&s.name))) else {
        let known = steps.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(OpError::NotFound(format!("job {job} has no step '{step}'; its steps are: {known}")));
    };
    let decision: Option<Decision> = row.reason.clone().and_then(|r| serde_json::from_value(r).ok());
    let mut lines = match decision {
        Some(decision) => explain(&decision),
        None if row.state == StepState::Waiting => {
            vec!["it has not started: a step that it needs is not done".to_owned()]
        }
        None => vec!["it stopped before its inputs were known".to_owned()],
    };
    if let Some(error) = &row.error {
        lines.push(format!("then it failed: {error}"));
    }
    Ok(Why { step: row.name.clone(), state: row.state, lines })
}
