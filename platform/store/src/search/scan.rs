//! Reading records in order. Where the first key is in a side table, those that have it come through that table's index,
//! and the others after them.

use tiegel_search::{Field, PageToken};

use super::clause::Names;
use super::entity::{Side, Values};
use super::keys::Class;
use super::query::{Found, Query};
use super::sql::Bound;
use super::statement::Part;
use crate::Result;
use crate::db::Tx;

/// Parts that are one statement on Postgres, where each statement is a round trip.
const PARTS_MAX: usize = 16;
/// Parts that are each read with care on Postgres, which takes more than one round trip.
const CAREFUL_PARTS_MAX: usize = 4;

/// What was read in order.
#[derive(Default)]
pub(super) struct Scanned {
    pub found: Vec<Found>,
    /// Whether there are as many as were wanted, or no more of them.
    pub is_complete: bool,
}

/// The first records after `query.after`, up to `query.count`.
pub(super) fn scan(tx: &mut Tx<'_>, names: &Names, query: &Query<'_>) -> Result<Scanned> {
    let first = First::of(names, query);
    let begun = query.after.as_ref().and_then(|after| after.keys.first()).map(Class::of);
    let mut scanned = Scanned { found: Vec::new(), is_complete: true };
    for class in first.classes() {
        let class = *class;
        // The pages before are through with the classes before.
        if class.is_some() && class < begun {
            continue;
        }
        let after = query.after.as_ref().filter(|_| class.is_none() || class == begun);
        let count = query.count - scanned.found.len();
        let of_class = Phase { names, query, first: &first, class, after, count }.run(tx)?;
        scanned.found.extend(of_class.found);
        scanned.is_complete = of_class.is_complete;
        if !scanned.is_complete || scanned.found.len() >= query.count {
            break;
        }
    }
    Ok(scanned)
}

/// What the first key of the order is, to the database.
pub(super) enum First {
    /// Something that it can sort by at once.
    Any,
    /// A column that may be NULL.
    Nullable(&'static str),
    /// A side table whose index is in order, and the key there.
    Side(&'static Side, Bound),
}

impl First {
    fn of(names: &Names, query: &Query<'_>) -> Self {
        match query.order.keys.first().map(|key| &key.field) {
            Some(Field::Attribute(name, _)) => {
                let attribute = query.searched.attribute(name);
                if attribute.is_nullable { Self::Nullable(attribute.sql) } else { Self::Any }
            }
            Some(Field::Keyed(family, key)) => {
                let side = query.searched.side(*family);
                let is_sorted = side.scope.is_some() && side.latest.is_none();
                names.key(side, key).filter(|_| is_sorted).map_or(Self::Any, |key| Self::Side(side, key))
            }
            Some(Field::Related(..)) | None => Self::Any,
        }
    }

    /// One after the other, each read in order.
    fn classes(&self) -> &'static [Option<Class>] {
        match self {
            Self::Any => &[None],
            Self::Side(Side { values: Values::Number, .. }, _) => {
                &[Some(Class::Value), Some(Class::NaN), Some(Class::Missing)]
            }
            Self::Nullable(_) | Self::Side(..) => &[Some(Class::Value), Some(Class::Missing)],
        }
    }
}

/// The records of one class.
pub(super) struct Phase<'p> {
    pub names: &'p Names,
    pub query: &'p Query<'p>,
    pub first: &'p First,
    pub class: Option<Class>,
    pub after: Option<&'p PageToken>,
    pub count: usize,
}

impl Phase<'_> {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Scanned> {
        let parts = self.parts();
        let mut scanned = Scanned { found: Vec::new(), is_complete: true };
        if tx.is_sqlite() || parts.len() <= CAREFUL_PARTS_MAX {
            for part in &parts {
                let of_part = self.part(tx, *part)?;
                scanned.found.extend(of_part.found);
                scanned.is_complete &= of_part.is_complete;
            }
        } else {
            for parts in parts.chunks(PARTS_MAX) {
                scanned.found.extend(self.together(tx, parts)?);
            }
        }
        if parts.len() > 1 {
            scanned.found.sort_by(|a, b| self.query.order.compare(&a.keys, &b.keys));
            scanned.found.truncate(self.count);
        }
        Ok(scanned)
    }

    /// An index is in order within one scope and stage only.
    fn parts(&self) -> Vec<Part<'_>> {
        let Query { scopes, stages, .. } = *self.query;
        let by_stage = self.side().is_none() && stages.len() > 1;
        let stages_of_parts: Vec<&[&'static str]> = if by_stage { stages.chunks(1).collect() } else { vec![stages] };
        scopes.iter().flat_map(|scope| stages_of_parts.iter().map(move |stages| Part { scope, stages })).collect()
    }
}
