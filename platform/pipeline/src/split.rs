use serde_json::Value;
use tiegel_context::{OpError, OpResult};
use tiegel_spec::{SplitByColumn, SplitByFraction, SplitByTime, SplitSpec};
use tiegel_types::SPLIT_COLUMN;

/// The step's SQL with the column `split` added.
pub fn with_split(sql: &str, split: &SplitSpec) -> OpResult<String> {
    let case = match (&split.by_time, &split.by_fraction, &split.by_column) {
        (Some(by), None, None) => by_time(by),
        (None, Some(by), None) => by_fraction(by),
        (None, None, Some(by)) => by_column(by)?,
        _ => {
            return Err(OpError::invalid(
                "invalid_split",
                "a split has exactly one of byTime, byFraction and byColumn",
            ));
        }
    };
    let sql = sql.trim().trim_end_matches(';');
    Ok(format!("SELECT *, {case} AS {SPLIT_COLUMN} FROM (\n{sql}\n) AS unsplit"))
}

fn by_time(by: &SplitByTime) -> String {
    let column = identifier(&by.column);
    let time = |text: &str| format!("CAST({} AS TIMESTAMP)", literal(text));
    let validation = match &by.validation_from {
        Some(from) => format!("WHEN {column} >= {} THEN 'validation' ", time(from)),
        None => String::new(),
    };
    format!("CASE WHEN {column} >= {} THEN 'test' {validation}ELSE 'train' END", time(&by.test_from))
}

/// The first 8 hexadecimal digits of a row's MD5 are a number below 2^32: uniform, and the same on every machine.
fn by_fraction(by: &SplitByFraction) -> String {
    let parts: Vec<_> = by.key.iter().map(|c| format!("CAST({} AS VARCHAR)", identifier(c))).collect();
    let hash = format!("substr(md5(concat_ws('|', '{}', {})), 1, 8)", by.seed, parts.join(", "));
    let bound = |share: f64| format!("{:08x}", (share * 4_294_967_296.0).min(4_294_967_295.0) as u32);
    format!(
        "CASE WHEN {hash} < '{}' THEN 'test' WHEN {hash} < '{}' THEN 'validation' ELSE 'train' END",
        bound(by.test),
        bound(by.test + by.validation)
    )
}

fn by_column(by: &SplitByColumn) -> OpResult<String> {
    let column = identifier(&by.column);
    let list = |values: &[Value]| -> OpResult<String> {
        let texts: Vec<_> = values.iter().map(sql_value).collect::<OpResult<_>>()?;
        Ok(texts.join(", "))
    };
    let validation = match by.validation.as_slice() {
        [] => String::new(),
        values => format!("WHEN {column} IN ({}) THEN 'validation' ", list(values)?),
    };
    Ok(format!("CASE WHEN {column} IN ({}) THEN 'test' {validation}ELSE 'train' END", list(&by.test)?))
}

fn sql_value(value: &Value) -> OpResult<String> {
    match value {
        Value::String(text) => Ok(literal(text)),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(OpError::invalid(
            "invalid_split",
            format!("a split value is a text, a number or a boolean, not {other}"),
        )),
    }
}

pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_literal() {
        let by = SplitByColumn { column: "a\"b".into(), validation: vec![], test: vec![Value::from("x' OR 1=1")] };
        assert_eq!(by_column(&by).unwrap(), r#"CASE WHEN "a""b" IN ('x'' OR 1=1') THEN 'test' ELSE 'train' END"#);
    }

    #[test]
    fn a_time_split_names_test_first_so_that_no_row_is_in_two() {
        let by = SplitByTime {
            column: "t".into(),
            validation_from: Some("2013-09-01".into()),
            test_from: "2013-11-01".into(),
        };
        let expected = "CASE WHEN \"t\" >= CAST('2013-11-01' AS TIMESTAMP) THEN 'test' \
                        WHEN \"t\" >= CAST('2013-09-01' AS TIMESTAMP) THEN 'validation' ELSE 'train' END";
        assert_eq!(by_time(&by), expected);
    }

    #[test]
    fn fractions_become_bounds_of_a_32_bit_hash() {
        let by = SplitByFraction { key: vec!["id".into()], seed: 7, validation: 0.25, test: 0.25 };
        let sql = by_fraction(&by);
        assert!(sql.contains("< '40000000' THEN 'test'") && sql.contains("< '80000000' THEN 'validation'"), "{sql}");
    }
}
