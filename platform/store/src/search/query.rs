//! Finding a page of records: in order through an index, or among the few that a clause leaves.

use std::collections::{HashMap, HashSet};

use tiegel_search::{Field, Filter, Order, PageToken};

use super::Tuning;
use super::candidates::{Candidates, IDS_MAX, few, many};
use super::clause::{Conditions, Names, Reach, Verdict};
use super::compare::Dialect;
use super::entity::Searched;
use super::keys::Keys;
use super::rest;
use super::scan::scan;
use super::sql::{Bound, Places};
use crate::Result;
use crate::db::{Row, Tx};

/// Records that are read at once where some of them are refused only afterwards.
const WINDOW_ROWS: usize = 1_000;

/// What is searched for.
#[derive(Clone)]
pub(super) struct Query<'q> {
    pub searched: &'static Searched,
    /// Experiments or projects.
    pub scopes: &'q [Bound],
    /// Values of the column `stage`; none where there is no such column.
    pub stages: &'q [&'static str],
    pub filter: &'q Filter,
    pub order: &'q Order,
    /// Where the page before ended.
    pub after: Option<PageToken>,
    /// Records wanted.
    pub count: usize,
    /// Records other than these are left out.
    pub only: Option<&'q [Bound]>,
    pub pace: Pace,
    pub tuning: Tuning,
}

/// How records that are read in order are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Each by itself, so many and no more.
    Window(usize),
    /// Against the set of all matches.
    Sets,
}

/// A record that a search found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub id: Bound,
    scope: Bound,
    /// The values of the order's keys.
    pub keys: PageToken,
}

impl Query<'_> {
    /// At most `count` records, in order.
    pub fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Found>> {
        let names = self.names(tx)?;
        let mut filter = Filter { clauses: Vec::new(), datasets: self.filter.datasets.clone() };
        for clause in &self.filter.clauses {
            match names.verdict(clause) {
                Verdict::Never => return Ok(Vec::new()),
                Verdict::Always => {}
                Verdict::Depends => filter.clauses.push(clause.clone()),
            }
        }
        if self.scopes.is_empty() || self.count == 0 {
            return Ok(Vec::new());
        }
        let query = Query { filter: &filter, ..self.clone() };
        let candidates = match self.only {
            Some(only) => Some(Candidates { ids: only.to_vec(), rest: filter.clone() }),
            None => few(tx, &names, &query)?,
        };
        let mut found = match candidates {
            Some(candidates) => {
                let among = query.among(tx, &names, &candidates)?;
                rest::kept(tx, &names, &candidates.rest, among)?
            }
            None if rest::is_needed(&filter) => query.in_windows(tx, &names)?,
            None => query.in_order(tx, &names)?,
        };
        found.truncate(self.count);
        Ok(found)
    }

    /// Reads in order: a glance first, then by what promises more.
    fn in_order(&self, tx: &mut Tx<'_>, names: &Names) -> Result<Vec<Found>> {
        let glance = scan(tx, names, self)?;
        if glance.is_complete {
            return Ok(glance.found);
        }
        if let Some(candidates) = many(tx, names, self)? {
            let mut among = self.among(tx, names, &candidates)?;
            among.truncate(self.count);
            return Ok(among);
        }
        let window = scan(tx, names, &Query { pace: Pace::Window(self.tuning.window), ..self.clone() })?;
        if window.is_complete {
            return Ok(window.found);
        }
        Ok(scan(tx, names, &Query { pace: Pace::Sets, ..self.clone() })?.found)
    }

    /// With the numbers of the keys that the query names.
    fn names(&self, tx: &mut Tx<'_>) -> Result<Names> {
        let dialect = if tx.is_sqlite() { Dialect::Sqlite } else { Dialect::Postgres };
        let of_order = self.order.keys.iter().map(|key| &key.field);
        let fields = self.filter.clauses.iter().map(|clause| &clause.field).chain(of_order);
        let named = fields.filter_map(|field| match field {
            Field::Keyed(family, key) if self.searched.side(*family).is_interned => Some(key.as_str()),
            _ => None,
        });
        let interned: HashSet<&str> = named.collect();
        let mut keys = HashMap::new();
        if !interned.is_empty() {
            let mut places = Places::default();
            let text = format!("SELECT name, id FROM keys WHERE name IN ({})", places.add_all(interned));
            keys.extend(places.rows(tx, &text, |row| Ok((row.text(0)?, row.int(1)?)))?);
        }
        Ok(Names { searched: self.searched, dialect, keys })
    }

    /// The records that match among these, sorted here.
    fn among(&self, tx: &mut Tx<'_>, names: &Names, candidates: &Candidates) -> Result<Vec<Found>> {
        let Searched { table, id, .. } = self.searched;
        let scopes: HashSet<&Bound> = self.scopes.iter().collect();
        let mut found = Vec::new();
        for ids in candidates.ids.chunks(IDS_MAX) {
            let mut places = Places::default();
            let keys = Keys::new(names, &mut places, self.order, None);
            let mut tests = vec![format!("t.{id} IN ({})", places.add_list(ids))];
            let reach = Reach { id: &format!("t.{id}"), sets_of: None };
            tests.extend(Conditions::new(names, &mut places, &candidates.rest, reach).tests);
            tests.extend(self.in_stages(&mut places, self.stages));
            let columns = self.columns(&keys);
            let text = format!("SELECT {columns} FROM {table} AS t{} WHERE {}", keys.joins(), tests.join(" AND "));
            found.extend(places.rows(tx, &text, |row| self.read(&keys, &row))?);
        }
        found.retain(|found| scopes.contains(&found.scope));
        Ok(self.sorted(found))
    }

    /// Reads on until the page is full of records that nothing refuses.
    fn in_windows(&self, tx: &mut Tx<'_>, names: &Names) -> Result<Vec<Found>> {
        let mut window = Query { count: self.count.max(WINDOW_ROWS), ..self.clone() };
        let mut kept = Vec::new();
        while kept.len() < self.count {
            let found = window.in_order(tx, names)?;
            let is_last = found.len() < window.count;
            window.after = found.last().map(|last| last.keys.clone());
            kept.extend(rest::kept(tx, names, self.filter, found)?);
            if is_last {
                break;
            }
        }
        Ok(kept)
    }

    /// What every statement selects.
    pub fn columns(&self, keys: &Keys) -> String {
        let Searched { id, scope, .. } = self.searched;
        format!("t.{id}, t.{scope}{}", keys.select())
    }

    pub fn read(&self, keys: &Keys, row: &Row<'_>) -> Result<Found> {
        const FIRST_KEY: usize = 2;
        let is_text = matches!(self.scopes.first(), Some(Bound::Text(_)));
        let scope = if is_text { Bound::Text(row.text(1)?) } else { Bound::Int(row.int(1)?) };
        Ok(Found { id: self.searched.read_id(row)?, scope, keys: PageToken { keys: keys.read(row, FIRST_KEY)? } })
    }

    pub fn in_stages(&self, places: &mut Places, stages: &[&'static str]) -> Option<String> {
        let column = self.searched.stage.filter(|_| !stages.is_empty())?;
        Some(match stages {
            [stage] => format!("t.{column} = {}", places.add(*stage)),
            _ => format!("t.{column} IN ({})", places.add_all(stages.iter().copied())),
        })
    }

    /// What comes after the page before, in order.
    pub fn sorted(&self, mut found: Vec<Found>) -> Vec<Found> {
        if let Some(after) = &self.after {
            found.retain(|found| self.order.compare(&found.keys, after).is_gt());
        }
        found.sort_by(|a, b| self.order.compare(&a.keys, &b.keys));
        found
    }
}
