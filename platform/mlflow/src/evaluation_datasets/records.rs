//! The records of a dataset. Requests and answers carry them as JSON in a text.

use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tiegel_store::evaluation::{NewRecord, RecordPage, RecordRow, RecordsAfter};
use tiegel_types::Digest;

use super::{USER_TAG, digest, texts};
use crate::params::Params;
use crate::proto_json::python_text;
use crate::wire::{Answer, kind};
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult};

/// Records of one request.
const RECORDS_MAX: usize = 50_000;
const PAGE_DEFAULT: i64 = 1_000;
const SOURCE_TYPES: [&str; 5] = ["UNSPECIFIED", "TRACE", "HUMAN", "DOCUMENT", "CODE"];

type Fields = Map<String, Value>;

pub(super) async fn upsert(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(dataset_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let text = params.required_text("records")?;
    let records: Vec<Value> =
        serde_json::from_str(text).map_err(|why| refused(&format!("it must be a JSON list: {why}")))?;
    if records.len() > RECORDS_MAX {
        return Err(refused(&format!("at most {RECORDS_MAX} records are taken at once")));
    }
    let now_ms = state.ctx.now_ms();
    let records: Vec<Record> = records.into_iter().map(Record::read).collect::<MlflowResult<_>>()?;
    let updated_by = records.iter().rev().find_map(Record::user);
    let mut schema = Schema::default();
    records.iter().for_each(|record| schema.add(record));
    let new = records.into_iter().map(|record| record.into_new(&state, now_ms)).collect();
    let after = move |name: &str, known: Option<&str>| RecordsAfter {
        schema: Some(schema.merged(known)),
        digest: digest(name, now_ms),
        updated_by,
        updated_ms: now_ms,
    };
    let (added, changed) = state.ctx.store.put_evaluation_records(&workspace.scope(), &dataset_id, new, after).await?;
    Ok(Answer(json!({ "inserted_count": added, "updated_count": changed })))
}

fn refused(why: &str) -> MlflowError {
    MlflowError::invalid(format!("Invalid value for parameter 'records' supplied: {why}"))
}

/// One record of a request.
struct Record {
    inputs: Fields,
    /// Whether it names outputs at all: null takes them away.
    outputs: Option<Value>,
    expectations: Option<Fields>,
    tags: Option<Fields>,
    source: Option<(&'static str, Fields)>,
}

impl Record {
    fn read(record: Value) -> MlflowResult<Self> {
        let Value::Object(mut fields) = record else {
            return Err(refused(&format!("a record is {}, and must be an object", kind(&record))));
        };
        let mut object = |name: &str| match fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(fields)),
            Some(other) => Err(refused(&format!("a record's {name} are {}, and must be an object", kind(&other)))),
        };
        Ok(Self {
            inputs: object("inputs")?.unwrap_or_default(),
            expectations: object("expectations")?,
            tags: object("tags")?,
            source: object("source")?.map(read_source).transpose()?,
            outputs: fields.remove("outputs"),
        })
    }

    fn user(&self) -> Option<String> {
        Some(self.tags.as_ref()?.get(USER_TAG)?.as_str()?.to_owned())
    }

    fn into_new(self, state: &Mlflow, now_ms: i64) -> NewRecord {
        let input_hash = Digest::of(sorted(&self.inputs).as_bytes()).hex();
        let record_id = format!("dr-{}", state.ctx.new_uuid().simple());
        let hash = input_hash.clone();
        let merge = Box::new(move |old: Option<RecordRow>| match old {
            Some(old) => self.changed(old, now_ms),
            None => self.made(record_id, hash, now_ms),
        });
        NewRecord { input_hash, merge }
    }

    fn made(self, record_id: String, input_hash: String, now_ms: i64) -> RecordRow {
        let user = self.user();
        let object = |fields: Fields| python_text(&Value::Object(fields));
        let outputs = self.outputs.unwrap_or_else(|| json!({}));
        let mut row = RecordRow {
            record_id,
            input_hash,
            inputs: object(self.inputs),
            outputs: Some(outputs).filter(|outputs| !outputs.is_null()).map(|outputs| python_text(&outputs)),
            expectations: self.expectations.map(object),
            tags: Some(object(self.tags.unwrap_or_default())),
            created_ms: now_ms,
            updated_ms: now_ms,
            created_by: user.clone(),
            updated_by: user,
            ..RecordRow::default()
        };
        if let Some((source_type, data)) = self.source {
            let id = data.get(if source_type == "TRACE" { "trace_id" } else { "source_id" });
            row.source_id = id.and_then(Value::as_str).map(str::to_owned);
            row.source_type = Some(source_type.to_owned());
            row.source = Some(python_text(&json!({ "source_type": source_type, "source_data": data })));
        }
        row
    }

    /// Outputs are replaced, expectations and tags are joined.
    fn changed(self, old: RecordRow, now_ms: i64) -> RecordRow {
        let user = self.user();
        let outputs = match self.outputs {
            None => old.outputs.clone(),
            Some(Value::Null) => None,
            Some(outputs) => Some(python_text(&outputs)),
        };
        RecordRow {
            outputs,
            expectations: joined(old.expectations.as_deref(), self.expectations),
            tags: joined(old.tags.as_deref(), self.tags),
            updated_ms: now_ms,
            updated_by: user.or_else(|| old.updated_by.clone()),
            ..old
        }
    }
}

