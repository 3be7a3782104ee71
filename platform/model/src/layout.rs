use tiegel_types::{DType, Family, Field, ModelSpec, Schema, Task};

use crate::error::{Result, invalid};

/// Weights and biases of one model.
pub(crate) const PARAMETERS_MAX: usize = 1 << 26;
/// Hidden layers of an `mlp`.
const LAYERS_MAX: usize = 32;
/// Length of one embedding vector.
const EMBEDDING_LEN_MAX: u32 = 1_024;
/// Feature names that an error lists.
const NAMES_SHOWN_MAX: usize = 8;

/// Where each feature column enters the model: numbers first, in the order of the schema, then embedding vectors.
#[derive(Clone, Debug)]
pub(crate) struct InputLayout {
    pub(crate) features: Schema,
    pub(crate) numeric: Vec<NumericInput>,
    /// Inputs that all numeric columns give together.
    pub(crate) numeric_len: usize,
    pub(crate) categories: Vec<CategoryInput>,
}

#[derive(Clone, Debug)]
pub(crate) struct NumericInput {
    /// Index in `features`.
    pub(crate) column: usize,
    /// The first input it fills.
    pub(crate) offset: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct CategoryInput {
    pub(crate) column: usize,
    /// Length of the vector learned for each value.
    pub(crate) len: usize,
}

impl InputLayout {
    /// Refuses columns that a model cannot take, by name and with what to do.
    pub(crate) fn new(spec: &ModelSpec, features: &Schema) -> Result<Self> {
        check_embeddings(spec, features)?;
        let mut layout =
            Self { features: features.clone(), numeric: Vec::new(), numeric_len: 0, categories: Vec::new() };
        for (column, field) in features.fields.iter().enumerate() {
            if let Some(len) = spec.embeddings.get(&field.name) {
                layout.categories.push(CategoryInput { column, len: *len as usize });
            } else {
                check_numeric(field)?;
                layout.numeric.push(NumericInput { column, offset: layout.numeric_len });
                layout.numeric_len += field.width as usize;
            }
        }
        Ok(layout)
    }

    /// Inputs of the first dense layer.
    pub(crate) fn inputs(&self) -> usize {
        self.numeric_len + self.categories.iter().map(|c| c.len).sum::<usize>()
    }

    pub(crate) fn field(&self, column: usize) -> &Field {
        &self.features.fields[column]
    }

