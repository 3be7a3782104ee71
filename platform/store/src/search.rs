//! Searches, as the types of `tiegel_search` say them, in SQL of both databases.
//!
//! Each kind of record declares its table (`runs`); the rest is common. A search is answered in one of two ways. Where
//! clauses leave few records, indexes find those and they are tested and sorted here (`candidates`). Otherwise records are
//! read in the order wanted, through an index that has it, until a page is full (`scan`). Pages continue after the keys of
//! their last record, so that each costs what the first does.

mod candidates;
mod clause;
mod compare;
mod entity;
mod evaluation;
mod experiments;
mod keys;
mod query;
mod registry;
mod rest;
mod runs;
mod scan;
mod sql;
mod statement;
mod stretch;
mod traces;

use tiegel_search::{Filter, Fingerprint, Order, PageToken};

use crate::db::Tx;
use crate::tracking::Scope;
use crate::{Result, StoreError};
use query::{Pace, Query};

pub use experiments::{FoundExperiment, SearchExperiments};
pub use registry::{SearchLoggedModels, SearchRegistry};
pub use runs::SearchRuns;

pub(crate) use entity::Searched;
pub(crate) use evaluation::EVALUATION_DATASETS;
pub(crate) use sql::Bound;
pub(crate) use traces::TRACES;

/// When to do what; an answer is the same with any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    /// Records that clauses leave, so few that they are looked at one by one at once.
    pub few: usize,
    /// Records that clauses leave, so few that it pays to look at them once a glance found no page.
    pub many: usize,
    /// Records that are looked up one by one while reading in order, at least: at first, and before the set of all matches
    /// is made.
    pub glance: usize,
    pub window: usize,
    /// Records that are looked up for each one wanted.
    pub window_of_wanted: usize,
    /// Records of one value that the database may sort by the other keys.
    pub ties: usize,
}

const TUNING: Tuning =
    Tuning { few: 1_000, many: 10_000, glance: 4_000, window: 20_000, window_of_wanted: 20, ties: 500 };

/// Which records are wanted by their lifecycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Active,
    Deleted,
    All,
}

impl View {
    fn stages(self) -> &'static [&'static str] {
        match self {
            Self::Active => &["active"],
            Self::Deleted => &["deleted"],
            Self::All => &["active", "deleted"],
        }
    }
}

/// A part of what a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// What to ask the next page with; none after the last.
    pub next: Option<String>,
}

/// A search of any entity.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// Values of the entity's scope: experiments, or projects.
    pub scopes: Vec<Bound>,
    pub view: View,
    pub filter: Filter,
    pub order: Order,
    pub limit: usize,
    /// What the page before answered.
    pub token: Option<String>,
    /// Records other than these are left out.
    pub only: Option<Vec<Bound>>,
    pub tuning: Tuning,
}

impl Search {
    /// The first page of what a filter matches.
    pub fn new(scopes: Vec<Bound>, filter: Filter, order: Order, limit: usize) -> Self {
        let view = View::default();
        Self { scopes, view, filter, order, limit, token: None, only: None, tuning: TUNING }
    }

    /// The ids of one page.
    pub fn page(mut self, tx: &mut Tx<'_>, searched: &'static Searched) -> Result<Page<Bound>> {
        searched.resolve(&mut self.filter, &mut self.order);
        self.scopes.sort();
        self.scopes.dedup();
        let stages = if searched.stage.is_some() { self.view.stages() } else { &[] };
        let fingerprint = Fingerprint::of(&(searched.entity, &self.scopes, stages, &self.filter, &self.order));
        let token = self.token.as_deref().filter(|token| !token.is_empty());
        let after = token.map(|token| PageToken::decode(token, &fingerprint, &self.order)).transpose()?;
        let query = Query {
            searched,
            scopes: &self.scopes,
            stages,
            filter: &self.filter,
            order: &self.order,
            after,
            // One more tells whether there is another page.
            count: self.limit.saturating_add(1),
            only: self.only.as_deref(),
            pace: Pace::Window(self.tuning.glance),
            tuning: self.tuning,
        };
        let mut found = query.run(tx)?;
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found.last().filter(|_| has_more).map(|last| last.keys.encode(&fingerprint));
        Ok(Page { rows: found.into_iter().map(|found| found.id).collect(), next })
    }
}

/// The projects that a scope sees.
pub(crate) fn projects(tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<Bound>> {
    match scope {
        Scope::Project(name) => Ok(vec![Bound::Text(name.to_string())]),
        Scope::All => tx.rows("SELECT name FROM projects", &[], |row| Ok(Bound::Text(row.text(0)?))),
    }
}

impl From<tiegel_search::SearchError> for StoreError {
    fn from(error: tiegel_search::SearchError) -> Self {
        Self::Invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests;
