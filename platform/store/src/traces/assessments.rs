use super::info::row_of;
use crate::db::{Column, Insert, Row, Tx, Value};
use crate::{Result, Scope, Store, StoreError};

/// What somebody said of a trace: feedback, an expectation, or that it is evidence of an issue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssessmentRow {
    pub assessment_id: String,
    pub trace_id: String,
    /// `feedback`, `expectation` or `issue`.
    pub kind: String,
    pub name: String,
    /// JSON.
    pub value: String,
    /// The value as a number, where it has one.
    pub number: Option<f64>,
    /// Whether the value is a number, and not something that merely counts as one.
    pub is_number: bool,
    /// JSON.
    pub error: Option<String>,
    pub source_type: String,
    pub source_id: Option<String>,
    pub run_id: Option<String>,
    pub span_id: Option<String>,
    pub rationale: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
    /// The assessment that this one replaces.
    pub overrides: Option<String>,
    /// False once another replaces it.
    pub is_valid: bool,
    /// Whether it is about all traces of the session.
    pub is_session_wide: bool,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// What names an assessment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssessmentIds {
    pub trace_id: String,
    pub assessment_id: String,
}

/// Changes an assessment that was read just before; refuses by an error.
pub type AssessmentChange = Box<dyn FnOnce(&mut AssessmentRow) -> Result<()> + Send>;

impl Store {
    /// The assessment that it overrides stops being valid.
    #[tracing::instrument(name = "db.traces.create_assessment", skip_all)]
    pub async fn create_assessment(&self, scope: &Scope, new: AssessmentRow) -> Result<()> {
        let scope = scope.clone();
        self.transact(move |tx| {
            let trace = row_of(tx, &scope, &new.trace_id)?.id;
            if let Some(overridden) = &new.overrides {
                let sql = "UPDATE assessments SET is_valid = 0 WHERE trace = $1 AND assessment_id = $2";
                if tx.execute(sql, &[trace.into(), overridden.into()])? == 0 {
                    return Err(not_found(&new.trace_id, overridden));
                }
            }
            put(tx, trace, &[new], "")
        })
        .await
    }

    #[tracing::instrument(name = "db.traces.assessment", skip_all)]
    pub async fn assessment(&self, scope: &Scope, ids: &AssessmentIds) -> Result<AssessmentRow> {
        let (scope, ids) = (scope.clone(), ids.clone());
        self.query(move |tx| one(tx, &scope, &ids)).await
    }

    /// Answers the changed assessment.
    #[tracing::instrument(name = "db.traces.change_assessment", skip_all)]
    pub async fn change_assessment(
        &self,
        scope: &Scope,
        ids: &AssessmentIds,
        change: AssessmentChange,
    ) -> Result<AssessmentRow> {
        let (scope, ids) = (scope.clone(), ids.clone());
        self.transact(move |tx| {
            let mut row = one(tx, &scope, &ids)?;
            change(&mut row)?;
            let trace = row_of(tx, &scope, &ids.trace_id)?.id;
            put_assessments(tx, trace, std::slice::from_ref(&row))?;
            Ok(row)
        })
        .await
    }

    /// What it overrode is valid again. Deleting what is not there is no error.
    #[tracing::instrument(name = "db.traces.delete_assessment", skip_all)]
    pub async fn delete_assessment(&self, scope: &Scope, ids: &AssessmentIds) -> Result<()> {
        let (scope, ids) = (scope.clone(), ids.clone());
        self.transact(move |tx| {
            let row = match one(tx, &scope, &ids) {
                Err(StoreError::NotFound(_)) => return Ok(()),
                row => row?,
            };
            let gone =
                tx.execute("DELETE FROM assessments WHERE assessment_id = $1", &[(&ids.assessment_id).into()])?;
            if let (Some(overridden), 1) = (&row.overrides, gone) {
                let sql = "UPDATE assessments SET is_valid = 1 WHERE assessment_id = $1";
                tx.execute(sql, &[overridden.into()])?;
            }
            Ok(())
        })
        .await
    }
}

/// With the trace's row in front.
pub(super) const ASSESSMENT_COLUMNS: &str = "a.trace, t.trace_id, a.assessment_id, a.kind, a.name, a.value, a.number, \
     a.is_number, a.error, a.source_type, a.source_id, a.run_id, a.span_id, a.rationale, a.metadata, a.overrides, \
     a.is_valid, a.is_session_wide, a.created_ms, a.updated_ms";

pub(super) const ASSESSMENTS: &str = "assessments AS a JOIN traces AS t ON t.id = a.trace";