    /// Inputs and outputs of each dense layer; the last gives one number.
    pub(crate) fn dense_shapes(&self, spec: &ModelSpec) -> Vec<(usize, usize)> {
        let mut sizes = vec![self.inputs()];
        sizes.extend(spec.hidden.iter().map(|units| *units as usize));
        sizes.push(1);
        sizes.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// Every tensor of the model and its shape, in the order the network holds them: embedding tables `[values, len]`,
    /// then weights `[inputs, outputs]` and biases `[outputs]` of each dense layer.
    pub(crate) fn tensors(&self, spec: &ModelSpec, vocabulary_lens: &[usize]) -> Vec<(String, Vec<usize>)> {
        let tables = self.categories.iter().zip(vocabulary_lens);
        let tables =
            tables.map(|(c, values)| (format!("embedding.{}", self.field(c.column).name), vec![*values, c.len]));
        let dense = self.dense_shapes(spec).into_iter().enumerate().flat_map(|(layer, (inputs, outputs))| {
            [(format!("dense.{layer}.weight"), vec![inputs, outputs]), (format!("dense.{layer}.bias"), vec![outputs])]
        });
        tables.chain(dense).collect()
    }

    /// Refuses more parameters than one model may have; `vocabulary_lens` has a table length per embedding.
    pub(crate) fn parameters(&self, spec: &ModelSpec, vocabulary_lens: &[usize]) -> Result<usize> {
        let dense =
            self.dense_shapes(spec).into_iter().map(|(inputs, outputs)| inputs.saturating_mul(outputs) + outputs);
        let tables = self.categories.iter().zip(vocabulary_lens).map(|(c, values)| c.len.saturating_mul(*values));
        let parameters = dense.chain(tables).fold(0usize, usize::saturating_add);
        if parameters > PARAMETERS_MAX {
            return Err(invalid(format!(
                "the model would have {parameters} parameters and {PARAMETERS_MAX} are allowed: use smaller hidden layers, \
                 shorter embeddings or fewer features"
            )));
        }
        Ok(parameters)
    }
}

/// Refuses a model that cannot be fitted on these features.
pub(crate) fn check(task: Task, spec: &ModelSpec, features: &Schema) -> Result<InputLayout> {
    // Every task is open to every family so far; a task that is not must be refused here.
    let (Task::Binary | Task::Regression) = task;
    check_family(spec)?;
    let layout = InputLayout::new(spec, features)?;
    if layout.inputs() == 0 {
        return Err(invalid("a model needs at least one feature column: the pipeline's output has none"));
    }
    layout.parameters(spec, &[])?;
    Ok(layout)
}

fn check_family(spec: &ModelSpec) -> Result<()> {
    let refusal = match spec.family {
        Family::Linear if !spec.hidden.is_empty() => {
            "family linear has no hidden layers: remove 'hidden' or use family mlp"
        }
        Family::Linear if spec.dropout != 0.0 => "family linear has no hidden units to drop: remove 'dropout'",
        Family::Mlp if spec.hidden.is_empty() => {
            "family mlp needs at least one hidden layer, for example 'hidden: [64, 32]'; without any use family linear"
        }
        Family::Mlp if spec.hidden.len() > LAYERS_MAX => {
            return Err(invalid(format!("'hidden' has {} layers and {LAYERS_MAX} are allowed", spec.hidden.len())));
        }
        Family::Mlp if spec.hidden.contains(&0) => "a hidden layer of 0 units learns nothing: give it at least 1",
        Family::Mlp if !(0.0..1.0).contains(&spec.dropout) => {
            return Err(invalid(format!("'dropout' is {} and must be at least 0 and below 1", spec.dropout)));
        }
        _ => return Ok(()),
    };
    Err(invalid(refusal))
}

fn check_embeddings(spec: &ModelSpec, features: &Schema) -> Result<()> {
    for (name, len) in &spec.embeddings {
        let Some(field) = features.field(name) else {
            let mut names: Vec<_> = features.names().take(NAMES_SHOWN_MAX).collect();
            if features.fields.len() > NAMES_SHOWN_MAX {
                names.push("…");
            }
            return Err(invalid(format!(
                "'embeddings' names '{name}', which is no feature: there are {}",
                names.join(", ")
            )));
        };
        if field.width > 1 || !(field.dtype == DType::Utf8 || field.dtype.is_integer()) {
            return Err(invalid(format!(
                "column '{name}' is {}, and an embedding needs a utf8 or integer column of width 1: remove it from 'embeddings'",
                described(field)
            )));
        }
        if !(1..=EMBEDDING_LEN_MAX).contains(len) {
            return Err(invalid(format!("the embedding of '{name}' has length {len}: use 1 to {EMBEDDING_LEN_MAX}")));
        }
    }
    Ok(())
}

fn check_numeric(field: &Field) -> Result<()> {
    let advice = match field.dtype {
        DType::Utf8 => "encode it with the one-hot plugin, or list it under 'embeddings'",
        DType::TimestampUs | DType::Date32 => "turn it into numbers first, for example with the calendar plugin",
        DType::Binary => "leave it out of the features",
        DType::Bfloat16 => "cast it to float32",
        _ => return Ok(()),
    };
    Err(invalid(format!("column '{}' is {}, which is not a number: {advice}", field.name, described(field))))
}

fn described(field: &Field) -> String {
    if field.width > 1 { format!("{} of width {}", field.dtype, field.width) } else { field.dtype.to_string() }
}
