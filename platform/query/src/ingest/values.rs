//! Texts as typed columns; the first text that does not fit is told with its row.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow::compute::cast;
use arrow::compute::kernels::cast_utils::string_to_datetime;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, NaiveDate, Utc};
use tiegel_types::DType;

/// A text that is not a value of its column's type.
pub(super) struct BadText {
    /// From the first text of the call.
    pub row: usize,
    pub text: String,
}

/// Parses the texts of one column; none is a null.
pub(super) fn parse_column<'a, S: AsRef<str> + 'a>(
    dtype: DType,
    texts: impl ExactSizeIterator<Item = Option<S>>,
) -> Result<ArrayRef, BadText> {
    match dtype {
        DType::Boolean => parse_booleans(texts),
        DType::Int8 => primitive::<Int8Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Int16 => primitive::<Int16Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Int32 => primitive::<Int32Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Int64 => primitive::<Int64Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Uint8 => primitive::<UInt8Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Uint16 => primitive::<UInt16Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Uint32 => primitive::<UInt32Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Uint64 => primitive::<UInt64Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Float32 => primitive::<Float32Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Float64 => primitive::<Float64Type, S>(texts, |text| text.trim().parse().ok()),
        DType::Float16 => {
            let wide = primitive::<Float32Type, S>(texts, |text| text.trim().parse().ok())?;
            cast(&wide, &DataType::Float16).map_err(|error| BadText { row: 0, text: error.to_string() })
        }
        DType::Date32 => primitive::<Date32Type, S>(texts, |text| parse_date(text.trim())),
        DType::TimestampUs => {
            let times = primitive::<TimestampMicrosecondType, S>(texts, |text| parse_timestamp(text.trim()))?;
            let zoned =
                arrow::array::AsArray::as_primitive::<TimestampMicrosecondType>(&times).clone().with_timezone("UTC");
            Ok(Arc::new(zoned))
        }
        DType::Utf8 => {
            let mut builder = StringBuilder::with_capacity(texts.len(), 8 * texts.len());
            texts.for_each(|text| builder.append_option(text));
            Ok(Arc::new(builder.finish()))
        }
        // Refused before any value is read.
        DType::Binary | DType::Bfloat16 => Err(BadText { row: 0, text: String::new() }),
    }
}

/// Days since 1970-01-01 of a text YYYY-MM-DD.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1970, 1, 1).expect("the epoch is a date");
    if text.len() != 10 {
        return None;
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(EPOCH).num_days()).ok()
}

/// Microseconds since 1970-01-01T00:00:00Z of an ISO 8601 text; one without a zone is UTC.
pub(super) fn parse_timestamp(text: &str) -> Option<i64> {
    let time: DateTime<Utc> = string_to_datetime(&Utc, text).ok()?;
    Some(time.timestamp_micros())
}

fn parse_booleans<S: AsRef<str>>(texts: impl ExactSizeIterator<Item = Option<S>>) -> Result<ArrayRef, BadText> {
    let mut builder = BooleanBuilder::with_capacity(texts.len());
    for (row, text) in texts.enumerate() {
        let Some(text) = text else {
            builder.append_null();
            continue;
        };
        match text.as_ref().trim() {
            "1" => builder.append_value(true),
            "0" => builder.append_value(false),
            word if word.eq_ignore_ascii_case("true") => builder.append_value(true),
            word if word.eq_ignore_ascii_case("false") => builder.append_value(false),
            _ => return Err(BadText { row, text: text.as_ref().to_owned() }),
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn primitive<T: ArrowPrimitiveType, S: AsRef<str>>(
    texts: impl ExactSizeIterator<Item = Option<S>>,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef, BadText> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(texts.len());
    for (row, text) in texts.enumerate() {
        match text {
            None => builder.append_null(),
            Some(text) => match parse(text.as_ref()) {
                Some(value) => builder.append_value(value),
                None => return Err(BadText { row, text: text.as_ref().to_owned() }),
            },
        }
    }
    Ok(Arc::new(builder.finish()))
}
