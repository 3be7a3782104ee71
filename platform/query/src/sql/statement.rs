//! What a user may write: one SELECT over tables by name, and nothing that reaches beyond them.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{Query, Select, SetExpr, Statement as SqlStatement, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use tiegel_engine::TableError;

use crate::error::{from_datafusion, invalid, shown};

/// A parsed SELECT, or an EXPLAIN of one.
pub(crate) struct Select1 {
    pub statement: Statement,
    /// The tables that it names, common table expressions left out; sorted.
    pub tables: Vec<String>,
}

/// Parses a SELECT.
pub(crate) fn parse_select(sql: &str) -> Result<Select1, TableError> {
    let statement = parse_one(sql)?;
    match &statement {
        Statement::Statement(inner) if matches!(**inner, SqlStatement::Query(_)) => checked(statement),
        _ => Err(not_a_select(sql)),
    }
}

/// Parses a SELECT or an EXPLAIN of one.
pub(crate) fn parse_exploration(sql: &str) -> Result<Select1, TableError> {
    let statement = parse_one(sql)?;
    let inner = match &statement {
        Statement::Explain(explain) => &*explain.statement,
        other => other,
    };
    match inner {
        Statement::Statement(inner) if matches!(**inner, SqlStatement::Query(_)) => checked(statement),
        _ => Err(not_a_select(sql)),
    }
}

fn parse_one(sql: &str) -> Result<Statement, TableError> {
    let planning = |error| from_datafusion(&error);
    let parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build().map_err(planning)?;
    let mut statements = { parser }.parse_statements().map_err(planning)?;
    match (statements.pop_front(), statements.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(invalid("the SQL is empty: write one SELECT")),
        (Some(_), more) => Err(invalid(format!("there are {} statements: write one SELECT", more + 1))),
    }
}

fn not_a_select(sql: &str) -> TableError {
    let word = sql.split_whitespace().next().unwrap_or_default().to_uppercase();
    invalid(format!("{} is not allowed here: write one SELECT", shown(&word)))
}

fn checked(statement: Statement) -> Result<Select1, TableError> {
    let inner = match &statement {
        Statement::Explain(explain) => &*explain.statement,
        other => other,
    };
    if let Statement::Statement(sql) = inner
        && let ControlFlow::Break(refused) = sql.visit(&mut Refusals)
    {
        return Err(invalid(format!("{refused} is not allowed here: write one SELECT over tables by name")));
    }
    let (tables, _) = resolve_table_references(&statement, true).map_err(|error| from_datafusion(&error))?;
    let mut tables: Vec<String> = tables.iter().map(table_name).collect();
    tables.sort();
    tables.dedup();
    Ok(Select1 { statement, tables })
}

/// `features.joined` is one table's name, quoted or not.
fn table_name(reference: &datafusion::common::TableReference) -> String {
    [reference.catalog(), reference.schema(), Some(reference.table())]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(".")
}

/// Breaks with the words for whatever a SELECT must not hold.
struct Refusals;

impl Visitor for Refusals {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("FOR UPDATE".into());
        }
        match &*query.body {
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                ControlFlow::Break("a statement that writes".into())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        if select.into.is_some() { ControlFlow::Break("SELECT INTO".into()) } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        match factor {
            TableFactor::Table { args: None, .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { .. } => ControlFlow::Continue(()),
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
                ControlFlow::Break(format!("the table function {name}()"))
            }
            _ => ControlFlow::Break("a table function".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(sql: &str) -> String {
        parse_select(sql).err().expect("it is refused").to_string()
    }

    #[test]
    fn references_are_the_tables_and_not_the_common_table_expressions() {
        let sql = "WITH late AS (SELECT * FROM flights WHERE late), f AS (SELECT * FROM late)
                   SELECT * FROM f JOIN Weather USING (hour) JOIN \"Planes\" ON true
                   WHERE EXISTS (SELECT 1 FROM features.joined) AND x IN (SELECT y FROM \"a.b.c\")";
        assert_eq!(parse_select(sql).unwrap().tables, ["Planes", "a.b.c", "features.joined", "flights", "weather"]);
    }

    #[test]
    fn only_one_select_is_taken() {
        assert_eq!(refusal(""), "the SQL is empty: write one SELECT");
        assert_eq!(refusal("SELECT 1; SELECT 2"), "there are 2 statements: write one SELECT");
        for (sql, word) in [
            ("CREATE TABLE t (a int)", "CREATE"),
            ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "CREATE"),
            ("COPY t TO '/tmp/x.csv'", "COPY"),
            ("drop table t", "DROP"),
            ("INSERT INTO t VALUES (1)", "INSERT"),
            ("SET datafusion.execution.batch_size = 1", "SET"),
            ("SHOW TABLES", "SHOW"),
            ("EXPLAIN SELECT 1", "EXPLAIN"),
        ] {
            assert_eq!(refusal(sql), format!("{word} is not allowed here: write one SELECT"), "{sql}");
        }
    }

    #[test]
    fn nothing_in_a_select_reaches_beyond_its_tables() {
        for (sql, what) in [
            ("SELECT * INTO copy FROM t", "SELECT INTO"),
            ("SELECT * FROM generate_series(1, 1000000000)", "the table function generate_series()"),
            ("SELECT * FROM t WHERE a IN (SELECT * FROM range(1, 3))", "the table function range()"),
            ("SELECT * FROM t FOR UPDATE", "FOR UPDATE"),
            ("WITH x AS (INSERT INTO t VALUES (1)) SELECT * FROM x", "a statement that writes"),
        ] {
            let expected = format!("{what} is not allowed here: write one SELECT over tables by name");
            assert_eq!(refusal(sql), expected, "{sql}");
        }
    }

    #[test]
    fn an_exploration_may_explain_a_select_and_nothing_else() {
        assert_eq!(parse_exploration("EXPLAIN ANALYZE SELECT * FROM t").unwrap().tables, ["t"]);
        for sql in ["EXPLAIN CREATE TABLE x AS SELECT 1", "EXPLAIN COPY t TO 'x'", "DESCRIBE t", "DELETE FROM t"] {
            assert!(parse_exploration(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn a_syntax_error_says_where() {
        let error = refusal("SELECT a FORM t WHERE");
        assert!(error.starts_with("the SQL does not parse: ") && error.contains("line 1"), "{error}");
    }
}
