use arrow::array::{Array, ArrayRef, RecordBatch};
use tiegel_engine::{Binding, FitRows, Fitted, PluginFailure};
use tiegel_types::limits::PLUGIN_BATCH_ROWS_MAX;

use crate::core::{Core, Purpose};
use crate::fault::{refused_input, shift_row};
use crate::instance::Instance;
use crate::lower::{LoweredBatch, lower_column};

/// The share of an instance's memory that one batch may take; the rest is for the guest's own work.
const BATCH_MEMORY_SHARE: usize = 8;

/// What one chunk of rows teaches, on a fresh instance.
pub fn partial(core: &Core, binding: &Binding, chunk: u64, rows: &FitRows) -> Result<Vec<u8>, PluginFailure> {
    let plugin = core.require(binding)?;
    let purpose = Purpose { fitting: true, state: None, seed: &chunk.to_le_bytes() };
    let slot = core.room(&binding.image.label)?;
    let (mut instance, _) = core.bind(&plugin, binding, &purpose, slot)?;
    let most = Most {
        rows: preferred_rows(plugin.descriptor.preferred_rows),
        memory_bytes: plugin.limits(&binding.limits).memory_bytes_max,
    };
    let mut rows_before = 0;
    for (index, batch) in rows.batches.iter().enumerate() {
        let target = rows.targets.as_ref().and_then(|targets| targets.get(index));
        learn(&mut instance, binding, (batch, target), &most).map_err(|e| shift_row(e, rows_before))?;
        rows_before += batch.num_rows();
    }
    instance.partial()
}

/// Merges partials in the order given, on a fresh instance, and closes the fit.
pub fn finish(core: &Core, binding: &Binding, partials: &[Vec<u8>]) -> Result<Fitted, PluginFailure> {
    let plugin = core.require(binding)?;
    let purpose = Purpose { fitting: true, state: None, seed: b"finish" };
    let slot = core.room(&binding.image.label)?;
    let (mut instance, _) = core.bind(&plugin, binding, &purpose, slot)?;
    partials.iter().try_for_each(|partial| instance.merge(partial))?;
    let (output, state) = instance.finish()?;
    Ok(Fitted { output, state, state_version: plugin.descriptor.state_version })
}

/// Rows that a call should carry.
pub fn preferred_rows(asked: u32) -> usize {
    match asked as usize {
        0 => PLUGIN_BATCH_ROWS_MAX,
        asked => asked.min(PLUGIN_BATCH_ROWS_MAX),
    }
}

/// Rows of this batch that a call may carry: no more than preferred, and few enough bytes for the guest's memory.
pub fn rows_a_call(batch: &RecordBatch, rows_max: usize, memory_bytes_max: usize) -> usize {
    let bytes_max = (memory_bytes_max / BATCH_MEMORY_SHARE).max(1);
    // Of a slice this counts the whole buffers, so that under the limit it settles the matter at no cost.
    if batch.get_array_memory_size() <= bytes_max {
        return rows_max;
    }
    let bytes: usize = batch.columns().iter().filter_map(|c| c.to_data().get_slice_memory_size().ok()).sum();
    if bytes <= bytes_max {
        return rows_max;
    }
    let share = batch.num_rows() as u128 * bytes_max as u128 / bytes as u128;
    usize::try_from(share).unwrap_or(rows_max).clamp(1, rows_max)
}

/// Consecutive slices of at most `rows` rows: their first row and length.
pub fn slices(total: usize, rows: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..total).step_by(rows).map(move |from| (from, rows.min(total - from)))
}

/// What one call may carry.
struct Most {
    rows: usize,
    memory_bytes: usize,
}

fn learn(
    instance: &mut Instance,
    binding: &Binding,
    (batch, target): (&RecordBatch, Option<&ArrayRef>),
    most: &Most,
) -> Result<(), PluginFailure> {
    let label = binding.image.label.as_str();
    let target = match (&binding.target, target) {
        (Some(field), Some(target)) if target.len() == batch.num_rows() => Some((field, target)),
        (Some(field), _) => return Err(refused_input(label, "the target lacks rows", &field.name)),
        (None, _) => None,
    };
    let rows = rows_a_call(batch, most.rows, most.memory_bytes);
    for (from, len) in slices(batch.num_rows(), rows) {
        let input = LoweredBatch::new(label, &binding.input, &batch.slice(from, len))?;
        let target = target.map(|(field, target)| lower_column(label, field, &target.slice(from, len))).transpose()?;
        instance.partial_fit(&input, target.as_ref()).map_err(|e| shift_row(e, from))?;
    }
    Ok(())
}
