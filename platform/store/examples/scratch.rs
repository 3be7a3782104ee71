#![allow(clippy::all, clippy::print_stdout, clippy::unwrap_used, clippy::allow_attributes, clippy::allow_attributes_without_reason)]
use rusqlite::{Connection, params};
use std::time::{Duration, Instant};
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let t: u64 = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|t| t.parse::<u64>().unwrap()).sum();
    Duration::from_millis(t * 10)
}
fn open(path: &str) -> Connection {
    let _ = std::fs::remove_file(path); let _ = std::fs::remove_file(format!("{path}-wal"));
    let c = Connection::open(path).unwrap();
    c.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384;
      CREATE TABLE l (run INTEGER NOT NULL, key INTEGER NOT NULL, experiment_id INTEGER NOT NULL, value REAL NOT NULL, is_nan INTEGER NOT NULL, step INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL, tail INTEGER NOT NULL, PRIMARY KEY (run,key)) STRICT, WITHOUT ROWID;
      CREATE TABLE p (run INTEGER NOT NULL, key INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL, is_nan INTEGER NOT NULL, PRIMARY KEY (run,key,timestamp_ms,step,value,is_nan)) STRICT, WITHOUT ROWID;
      CREATE TABLE b (run INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(run,seq)) STRICT;").unwrap();
    c
}
const INDEX: &str = "CREATE INDEX lv ON l (experiment_id, key, is_nan, value, run);";
fn case(name: &str, index: bool, f: impl Fn(&Connection, i64)) {
    let c = open("/tmp/tracking/b/s.db");
    if index { c.execute_batch(INDEX).unwrap(); }
    let (t, b) = (Instant::now(), cpu());
    for batch in 0..200 {
        c.execute_batch("BEGIN IMMEDIATE").unwrap();
        f(&c, batch);
        c.execute_batch("COMMIT").unwrap();
    }
    println!("{name}: CPU {:?} wall {:?} per batch", (cpu() - b) / 200, t.elapsed() / 200);
}
fn main() {
    let newer = |c: &str| format!("{c} = CASE WHEN (excluded.step, excluded.timestamp_ms, excluded.value) > (l.step, l.timestamp_ms, l.value) THEN excluded.{c} ELSE l.{c} END, ");
    let upsert = format!("INSERT INTO l VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT (run,key) DO UPDATE SET {}{}{}{} tail = l.tail + excluded.tail", newer("value"), newer("is_nan"), newer("step"), newer("timestamp_ms"));
    let upsert_where = "INSERT INTO l VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT (run,key) DO UPDATE SET value=excluded.value, is_nan=excluded.is_nan, step=excluded.step, timestamp_ms=excluded.timestamp_ms, tail = l.tail + excluded.tail WHERE (excluded.step, excluded.timestamp_ms, excluded.value) > (l.step, l.timestamp_ms, l.value)";
    let latest = |sql: &str| { let sql = sql.to_owned(); move |c: &Connection, b: i64| {
        let mut s = c.prepare_cached(&sql).unwrap();
        for k in 0..1000i64 { s.execute(params![1, k, 0, 1.0 / (b + k + 2) as f64, 0, b, 1_700_000_000_000i64 + b * 10, 1]).unwrap(); }
    }};
    case("upsert case, index", true, latest(&upsert));
    case("upsert case, no index", false, latest(&upsert));
    case("upsert where, index", true, latest(upsert_where));
    case("upsert where, no index", false, latest(upsert_where));
    case("replace, index", true, latest("INSERT OR REPLACE INTO l VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"));
    case("update, index", true, |c, b| {
        if b == 0 { latest("INSERT OR REPLACE INTO l VALUES (?1,?2,?3,?4,?5,?6,?7,?8)")(c, b); }
        let mut s = c.prepare_cached("UPDATE l SET value=?3, is_nan=?4, step=?5, timestamp_ms=?6, tail=?7 WHERE run=?1 AND key=?2").unwrap();
        for k in 0..1000i64 { s.execute(params![1, k, 1.0 / (b + k + 2) as f64, 0, b, 1_700_000_000_000i64 + b * 10, 1]).unwrap(); }
    });
    case("update, no index", false, |c, b| {
        if b == 0 { latest("INSERT OR REPLACE INTO l VALUES (?1,?2,?3,?4,?5,?6,?7,?8)")(c, b); }
        let mut s = c.prepare_cached("UPDATE l SET value=?3, is_nan=?4, step=?5, timestamp_ms=?6, tail=?7 WHERE run=?1 AND key=?2").unwrap();
        for k in 0..1000i64 { s.execute(params![1, k, 1.0 / (b + k + 2) as f64, 0, b, 1_700_000_000_000i64 + b * 10, 1]).unwrap(); }
    });
    case("read latest", true, |c, b| {
        if b == 0 { latest("INSERT OR REPLACE INTO l VALUES (?1,?2,?3,?4,?5,?6,?7,?8)")(c, b); }
        let mut s = c.prepare_cached("SELECT key, value, is_nan, step, timestamp_ms, tail FROM l WHERE run=?1").unwrap();
        let mut r = s.query([1]).unwrap(); let mut n = 0i64;
        while let Some(row) = r.next().unwrap() { n += row.get::<_, i64>(0).unwrap() + row.get::<_, i64>(3).unwrap(); }
        assert!(n > 0);
    });
    case("points by key", false, |c, b| {
        let mut s = c.prepare_cached("INSERT INTO p VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT DO NOTHING").unwrap();
        for k in 0..1000i64 { s.execute(params![1, k, 1_700_000_000_000i64 + b * 10, b, 1.0 / (b + k + 2) as f64, 0]).unwrap(); }
    });
    case("points appended", false, |c, b| {
        let mut s = c.prepare_cached("INSERT INTO p VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT DO NOTHING").unwrap();
        for k in 0..1000i64 { s.execute(params![1, 1, 1_700_000_000_000i64 + b * 1000 + k, b, 1.0 / (b + k + 2) as f64, 0]).unwrap(); }
    });
    case("blob of 20 KB", false, |c, b| {
        c.prepare_cached("INSERT INTO b VALUES (1, ?1, ?2)").unwrap().execute(params![b, vec![7u8; 20_000]]).unwrap();
    });
    // per-run latest blob
    case("1000 blobs of 400 B rewritten", false, |c, b| {
        let mut s = c.prepare_cached("INSERT OR REPLACE INTO b VALUES (?1, 0, ?2)").unwrap();
        for k in 0..1000i64 { s.execute(params![k, vec![b as u8; 400]]).unwrap(); }
    });
}
