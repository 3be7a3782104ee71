use super::*;
use crate::Store;
use crate::testing::store_tests;

async fn failure(store: &Store, migrations: &[Migration]) -> String {
    let mut tx = store.begin().await.unwrap();
    up(&mut tx, store.backend(), migrations).await.unwrap_err().to_string()
}

store_tests! {
    async fn opening_again_changes_nothing(store) {
        store.ensure_project(&"flights".parse().unwrap(), 1).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        up(&mut tx, store.backend(), known(store.backend())).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.projects().await.unwrap().len(), 2);
    }

    async fn a_newer_database_is_refused(store) {
        sqlx::query("INSERT INTO schema_migrations (version, name, checksum) VALUES (99, 'sharding', 'x')")
            .execute(&mut *store.write().await.unwrap())
            .await
            .unwrap();
        let message = failure(&store, known(store.backend())).await;
        assert!(message.contains("migration 99 (sharding)") && message.contains("newer tiegel"), "{message}");
    }

    async fn an_edited_migration_is_refused(store) {
        let edited = [Migration { version: 1, name: "init", sql: "SELECT 1" }];
        let message = failure(&store, &edited).await;
        assert!(message.contains("migration 1 (init)") && message.contains("differs"), "{message}");
    }

    async fn a_failing_migration_leaves_the_database_as_it_was(store) {
        let applied = known(store.backend());
        let copies = applied.iter().map(|known| Migration { version: known.version, name: known.name, sql: known.sql });
        let half = Migration {
            version: applied.len() as i64 + 1,
            name: "half",
            sql: "CREATE TABLE half (a TEXT); CREATE TABLE half (a TEXT);",
        };
        let migrations: Vec<_> = copies.chain([half]).collect();
        failure(&store, &migrations).await;
        let count = sqlx::query("SELECT COUNT(*) AS n FROM schema_migrations").fetch_one(store.read()).await.unwrap();
        assert_eq!(count.try_get::<i64, _>("n").unwrap(), applied.len() as i64);
        assert!(sqlx::query("SELECT a FROM half").fetch_all(store.read()).await.is_err());
    }
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let databases = crate::testing::databases().await;
    let mut columns = Vec::new();
    for (database, sql) in databases.iter().zip([
        "SELECT m.name AS t, c.name AS c FROM sqlite_schema m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
        "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns \
         WHERE table_schema = 'public'",
    ]) {
        let rows = sqlx::query(sql).fetch_all(database.store.read()).await.unwrap();
        let mut names: Vec<_> =
            rows.iter().map(|row| format!("{}.{}", row.get::<&str, _>("t"), row.get::<&str, _>("c"))).collect();
        names.sort();
        columns.push(names);
    }
    assert!(columns[0].contains(&"jobs.lease_until_ms".to_owned()));
    assert_eq!(columns[0], columns[1]);
}