fn joined(old: Option<&str>, new: Option<Fields>) -> Option<String> {
    let Some(new) = new.filter(|new| !new.is_empty()) else { return old.map(str::to_owned) };
    let mut fields: Fields = old.and_then(|old| serde_json::from_str(old).ok()).unwrap_or_default();
    fields.extend(new);
    Some(python_text(&Value::Object(fields)))
}

fn read_source(mut source: Fields) -> MlflowResult<(&'static str, Fields)> {
    let name = source.get("source_type").and_then(Value::as_str).unwrap_or("UNSPECIFIED").to_uppercase();
    let known = SOURCE_TYPES.iter().find(|known| **known == name).ok_or_else(|| {
        let valid: Vec<_> = SOURCE_TYPES.iter().map(|known| format!("'{known}'")).collect();
        MlflowError::invalid(format!(
            "Invalid dataset record source type: {name}. Valid source types: [{}]",
            valid.join(", ")
        ))
    })?;
    let data = match source.remove("source_data") {
        Some(Value::Object(data)) => data,
        _ => Fields::new(),
    };
    Ok((known, data))
}

/// The same text for the same fields in any order.
fn sorted(fields: &Fields) -> String {
    fn sort(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut pairs: Vec<_> = fields.iter().map(|(key, value)| (key.clone(), sort(value))).collect();
                pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
                Value::Object(pairs.into_iter().collect())
            }
            Value::Array(values) => values.iter().map(sort).collect(),
            other => other.clone(),
        }
    }
    python_text(&sort(&Value::Object(fields.clone())))
}

/// The types of the fields that records have; the first record that has a field decides.
#[derive(Default)]
struct Schema {
    inputs: Fields,
    outputs: Fields,
    expectations: Fields,
    /// The type of outputs that are no object.
    plain_outputs: Option<&'static str>,
}

impl Schema {
    fn add(&mut self, record: &Record) {
        add_types(&mut self.inputs, &record.inputs);
        add_types(&mut self.expectations, record.expectations.as_ref().unwrap_or(&Fields::new()));
        match &record.outputs {
            None | Some(Value::Null) => {}
            Some(Value::Object(fields)) => add_types(&mut self.outputs, fields),
            Some(other) => _ = self.plain_outputs.get_or_insert(type_of(other)),
        }
    }

    fn merged(self, known: Option<&str>) -> String {
        let mut known: Fields = known.and_then(|known| serde_json::from_str(known).ok()).unwrap_or_default();
        for (name, new) in [("inputs", self.inputs), ("outputs", self.outputs), ("expectations", self.expectations)] {
            if let Value::Object(fields) = known.entry(name).or_insert_with(|| json!({})) {
                for (key, value) in new {
                    fields.entry(key).or_insert(value);
                }
            }
        }
        if let Some(plain) = self.plain_outputs
            && known["outputs"].as_object().is_some_and(Map::is_empty)
        {
            known.insert("outputs".to_owned(), json!(plain));
        }
        known.entry("version").or_insert_with(|| json!("1.0"));
        python_text(&Value::Object(known))
    }
}

