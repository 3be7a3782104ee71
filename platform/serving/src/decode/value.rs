use arrow::datatypes::{ArrowPrimitiveType, Float16Type, Float32Type, Float64Type};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Datelike, NaiveDate};
use serde_json::Value;
use tiegel_types::DType;

/// Where a value came from: the same column has another wire form in a protocol's tensor than in a JSON row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Times and dates as text or integers, bytes as base64.
    Row,
    /// Times and dates as integers only, bytes as the text's own bytes.
    Tensor,
}

/// Days from 0001-01-01 to 1970-01-01, as chrono counts them.
pub(super) const EPOCH_DAYS_FROM_CE: i32 = 719_163;

/// The largest whole number below which a float64 holds every integer.
const EXACT_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;

const SHOWN_CHARS_MAX: usize = 40;

/// An integer that fits `T`. A number such as `5.0` is taken where a float64 holds it exactly.
pub(super) fn integer<T: TryFrom<i64> + TryFrom<u64>>(value: &Value) -> Option<T> {
    let Value::Number(number) = value else { return None };
    if let Some(integer) = number.as_i64() {
        return T::try_from(integer).ok();
    }
    if let Some(integer) = number.as_u64() {
        return T::try_from(integer).ok();
    }
    let float = number.as_f64()?;
    let whole = float.fract() == 0.0 && float.abs() <= EXACT_FLOAT_MAX;
    whole.then(|| T::try_from(float as i64).ok()).flatten()
}

pub(super) fn boolean(value: &Value) -> Option<bool> {
    value.as_bool()
}

pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

pub(super) fn binary(value: &Value, form: Form) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    match form {
        Form::Row => BASE64.decode(text).ok(),
        Form::Tensor => Some(text.as_bytes().to_vec()),
    }
}

/// Microseconds since 1970-01-01T00:00:00Z.
pub(super) fn timestamp(value: &Value, form: Form) -> Option<i64> {
    match value {
        Value::String(text) if form == Form::Row => {
            let time = DateTime::parse_from_rfc3339(text).ok()?;
            let nanos = time.timestamp_subsec_nanos();
            // A leap second has over 10^9 of them; a finer time than microseconds would be cut.
            (nanos < 1_000_000_000 && nanos.is_multiple_of(1_000)).then(|| time.timestamp_micros())
        }
        other => integer(other),
    }
}

/// Days since 1970-01-01.
pub(super) fn date(value: &Value, form: Form) -> Option<i32> {
    match value {
        Value::String(text) if form == Form::Row => {
            let date = text.parse::<NaiveDate>().ok()?;
            date.num_days_from_ce().checked_sub(EPOCH_DAYS_FROM_CE)
        }
        other => integer(other),
    }
}

/// A float column's type, with what JSON numbers need to become its values and back.
pub(super) trait Float: ArrowPrimitiveType {
    fn narrow(value: f64) -> Self::Native;
    fn widen(value: Self::Native) -> f64;
    fn from_bits(bits: u64) -> Option<Self::Native>;
    fn bits(value: Self::Native) -> u64;
}

macro_rules! float {
    ($type:ty, $bits:ty, $narrow:expr, $widen:expr) => {
        impl Float for $type {
            fn narrow(value: f64) -> Self::Native {
                $narrow(value)
            }

            fn widen(value: Self::Native) -> f64 {
                $widen(value)
            }

            fn from_bits(bits: u64) -> Option<Self::Native> {
                <$bits>::try_from(bits).ok().map(<$type as ArrowPrimitiveType>::Native::from_bits)
            }

            fn bits(value: Self::Native) -> u64 {
                value.to_bits().into()
            }
        }
    };
}

float!(Float64Type, u64, std::convert::identity, std::convert::identity);
float!(Float32Type, u32, |v| v as f32, f64::from);
float!(Float16Type, u16, <Float16Type as ArrowPrimitiveType>::Native::from_f64, f64::from);

