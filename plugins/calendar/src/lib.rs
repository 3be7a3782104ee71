//! Sine and cosine of where a moment stands in its day, week and year, as float32.
//!
//! 23:59 and 00:00 lie side by side on a circle, which they do not on the number line. Times are UTC, or shifted by a
//! fixed `utc_offset_minutes`; there is no daylight saving.

mod civil;

use std::f64::consts::TAU;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::bitmap::Bitmap;
use tiegel_plugin::{Batch, Column, ColumnRef, DType, Field, PluginError, Result, Schema, Transform};

use crate::civil::{MICROS_PER_DAY, day_of_year, weekday};

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The time of day, to the microsecond. Dates have none.
    Hour,
    /// Monday to Sunday.
    Weekday,
    /// The day of the year, in years of 365 or 366 days.
    DayOfYear,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which parts to take; without it all that the column has.
    pub parts: Option<Vec<Part>>,
    /// Before the part's name in the output columns; `{column}` stands for the input column's name.
    pub prefix: String,
    /// Minutes to add to UTC first, -1080 to 1080.
    #[schemars(range(min = -1_080, max = 1_080))]
    pub utc_offset_minutes: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self { parts: None, prefix: "{column}_".to_owned(), utc_offset_minutes: 0 }
    }
}

pub struct Calendar {
    offset_micros: i64,
    /// The parts of each input column.
    parts: Vec<Vec<Part>>,
    output: Schema,
}

impl Transform for Calendar {
    type Config = Config;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if config.utc_offset_minutes.abs() > 1_080 {
            return Err(PluginError::invalid_config("utc_offset_minutes is -1080 to 1080"));
        }
        let mut output = Schema::default();
        let mut parts = Vec::new();
        for field in &input.fields {
            let taken = parts_of(&config, field)?;
            let prefix = config.prefix.replace("{column}", &field.name);
            for part in &taken {
                let name = |end: &str| format!("{prefix}{}_{end}", part.name());
                let column = |end| Field::new(name(end), DType::Float32).nullable(field.nullable);
                output.fields.extend([column("sin"), column("cos")]);
            }
            parts.push(taken);
        }
        Ok(Self { offset_micros: config.utc_offset_minutes * 60_000_000, parts, output })
    }

    fn output(&self) -> Option<Schema> {
        Some(self.output.clone())
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let mut output = Vec::with_capacity(self.output.fields.len());
        for (column, parts) in input.columns().zip(&self.parts) {
            for part in parts {
                output.extend(self.circle(&column, *part)?);
            }
        }
        Ok(output)
    }
}

impl Calendar {
    /// The sine and cosine columns of one part.
    fn circle(&self, column: &ColumnRef<'_>, part: Part) -> Result<[Column; 2]> {
        let (mut sin, mut cos) = (Vec::with_capacity(column.rows()), Vec::with_capacity(column.rows()));
        let mut push = |moment: Option<i64>| {
            let turn = moment.map(|micros| TAU * part.turn(micros));
            sin.push(turn.map_or(0.0, |turn| turn.sin() as f32));
            cos.push(turn.map_or(0.0, |turn| turn.cos() as f32));
        };
        if column.dtype() == DType::Date32 {
            column.options::<i32>()?.for_each(|day| push(day.map(|day| i64::from(day) * MICROS_PER_DAY)));
        } else {
            column.options::<i64>()?.for_each(|us| push(us.map(|us| us.saturating_add(self.offset_micros))));
        }
        let validity = || column.validity().map(|_| (0..column.rows()).map(|row| !column.is_null(row)).collect());
        let finish =
            |values: &[f32]| Column { validity: validity().map(Bitmap::into_bytes), ..Column::from_values(values) };
        Ok([finish(&sin), finish(&cos)])
    }
}

impl Part {
    const ALL: [Part; 3] = [Part::Hour, Part::Weekday, Part::DayOfYear];

    fn name(self) -> &'static str {
        match self {
            Part::Hour => "hour",
            Part::Weekday => "weekday",
            Part::DayOfYear => "day_of_year",
        }
    }

    /// Where the moment stands on the circle, 0 to below 1.
    fn turn(self, micros: i64) -> f64 {
        let day = micros.div_euclid(MICROS_PER_DAY);
        match self {
            Part::Hour => micros.rem_euclid(MICROS_PER_DAY) as f64 / MICROS_PER_DAY as f64,
            Part::Weekday => f64::from(weekday(day)) / 7.0,
            Part::DayOfYear => {
                let (day, days) = day_of_year(day);
                f64::from(day) / f64::from(days)
            }
        }
    }
}

fn parts_of(config: &Config, field: &Field) -> Result<Vec<Part>> {
    let is_date = field.dtype == DType::Date32;
    if field.width != 1 || !(is_date || field.dtype == DType::TimestampUs) {
        let message = format!("calendar reads timestamps and dates, not {}", field.dtype.as_str());
        return Err(PluginError::invalid_schema(message).column(&field.name));
    }
    match &config.parts {
        None if is_date => Ok(vec![Part::Weekday, Part::DayOfYear]),
        None => Ok(Part::ALL.to_vec()),
        Some(parts) if parts.is_empty() => Err(PluginError::invalid_config("parts names none")),
        Some(parts) if is_date && parts.contains(&Part::Hour) => {
            Err(PluginError::invalid_config("parts asks for the hour of a date, which has none").column(&field.name))
        }
        Some(parts) => Ok(parts.clone()),
    }
}

tiegel_plugin::export!(Calendar);

#[cfg(test)]
mod tests;
