//! Stretches of the order, each read by one statement.
//!
//! Reading in order is fast while many records match. Where few of them do, a statement that looks each record up by itself
//! stops after a window. Where very many records have one value of the first key, an index of that key says nothing about
//! the order among them: they are a search of their own, by the other keys.

use tiegel_search::{Clause, Condition, Field, KeyValue, Op, Order, PageToken};

use super::keys::Class;
use super::query::{Pace, Query};
use super::scan::{Phase, Scanned, scan};
use super::statement::{Part, Sign, Stretch};
use crate::Result;
use crate::db::Tx;

/// Values with very many ties that one page reads each by itself.
const TIED_VALUES_MAX: usize = 8;

impl Phase<'_> {
    /// The first records of a part.
    pub fn part(&self, tx: &mut Tx<'_>, part: Part<'_>) -> Result<Scanned> {
        let mut scanned = Scanned { found: Vec::new(), is_complete: true };
        let mut stretch = Stretch { after: self.after.cloned(), ..Stretch::default() };
        if self.side().is_some() && self.class == Some(Class::Value) {
            self.tied(tx, part, &mut stretch, &mut scanned)?;
        }
        self.windowed(tx, part, &stretch, &mut scanned)?;
        Ok(scanned)
    }

    /// How many more are wanted; none once something is missing among them.
    fn wanted(&self, scanned: &Scanned) -> usize {
        if scanned.is_complete { self.count - scanned.found.len() } else { 0 }
    }

    /// Reads on past values with very many ties, and leaves in `stretch` where to go on.
    fn tied(&self, tx: &mut Tx<'_>, part: Part<'_>, stretch: &mut Stretch, scanned: &mut Scanned) -> Result<()> {
        for _ in 0..TIED_VALUES_MAX {
            let wanted = self.wanted(scanned);
            if wanted == 0 {
                break;
            }
            let Some(value) = self.next_tied(tx, part, stretch, wanted)? else { break };
            if stretch.begun() != Some(&value) {
                let before = Stretch { until: Some((Sign::Before, value.clone())), ..stretch.clone() };
                self.windowed(tx, part, &before, scanned)?;
                stretch.after = None;
            }
            let wanted = self.wanted(scanned);
            if wanted > 0 {
                let ties = self.ties(tx, part, (&value, stretch.after.take()), wanted)?;
                scanned.found.extend(ties.found);
                scanned.is_complete = ties.is_complete;
            }
            *stretch = Stretch { beyond: Some(value), ..Stretch::default() };
        }
        Ok(())
    }

    /// A value with very many ties, if the next records that are wanted begin with one or end in one.
    fn next_tied(&self, tx: &mut Tx<'_>, part: Part<'_>, stretch: &Stretch, wanted: usize) -> Result<Option<KeyValue>> {
        if let Some(begun) = stretch.begun()
            && self.is_wide(tx, part, begun)?
        {
            return Ok(Some(begun.clone()));
        }
        match self.value_at(tx, part, stretch, wanted - 1)? {
            Some(value) if stretch.begun() != Some(&value) && self.is_wide(tx, part, &value)? => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    fn is_wide(&self, tx: &mut Tx<'_>, part: Part<'_>, value: &KeyValue) -> Result<bool> {
        let ties = Stretch { until: Some((Sign::Same, value.clone())), ..Stretch::default() };
        Ok(self.value_at(tx, part, &ties, self.query.tuning.ties)?.is_some())
    }

    /// The records of one value of the first key, by the other keys.
    fn ties(
        &self,
        tx: &mut Tx<'_>,
        part: Part<'_>,
        (value, after): (&KeyValue, Option<PageToken>),
        wanted: usize,
    ) -> Result<Scanned> {
        let condition = match value {
            KeyValue::Number(number) => Condition::Number(Op::Equal, *number),
            KeyValue::Text(text) => Condition::Equal(text.clone()),
            KeyValue::Integer(_) | KeyValue::NaN | KeyValue::Missing => Condition::Never,
        };
        let keys = &self.query.order.keys;
        let mut filter = self.query.filter.clone();
        filter.clauses.push(Clause { field: keys[0].field.clone(), condition });
        let query = Query {
            scopes: std::slice::from_ref(part.scope),
            stages: part.stages,
            filter: &filter,
            order: &Order { keys: keys[1..].to_vec() },
            after: after.map(|after| PageToken { keys: after.keys[1..].to_vec() }),
            count: wanted,
            ..self.query.clone()
        };
        let mut scanned = scan(tx, self.names, &query)?;
        for found in &mut scanned.found {
            found.keys.keys.insert(0, value.clone());
        }
        Ok(scanned)
    }

    /// Adds the records of a stretch, until there are as many as are wanted or the window ends.
    fn windowed(&self, tx: &mut Tx<'_>, part: Part<'_>, stretch: &Stretch, scanned: &mut Scanned) -> Result<()> {
        let wanted = self.wanted(scanned);
        if wanted == 0 {
            return Ok(());
        }
        let looks_up = |clause: &Clause| matches!(clause.field, Field::Keyed(..) | Field::Related(..));
        let end = match self.query.pace {
            Pace::Window(rows) if self.query.filter.clauses.iter().any(looks_up) => {
                let rows = rows.max(wanted.saturating_mul(self.query.tuning.window_of_wanted));
                self.value_at(tx, part, stretch, rows)?
            }
            Pace::Window(_) | Pace::Sets => None,
        };
        let by_sets = self.query.pace == Pace::Sets;
        let stretch = match &end {
            Some(end) => &Stretch { until: Some((Sign::Within, end.clone())), ..stretch.clone() },
            None => &Stretch { by_sets, ..stretch.clone() },
        };
        let found = self.rows(tx, part, stretch, wanted)?;
        scanned.is_complete = end.is_none() || found.len() >= wanted;
        scanned.found.extend(found);
        Ok(())
    }
}