/// A finite number within the column's range, or the text of a special value.
pub(super) fn float<F: Float>(value: &Value) -> Option<F::Native> {
    match value {
        Value::Number(number) => {
            let float = F::narrow(number.as_f64()?);
            F::widen(float).is_finite().then_some(float)
        }
        Value::String(text) => special_float::<F>(text),
        _ => None,
    }
}

fn special_float<F: Float>(text: &str) -> Option<F::Native> {
    match text {
        "NaN" => Some(F::narrow(f64::NAN)),
        "Infinity" => Some(F::narrow(f64::INFINITY)),
        "-Infinity" => Some(F::narrow(f64::NEG_INFINITY)),
        _ => {
            let digits = text.strip_prefix("NaN(0x")?.strip_suffix(')')?;
            let float = F::from_bits(u64::from_str_radix(digits, 16).ok()?)?;
            F::widen(float).is_nan().then_some(float)
        }
    }
}

/// The inverse of [`float`]: a JSON number that reads back to the same bits, or the text of a special value.
pub(super) fn float_json<F: Float>(float: F::Native) -> Value {
    let wide = F::widen(float);
    if wide.is_finite() {
        // Widening is exact, so the shortest text of the float64 reads back to this value in the narrow type too.
        return Value::from(wide);
    }
    if wide.is_infinite() {
        return Value::from(if wide > 0.0 { "Infinity" } else { "-Infinity" });
    }
    if F::bits(float) == F::bits(F::narrow(f64::NAN)) {
        return Value::from("NaN");
    }
    Value::from(format!("NaN(0x{:x})", F::bits(float)))
}

/// The inverse of [`binary`] for rows.
pub(super) fn binary_json(bytes: &[u8]) -> Value {
    Value::from(BASE64.encode(bytes))
}

/// What a column takes, for messages.
pub(super) fn expected(dtype: DType, form: Form) -> String {
    match (dtype, form) {
        (DType::Boolean, _) => "true or false".into(),
        (DType::Int8, _) => range(i8::MIN, i8::MAX),
        (DType::Int16, _) => range(i16::MIN, i16::MAX),
        (DType::Int32, _) => range(i32::MIN, i32::MAX),
        (DType::Int64, _) => range(i64::MIN, i64::MAX),
        (DType::Uint8, _) => range(u8::MIN, u8::MAX),
        (DType::Uint16, _) => range(u16::MIN, u16::MAX),
        (DType::Uint32, _) => range(u32::MIN, u32::MAX),
        (DType::Uint64, _) => range(u64::MIN, u64::MAX),
        (DType::Float16 | DType::Bfloat16 | DType::Float32 | DType::Float64, _) => {
            format!("a number in the range of {dtype}, or \"NaN\", \"Infinity\" or \"-Infinity\"")
        }
        (DType::Date32, Form::Row) => "a date such as \"2013-01-31\", or days since 1970-01-01".into(),
        (DType::Date32, Form::Tensor) => "days since 1970-01-01 as an integer".into(),
        (DType::TimestampUs, Form::Row) => {
            "an RFC 3339 time with at most 6 decimals such as \"2013-01-31T05:00:00Z\", or microseconds since 1970"
                .into()
        }
        (DType::TimestampUs, Form::Tensor) => "microseconds since 1970-01-01T00:00:00Z as an integer".into(),
        (DType::Utf8, _) | (DType::Binary, Form::Tensor) => "a string".into(),
        (DType::Binary, Form::Row) => "bytes as base64 text".into(),
    }
}

fn range<T: std::fmt::Display>(min: T, max: T) -> String {
    format!("an integer from {min} to {max}")
}

/// A value as a message shows it: cut, and containers only by their size.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(_) => "an object".into(),
        scalar => {
            let text = scalar.to_string();
            match text.char_indices().nth(SHOWN_CHARS_MAX) {
                Some((cut, _)) => format!("{}…", &text[..cut]),
                None => text,
            }
        }
    }
}
