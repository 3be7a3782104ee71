//! MLflow's search language: filters, orders and page tokens, parsed into types, and an evaluator that says what they mean.
//!
//! Invariants: no I/O, no SQL. What parses can be answered: every name in a parsed filter or order is one that its entity
//! has, every comparison fits its field, every pattern compiles. Whatever does not parse is refused with an error that
//! names the culprit in the words that MLflow's clients know. The evaluator is the meaning: a database that answers
//! otherwise is wrong.

mod condition;
mod error;
mod evaluate;
mod field;
mod filter;
mod grammar;
mod lex;
mod limits;
mod logged_model;
mod order;
mod pattern;
mod resolve;
mod token;
mod vocabulary;

pub use condition::{Condition, Op};
pub use error::SearchError;
pub use evaluate::{Metric, Record, Scalar};
pub use field::{Entity, Family, Field, Kind, Related, Relation};
pub use filter::{Clause, DatasetFilter, Filter};
pub use limits::{
    FILTER_BYTES_MAX, FILTER_CLAUSES_MAX, LIST_LEN_MAX, ORDER_KEYS_MAX, PAGE_TOKEN_BYTES_MAX, PATTERN_BYTES_MAX,
};
pub use logged_model::LoggedModelKey;
pub use order::{Order, OrderKey};
pub use pattern::{Pattern, Regexp};
pub use token::{Fingerprint, KeyValue, PageToken};
