use std::cmp::Ordering;

use crate::{Pattern, Regexp};

/// What a clause asks of a field's value. Only `Missing` and `Unless` are true of a value that is not there.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A metric, which may be NaN.
    Number(Op, f64),
    Integer(Op, i64),
    IntegerIn(Vec<i64>),
    IntegerNotIn(Vec<i64>),
    Equal(String),
    Differs(String),
    Like(Pattern),
    Matches(Regexp),
    In(Vec<String>),
    NotIn(Vec<String>),
    Present,
    Missing,
    /// Anything but this value; nothing at all, too.
    Unless(String),
    /// True of nothing: an integer that equals 1.5.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Equal,
    Differs,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Op {
    /// As SQL writes it.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Differs => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// What compares with nothing, NaN, differs from everything.
    pub fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Differs => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::More => order == Some(Ordering::Greater),
            Self::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl Condition {
    /// An integer compared with any number, said with integers alone: `x > 1.5` is `x > 1`.
    pub(crate) fn of_integer(op: Op, number: f64) -> Self {
        /// 2^63: the first double that no `i64` reaches.
        const BEYOND: f64 = 9_223_372_036_854_775_808.0;
        let rounded = match op {
            Op::Less | Op::AtLeast => number.ceil(),
            Op::AtMost | Op::More => number.floor(),
            Op::Equal | Op::Differs => number,
        };
        let is_below = rounded < -BEYOND;
        let is_beyond = rounded >= BEYOND;
        if is_below || is_beyond || rounded.fract() != 0.0 {
            let holds = match op {
                Op::Equal => false,
                Op::Differs => true,
                Op::Less | Op::AtMost => is_beyond,
                Op::More | Op::AtLeast => is_below,
            };
            return if holds { Self::Present } else { Self::Never };
        }
        #[expect(clippy::cast_possible_truncation, reason = "a whole number between the bounds above")]
        Self::Integer(op, rounded as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_compares_with_fractions_and_with_what_no_integer_reaches() {
        assert_eq!(Condition::of_integer(Op::More, 1.5), Condition::Integer(Op::More, 1));
        assert_eq!(Condition::of_integer(Op::AtLeast, 1.5), Condition::Integer(Op::AtLeast, 2));
        assert_eq!(Condition::of_integer(Op::Less, -1.5), Condition::Integer(Op::Less, -1));
        assert_eq!(Condition::of_integer(Op::AtMost, -1.5), Condition::Integer(Op::AtMost, -2));
        assert_eq!(Condition::of_integer(Op::Equal, 1.5), Condition::Never);
        assert_eq!(Condition::of_integer(Op::Differs, 1.5), Condition::Present);
        assert_eq!(Condition::of_integer(Op::Less, 1e300), Condition::Present);
        assert_eq!(Condition::of_integer(Op::More, f64::INFINITY), Condition::Never);
        assert_eq!(Condition::of_integer(Op::More, -1e300), Condition::Present);
        assert_eq!(Condition::of_integer(Op::Equal, 4.0), Condition::Integer(Op::Equal, 4));
    }

    #[test]
    fn nothing_but_differs_holds_for_nan() {
        let holding = [Op::Equal, Op::Differs, Op::Less, Op::AtMost, Op::More, Op::AtLeast];
        let holding: Vec<_> = holding.into_iter().filter(|op| op.holds(f64::NAN.partial_cmp(&1.0))).collect();
        assert_eq!(holding, [Op::Differs]);
    }
}
