//! Random searches of random records, compared with the evaluator of `tiegel_search`.

mod experiments;
mod registry;
mod runs;
mod timing;
mod words;

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tiegel_search::{Entity, Filter, Order, PageToken, Record};

use super::entity::Searched;
use super::sql::Bound;
use super::{Search, TUNING, Tuning, View};
use crate::db::Tx;
use crate::{Result, Store};

/// Worlds of records that one test makes, and searches in each.
const WORLDS: u32 = 8;
const SEARCHES_OF_WORLD: usize = 40;
/// Pages that one search takes at most; the last one is asked for more than there can be.
const PAGES_MAX: usize = 60;

/// A record in its database, and what the evaluator needs of it.
#[derive(Clone, Debug)]
struct Known {
    id: Bound,
    scope: Bound,
    stage: &'static str,
    record: Record,
}

/// A search, as a request writes it.
#[derive(Clone, Debug)]
struct Asked {
    scopes: Vec<Bound>,
    view: View,
    filter: String,
    order: Vec<String>,
    limit: usize,
    tuning: Tuning,
}

/// Checks random worlds: `make` fills an empty database with one, `asked` are the searches of it.
fn check<W: std::fmt::Debug>(
    worlds: impl Strategy<Value = W>,
    asked: impl Strategy<Value = Asked>,
    make: impl Fn(&W) -> Vec<Known>,
    answer: impl Fn(&Asked, &Filter, &Order) -> Vec<Bound>,
    entity: Entity,
) {
    let config =
        ProptestConfig { cases: WORLDS, failure_persistence: None, max_shrink_iters: 60, ..Default::default() };
    let found = Cell::new(0_usize);
    let world = (worlds, prop::collection::vec(asked, SEARCHES_OF_WORLD));
    TestRunner::new(config)
        .run(&world, |(world, searches)| {
            let known = make(&world);
            for asked in searches {
                let filter =
                    Filter::parse(entity, &asked.filter).map_err(|why| TestCaseError::fail(why.to_string()))?;
                let order = Order::parse(entity, &asked.order).map_err(|why| TestCaseError::fail(why.to_string()))?;
                let answered = answer(&asked, &filter, &order);
                found.set(found.get() + usize::from(!answered.is_empty()));
                prop_assert_eq!(answered, expected(&known, &asked, &filter, &order), "{:?}", asked);
            }
            Ok(())
        })
        .unwrap();
    assert!(found.get() > SEARCHES_OF_WORLD, "only {} of all searches found anything", found.get());
}

fn expected(known: &[Known], asked: &Asked, filter: &Filter, order: &Order) -> Vec<Bound> {
    let is_wanted = |known: &&Known| {
        asked.scopes.contains(&known.scope)
            && asked.view.stages().contains(&known.stage)
            && filter.matches(&known.record)
    };
    let mut wanted: Vec<(PageToken, Bound)> =
        known.iter().filter(is_wanted).map(|known| (order.token(&known.record), known.id.clone())).collect();
    wanted.sort_by(|(a, _), (b, _)| order.compare(a, b));
    wanted.into_iter().map(|(_, id)| id).collect()
}

/// All pages of a search, one after the other.
async fn all_pages(
    store: &Store,
    searched: &'static Searched,
    asked: &Asked,
    filter: &Filter,
    order: &Order,
) -> Vec<Bound> {
    let mut all = Vec::new();
    let mut token = None;
    for _ in 0..PAGES_MAX {
        let search = Search {
            scopes: asked.scopes.clone(),
            view: asked.view,
            filter: filter.clone(),
            order: order.clone(),
            limit: asked.limit,
            token: token.clone(),
            only: None,
            tuning: asked.tuning,
        };
        let page =
            store.query(move |tx| search.page(tx, searched)).await.unwrap_or_else(|why| panic!("{asked:?}: {why}"));
        assert!(page.rows.len() == asked.limit || page.next.is_none(), "a page that is not the last is full");
        all.extend(page.rows);
        token = page.next;
        if token.is_none() {
            return all;
        }
    }
    panic!("{asked:?} does not end: {all:?}");
}

/// The number of a key.
fn intern(tx: &mut Tx<'_>, key: &str) -> Result<i64> {
    tx.execute("INSERT INTO keys (name) VALUES ($1) ON CONFLICT DO NOTHING", &[key.into()])?;
    Ok(tx.row("SELECT id FROM keys WHERE name = $1", &[key.into()], |row| row.int(0))?.unwrap())
}

/// What comes into play with many records only, with few of them.
fn tuning() -> impl Strategy<Value = Tuning> {
    let pick = |from: &[usize]| prop::sample::select(from.to_vec());
    let all = (
        pick(&[0, 5, 1_000]),
        pick(&[0, 10, 10_000]),
        pick(&[1, 4, 10_000]),
        pick(&[1, 4, 10_000]),
        pick(&[0, 1, 3, 500]),
    );
    all.prop_map(|(few, many, glance, window, ties)| Tuning {
        few,
        many,
        glance,
        window,
        window_of_wanted: window.min(2),
        ties,
    })
}

/// Runs a future where a test's closure cannot wait for it.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}