pub(super) fn read_assessment(row: &Row<'_>) -> Result<AssessmentRow> {
    Ok(AssessmentRow {
        trace_id: row.text(1)?,
        assessment_id: row.text(2)?,
        kind: row.text(3)?,
        name: row.text(4)?,
        value: row.text(5)?,
        number: row.real_opt(6)?,
        is_number: row.flag(7)?,
        error: row.text_opt(8)?,
        source_type: row.text(9)?,
        source_id: row.text_opt(10)?,
        run_id: row.text_opt(11)?,
        span_id: row.text_opt(12)?,
        rationale: row.text_opt(13)?,
        metadata: row.text_opt(14)?,
        overrides: row.text_opt(15)?,
        is_valid: row.flag(16)?,
        is_session_wide: row.flag(17)?,
        created_ms: row.int(18)?,
        updated_ms: row.int(19)?,
    })
}

/// Writes these as they are, over those of the same ids.
pub(super) fn put_assessments(tx: &mut Tx<'_>, trace: i64, rows: &[AssessmentRow]) -> Result<()> {
    put(
        tx,
        trace,
        rows,
        "ON CONFLICT (assessment_id) DO UPDATE SET kind = excluded.kind, name = excluded.name, value = excluded.value, \
         number = excluded.number, is_number = excluded.is_number, error = excluded.error, \
         source_type = excluded.source_type, source_id = excluded.source_id, run_id = excluded.run_id, \
         span_id = excluded.span_id, rationale = excluded.rationale, metadata = excluded.metadata, \
         overrides = excluded.overrides, is_valid = excluded.is_valid, is_session_wide = excluded.is_session_wide, \
         created_ms = excluded.created_ms, updated_ms = excluded.updated_ms",
    )
}

fn put(tx: &mut Tx<'_>, trace: i64, rows: &[AssessmentRow], on_conflict: &str) -> Result<()> {
    let texts = |text: fn(&AssessmentRow) -> &str| Column::Text(rows.iter().map(text).collect());
    let options = |text: fn(&AssessmentRow) -> Option<&str>| Column::TextOpt(rows.iter().map(text).collect());
    let ints = |number: fn(&AssessmentRow) -> i64| Column::Int(rows.iter().map(number).collect());
    let columns = [
        ("trace", Column::Same(Value::Int(Some(trace)), rows.len())),
        ("assessment_id", texts(|row| &row.assessment_id)),
        ("kind", texts(|row| &row.kind)),
        ("name", texts(|row| &row.name)),
        ("value", texts(|row| &row.value)),
        ("number", Column::RealOpt(rows.iter().map(|row| row.number).collect())),
        ("is_number", ints(|row| row.is_number.into())),
        ("error", options(|row| row.error.as_deref())),
        ("source_type", texts(|row| &row.source_type)),
        ("source_id", options(|row| row.source_id.as_deref())),
        ("run_id", options(|row| row.run_id.as_deref())),
        ("span_id", options(|row| row.span_id.as_deref())),
        ("rationale", options(|row| row.rationale.as_deref())),
        ("metadata", options(|row| row.metadata.as_deref())),
        ("overrides", options(|row| row.overrides.as_deref())),
        ("is_valid", ints(|row| row.is_valid.into())),
        ("is_session_wide", ints(|row| row.is_session_wide.into())),
        ("created_ms", ints(|row| row.created_ms)),
        ("updated_ms", ints(|row| row.updated_ms)),
    ];
    let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    tx.insert(&Insert { table: "assessments", columns: &names, on_conflict }, &columns)?;
    Ok(())
}

fn one(tx: &mut Tx<'_>, scope: &Scope, ids: &AssessmentIds) -> Result<AssessmentRow> {
    let AssessmentIds { trace_id, assessment_id } = ids;
    let trace = match row_of(tx, scope, trace_id) {
        Err(StoreError::NotFound(_)) => {
            return Err(StoreError::NotFound(format!("Trace with request_id '{trace_id}' not found")));
        }
        other => other?.id,
    };
    let sql = format!("SELECT {ASSESSMENT_COLUMNS} FROM {ASSESSMENTS} WHERE a.assessment_id = $1 AND a.trace = $2");
    let row = tx.row(&sql, &[assessment_id.into(), trace.into()], |row| read_assessment(&row))?;
    row.ok_or_else(|| not_found(trace_id, assessment_id))
}

fn not_found(trace_id: &str, assessment_id: &str) -> StoreError {
    StoreError::NotFound(format!("Assessment with ID '{assessment_id}' not found for trace '{trace_id}'"))
}
