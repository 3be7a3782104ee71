use crate::db::{Column, Insert, Tx, Value};
use crate::testing::store_tests;
use crate::{Store, StoreError};

const PAIRS: Insert<'_> = Insert {
    table: "schema_migrations",
    columns: &["version", "name", "checksum"],
    on_conflict: "ON CONFLICT (version) DO UPDATE SET name = excluded.name",
};

async fn names(store: &Store) -> Vec<String> {
    let sql = "SELECT name FROM schema_migrations WHERE version >= $1 ORDER BY version";
    store.query(move |tx| tx.rows(sql, &[1_000_i64.into()], |row| row.text(0))).await.unwrap()
}

async fn put(store: &Store, version: i64, name: &'static str) -> Result<u64, StoreError> {
    let operation = move |tx: &mut Tx<'_>| {
        let done = tx.insert(
            &PAIRS,
            &[Column::Int(vec![version]), Column::Text(vec![name]), Column::Same(Value::Text(Some("sum")), 1)],
        )?;
        if name == "refused" { Err(StoreError::Invalid("refused".to_owned())) } else { Ok(done) }
    };
    store.transact(operation).await
}

store_tests! {
    async fn an_operation_that_fails_takes_nothing_with_it(store) {
        let all = futures_of(&store).await;
        assert_eq!(all.iter().filter(|done| done.is_ok()).count(), 63);
        assert_eq!(names(&store).await.len(), 63);
    }

    async fn an_operation_that_panics_answers_and_leaves_the_writer_alive(store) {
        let died: Result<(), _> = store.transact(|tx| {
            tx.execute("INSERT INTO schema_migrations VALUES (2000, 'half', '')", &[])?;
            panic!("on purpose");
        }).await;
        assert!(matches!(died, Err(StoreError::Engine(_))), "{died:?}");
        put(&store, 1_000, "whole").await.unwrap();
        assert_eq!(names(&store).await, ["whole"]);
    }

    async fn many_rows_go_in_at_once_and_update_on_conflict(store) {
        put(&store, 1_001, "old").await.unwrap();
        let versions: Vec<i64> = (1_000..1_500).collect();
        let texts: Vec<String> = versions.iter().map(|v| format!("n{v}")).collect();
        let done = store.transact(move |tx| {
            let names = Column::Text(texts.iter().map(String::as_str).collect());
            tx.insert(&PAIRS, &[Column::Int(versions), names, Column::Same("sum".into(), 500)])
        }).await.unwrap();
        assert_eq!(done, 500);
        assert_eq!(names(&store).await[..2], ["n1000", "n1001"]);
    }

    async fn a_reader_cannot_write(store) {
        let refused = store.query(|tx| tx.execute("DELETE FROM schema_migrations", &[])).await;
        assert!(matches!(refused, Err(StoreError::Engine(_) | StoreError::Database(_))), "{refused:?}");
    }

    async fn a_nul_is_refused_by_name(store) {
        let refused = put(&store, 1_000, "nul \0").await.unwrap_err();
        assert!(refused.to_string().contains("NUL"), "{refused}");
    }

    async fn placeholders_count_by_number(store) {
        let sql = "SELECT CAST($2 AS TEXT), CAST($1 AS BIGINT)";
        let row = store.query(move |tx| tx.row(sql, &[Value::from(7_i64), "x".into()], |row| Ok((row.text(0)?, row.int(1)?)))).await;
        assert_eq!(row.unwrap(), Some(("x".to_owned(), 7)));
    }
}

/// 64 writers at once, one of which is refused.
#[expect(clippy::disallowed_methods, reason = "the test waits for them all")]
async fn futures_of(store: &Store) -> Vec<Result<u64, StoreError>> {
    let tasks: Vec<_> = (0..64)
        .map(|at| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, 1_000 + at, if at == 40 { "refused" } else { "fine" }).await })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}
