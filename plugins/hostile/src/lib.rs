//! Breaks the contract in every way that the host must survive. For tests only: `mode` picks the crime.

use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::{Batch, Column, ColumnRef, DType, Estimator, Field, PluginError, Result, Schema, Transform, log};

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Behaves.
    Identity,
    SpinInTransform,
    SpinInConfigure,
    SpinInPartialFit,
    /// Allocates until it gets no more.
    Allocate,
    ShortData,
    LongData,
    BadOffsets,
    OffsetsBeyondData,
    BadUtf8,
    WrongRowCount,
    NullInNonNullable,
    ShortValidity,
    HugeOutput,
    Panic,
    LogFlood,
    /// Adds 1 where a batch has one row: training and serving would differ.
    SingleRowSkew,
    /// Adds the number of earlier calls: a warm instance would differ from a fresh one.
    Remember,
    Recurse,
    RecurseWithFrames,
    DrawRandom,
    MissingColumn,
    DuplicateOutput,
    ZeroWidth,
    BadName,
    HugeError,
    ReadArtifact,
    HugeState,
    /// The partial is the sum of the target.
    SumTarget,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub mode: Mode,
}

pub struct Hostile {
    mode: Mode,
    input: Schema,
    calls: u32,
    partial: Vec<u8>,
    target_sum: f64,
}

impl Transform for Hostile {
    type Config = Config;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if config.mode == Mode::SpinInConfigure {
            spin();
        }
        Ok(Self { mode: config.mode, input: input.clone(), calls: 0, partial: vec![], target_sum: 0.0 })
    }

    fn output(&self) -> Option<Schema> {
        let mut output = self.input.clone();
        let extra = match self.mode {
            Mode::DuplicateOutput => output.fields.first().cloned(),
            Mode::ZeroWidth => Some(Field::new("zero", DType::Float32).width(0)),
            Mode::BadName => Some(Field::new("\u{1b}[2Jgone", DType::Float32)),
            Mode::BadOffsets | Mode::OffsetsBeyondData | Mode::BadUtf8 => Some(Field::new("text", DType::Utf8)),
            Mode::NullInNonNullable | Mode::ShortValidity => Some(Field::new("number", DType::Int32)),
            _ => None,
        };
        output.fields.extend(extra);
        Some(output)
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        self.calls += 1;
        let (calls, rows) = (self.calls, input.rows());
        let mut columns = input.into_columns();
        match self.mode {
            Mode::SpinInTransform => spin(),
            Mode::Allocate => allocate(),
            Mode::ShortData => columns[0].data.truncate(1),
            Mode::LongData => columns[0].data.push(0),
            Mode::BadOffsets => columns.push(text(rows, b"abc".to_vec(), |row| if row == 1 { 3 } else { 0 })),
            Mode::OffsetsBeyondData => columns.push(text(rows, b"abc".to_vec(), |row| row as i32 * 1_000_000)),
            Mode::BadUtf8 => columns.push(text(rows, vec![0xff; rows], |row| row as i32)),
            Mode::NullInNonNullable => {
                columns.push(Column::from_options((0..rows).map(|row| (row != 2).then_some(0i32))))
            }
            Mode::ShortValidity => {
                columns.push(Column { validity: Some(vec![]), ..Column::from_values(&vec![0i32; rows]) });
            }
            Mode::HugeOutput => columns[0].data = vec![0; 200 << 20],
            Mode::Panic => panic!("the plugin's own words, row {rows}"),
            Mode::LogFlood => {
                for line in 0..100_000 {
                    log::info!("line {line} \u{1b}[31m{}", "x".repeat(10_000));
                }
            }
            Mode::SingleRowSkew if rows == 1 => add(&mut columns, 1.0),
            Mode::Remember => add(&mut columns, (calls - 1) as f32),
            Mode::Recurse => columns[0].data[0] = recurse(rows as u64) as u8,
            Mode::RecurseWithFrames => columns[0].data[0] = recurse_with_frames(rows as u64) as u8,
            Mode::DrawRandom => columns[0].data[0] = tiegel_plugin::random_u64() as u8,
            Mode::MissingColumn => columns.clear(),
            Mode::HugeError => return Err(PluginError::invalid_input("long ".repeat(1 << 20)).column("x").row(rows)),
            Mode::ReadArtifact => {
                tiegel_plugin::artifact("../../etc/passwd")?;
            }
            _ => {}
        }
        Ok(columns)
    }

    fn output_rows(&self, input_rows: usize) -> usize {
        input_rows + usize::from(self.mode == Mode::WrongRowCount)
    }
}

impl Estimator for Hostile {
    fn partial_fit(&mut self, _input: &Batch, target: Option<ColumnRef<'_>>) -> Result<()> {
        match self.mode {
            Mode::SpinInPartialFit => spin(),
            Mode::DrawRandom => self.partial = tiegel_plugin::random_u64().to_le_bytes().to_vec(),
            Mode::SumTarget => {
                let target = target.ok_or_else(|| PluginError::invalid_schema("there is no target"))?;
                self.target_sum += target.numbers()?.flatten().sum::<f64>();
                self.partial = self.target_sum.to_le_bytes().to_vec();
            }
            _ => {}
        }
        Ok(())
    }

    fn partial(&self) -> Result<Vec<u8>> {
        Ok(self.partial.clone())
    }

    fn merge(&mut self, _partial: &[u8]) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(vec![0; if self.mode == Mode::HugeState { 65 << 20 } else { 0 }])
    }

    fn load(&mut self, _state: &[u8], _version: u32) -> Result<()> {
        Ok(())
    }
}

fn spin() {
    let mut x = 0u64;
    loop {
        x = std::hint::black_box(x.wrapping_add(1));
    }
}

fn allocate() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1u8; 1 << 20]));
    }
}

/// On the engine's stack.
fn recurse(depth: u64) -> u64 {
    static STEP: AtomicU64 = AtomicU64::new(1);
    let step = STEP.load(Ordering::Relaxed);
    if depth == u64::MAX { 0 } else { recurse(depth + step).wrapping_mul(3) + step }
}

/// On the stack that the guest keeps in its memory.
fn recurse_with_frames(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if frame[0] == u64::MAX {
        return 0;
    }
    recurse_with_frames(std::hint::black_box(frame[3] + 1)) + frame[5]
}

fn text(rows: usize, data: Vec<u8>, offset: impl Fn(usize) -> i32) -> Column {
    let offsets = (0..=rows).flat_map(|row| offset(row).to_le_bytes()).collect();
    Column { data, validity: None, offsets: Some(offsets) }
}

fn add(columns: &mut [Column], amount: f32) {
    columns[0].edit::<f32>(|values| values.iter_mut().for_each(|value| *value += amount));
}

tiegel_plugin::export_estimator!(Hostile);