fn add_types(types: &mut Fields, fields: &Fields) {
    for (key, value) in fields {
        types.entry(key.clone()).or_insert_with(|| json!(type_of(value)));
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

pub(super) async fn list(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(dataset_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let asked = params.int("max_results")?.filter(|max| *max != 0).unwrap_or(PAGE_DEFAULT);
    let records_max = usize::try_from(asked).unwrap_or(0).min(RECORDS_MAX);
    let after = params.text("page_token")?.filter(|token| !token.is_empty()).map(read_token).transpose()?;
    let page = RecordPage { dataset_id: dataset_id.clone(), after, records_max };
    let mut rows = state.ctx.store.evaluation_records(&workspace.scope(), page).await?;
    let has_more = rows.len() > records_max;
    rows.truncate(records_max);
    let records: Vec<_> = rows.iter().map(|row| record_json(&dataset_id, row)).collect();
    let mut answer = json!({ "records": python_text(&Value::Array(records)) });
    if let Some(last) = rows.last().filter(|_| has_more) {
        answer["next_page_token"] = json!(STANDARD.encode(format!("{}:{}", last.created_ms, last.record_id)));
    }
    Ok(Answer(answer))
}

fn read_token(token: &str) -> MlflowResult<(i64, String)> {
    let text = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parsed = text.as_deref().and_then(|text| text.split_once(':'));
    let after = parsed.and_then(|(ms, id)| Some((ms.parse().ok()?, id.to_owned())));
    after.ok_or_else(|| MlflowError::invalid("Invalid page token: use the one that the page before answered with"))
}

fn record_json(dataset_id: &str, row: &RecordRow) -> Value {
    let mut fields = Fields::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            fields.insert(key.to_owned(), value);
        }
    };
    let inside =
        |json: &Option<String>| json.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    put("dataset_record_id", json!(row.record_id));
    put("dataset_id", json!(dataset_id));
    put("inputs", inside(&Some(row.inputs.clone())));
    put("expectations", inside(&row.expectations));
    put("tags", inside(&row.tags));
    put("source", inside(&row.source));
    put("source_id", json!(row.source_id));
    put("source_type", json!(row.source_type));
    put("created_time", json!(row.created_ms));
    put("last_update_time", json!(row.updated_ms));
    put("created_by", json!(row.created_by));
    put("last_updated_by", json!(row.updated_by));
    put("outputs", inside(&row.outputs));
    Value::Object(fields)
}

pub(super) async fn remove(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(dataset_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let ids = texts(&params, "dataset_record_ids")?;
    let gone = state.ctx.store.delete_evaluation_records(&workspace.scope(), &dataset_id, ids).await?;
    Ok(Answer(json!({ "deleted_count": gone })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: Value) -> Record {
        Record::read(value).unwrap()
    }

    #[test]
    fn the_order_of_inputs_does_not_matter() {
        let a = record(json!({"inputs": {"a": 1, "b": {"c": 1, "d": [{"e": 1, "f": 2}]}}}));
        let b = record(json!({"inputs": {"b": {"d": [{"f": 2, "e": 1}], "c": 1}, "a": 1}}));
        assert_eq!(sorted(&a.inputs), sorted(&b.inputs));
    }

    #[test]
    fn a_record_that_comes_again_joins_what_is_there() {
        let first =
            record(json!({"inputs": {"q": 1}, "expectations": {"a": 2}, "tags": {"t": "u", "mlflow.user": "ann"}}));
        let row = first.made("dr-1".to_owned(), "h".to_owned(), 5);
        assert_eq!((row.outputs.as_deref(), row.created_by.as_deref()), (Some("{}"), Some("ann")));
        let again = record(
            json!({"inputs": {"q": 1}, "expectations": {"b": 3}, "outputs": null, "tags": {"mlflow.user": "bob"}}),
        );
        let row = again.changed(row, 9);
        assert_eq!(row.expectations.as_deref(), Some(r#"{"a": 2, "b": 3}"#));
        assert_eq!((row.outputs, row.created_ms, row.updated_ms), (None, 5, 9));
        assert_eq!((row.created_by.as_deref(), row.updated_by.as_deref()), (Some("ann"), Some("bob")));
    }

    #[test]
    fn a_source_names_where_a_record_is_from() {
        let from = |source: Value| Record::read(json!({"inputs": {}, "source": source}));
        let row = from(json!({"source_type": "trace", "source_data": {"trace_id": "tr-1"}})).unwrap().made(
            String::new(),
            String::new(),
            1,
        );
        assert_eq!((row.source_type.as_deref(), row.source_id.as_deref()), (Some("TRACE"), Some("tr-1")));
        assert!(from(json!({"source_type": "rumour"})).is_err());
        assert!(Record::read(json!({"inputs": [1]})).is_err() && Record::read(json!(5)).is_err());
    }

    #[test]
    fn the_first_record_with_a_field_decides_its_type() {
        let mut schema = Schema::default();
        schema.add(&record(json!({"inputs": {"q": 1}, "outputs": 6})));
        schema.add(&record(json!({"inputs": {"q": "x", "r": 0.5}, "expectations": {"a": [1]}})));
        let known = r#"{"inputs": {"r": "string"}, "outputs": {}, "expectations": {}, "version": "1.0"}"#;
        let expected = r#"{"inputs": {"r": "string", "q": "integer"}, "outputs": "integer", "expectations": {"a": "array"}, "version": "1.0"}"#;
        assert_eq!(schema.merged(Some(known)), expected);
    }
}
