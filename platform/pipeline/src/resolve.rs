use std::collections::BTreeMap;

use serde_json::Value;
use tiegel_context::{Context, OpError, OpResult};
use tiegel_engine::{Binding, PluginImage, PluginLimits, SqlStep};
use tiegel_spec::{FitSpec, PipelineSpec, StepSpec};
use tiegel_types::{Digest, Name, Ordering, PluginDescriptor, Schema, Split};

use crate::split::with_split;

/// A pipeline whose steps are in order, whose inputs exist and whose plugins are known.
#[derive(Clone, Debug)]
pub struct ResolvedPipeline {
    pub name: Name,
    pub steps: Vec<PlannedStep>,
    pub output: Name,
    pub serve_from: Option<Name>,
    pub has_split: bool,
}

#[derive(Clone, Debug)]
pub struct PlannedStep {
    pub name: Name,
    pub inputs: Vec<InputRef>,
    pub code: StepCode,
    pub spec: StepSpec,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputRef {
    Dataset(Name),
    Step(Name),
}

impl InputRef {
    pub fn name(&self) -> &Name {
        match self {
            InputRef::Dataset(name) | InputRef::Step(name) => name,
        }
    }
}

#[derive(Clone, Debug)]
pub enum StepCode {
    Sql(SqlStep),
    Wasm(Box<WasmCode>),
}

#[derive(Clone, Debug)]
pub struct WasmCode {
    pub image: PluginImage,
    pub descriptor: PluginDescriptor,
    pub config: Value,
    pub columns: Vec<String>,
    pub keep: Vec<String>,
    pub ordering: Option<Ordering>,
    pub fit: Option<ResolvedFit>,
}

#[derive(Clone, Debug)]
pub struct ResolvedFit {
    pub split: Option<Split>,
    pub target: Option<String>,
}

impl ResolvedPipeline {
    pub fn step(&self, name: &Name) -> Option<&PlannedStep> {
        self.steps.iter().find(|s| s.name == *name)
    }

    /// The datasets that it reads.
    pub fn datasets(&self) -> Vec<Name> {
        let inputs = self.steps.iter().flat_map(|s| &s.inputs);
        let mut names: Vec<_> =
            inputs.filter_map(|i| if let InputRef::Dataset(n) = i { Some(n.clone()) } else { None }).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Resolves tables, plugins and the order of steps; says which step is wrong and why.
pub async fn resolve_pipeline(
    ctx: &Context,
    project: &Name,
    name: &Name,
    spec: &PipelineSpec,
    datasets: &[Name],
) -> OpResult<ResolvedPipeline> {
    let spec = spec.resolved().map_err(|e| OpError::invalid("invalid_pipeline", format!("pipeline '{name}': {e}")))?;
    let mut references = BTreeMap::new();
    let mut previous: Option<Name> = None;
    for (step_name, step) in &spec.steps {
        let place = format!("pipeline '{name}', step '{step_name}'");
        references.insert(step_name.clone(), tables_of(ctx, step, previous.as_ref()).map_err(|e| e.at(&place))?);
        previous = Some(step_name.clone());
    }
    let order =
        spec.order(&references).map_err(|e| OpError::invalid("cyclic_pipeline", format!("pipeline '{name}': {e}")))?;
    let mut steps = Vec::with_capacity(order.len());
    for step_name in order {
        let place = format!("pipeline '{name}', step '{step_name}'");
        let step = &spec.steps[&step_name];
        let inputs = input_refs(&references[&step_name], &spec, datasets).map_err(|e| e.at(&place))?;
        let code = resolve_code(ctx, project, &spec, (&step_name, step)).await.map_err(|e| e.at(&place))?;
        steps.push(PlannedStep { name: step_name, inputs, code, spec: step.clone() });
    }
    let output = spec.output.clone().or_else(|| spec.steps.keys().next_back().cloned());
    let output =
        output.ok_or_else(|| OpError::invalid("invalid_pipeline", format!("pipeline '{name}' has no steps")))?;
    Ok(ResolvedPipeline {
        name: name.clone(),
        steps,
        output,
        serve_from: spec.serve_from,
        has_split: spec.split.is_some(),
    })
}

fn tables_of(ctx: &Context, step: &StepSpec, previous: Option<&Name>) -> OpResult<Vec<String>> {
    if let Some(sql) = &step.sql {
        return Ok(ctx.tables.references(sql)?);
    }
    match step.from.as_ref().or(previous) {
        Some(from) => Ok(vec![from.to_string()]),
        None => Err(OpError::invalid("missing_input", "the first step reads nothing: add `from: DATASET`")),
    }
}

fn input_refs(tables: &[String], spec: &PipelineSpec, datasets: &[Name]) -> OpResult<Vec<InputRef>> {
    let resolve = |table: &String| {
        let name = Name::new(table.clone()).ok();
        if let Some(step) = name.as_ref().filter(|n| spec.steps.contains_key(*n)) {
            return Ok(InputRef::Step(step.clone()));
        }
        if let Some(dataset) = name.filter(|n| datasets.contains(n)) {
            return Ok(InputRef::Dataset(dataset));
        }
        let known = spec.steps.keys().chain(datasets).map(Name::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("there is no table '{table}'; the datasets and steps here are: {known}");
        Err(OpError::invalid("unknown_table", message))
    };
    tables.iter().map(resolve).collect()
}

async fn resolve_code(
    ctx: &Context,
    project: &Name,
    spec: &PipelineSpec,
    (name, step): (&Name, &StepSpec),
) -> OpResult<StepCode> {
    if let Some(sql) = &step.sql {
        let sql = match spec.split.as_ref().filter(|s| s.step == *name) {
            Some(split) => with_split(sql, split)?,
            None => sql.clone(),
        };
        return Ok(StepCode::Sql(SqlStep { sql, key: step.key.clone() }));
    }
    let wanted = step.wasm.as_deref().unwrap_or_default();
    let (image, descriptor) = find_plugin(ctx, project, wanted).await?;
    let default_split = spec.split.as_ref().map(|_| Split::Train);
    let fit = match (&step.fit, descriptor.fits) {
        (Some(FitSpec { split, target }), true) => {
            Some(ResolvedFit { split: split.or(default_split), target: target.clone() })
        }
        (None, true) => Some(ResolvedFit { split: default_split, target: None }),
        (None, false) => None,
        (Some(_), false) => {
            let message = format!("plugin {} learns nothing; remove `fit`", image.label);
            return Err(OpError::invalid("plugin_does_not_fit", message));
        }
    };
    Ok(StepCode::Wasm(Box::new(WasmCode {
        image,
        descriptor,
        config: step.config.clone().unwrap_or_else(|| serde_json::json!({})),
        columns: step.columns.clone(),
        keep: step.keep.clone(),
        ordering: step.ordering.clone(),
        fit,
    })))
}

/// Finds a plugin by `name`, `name@version` or `name@sha256:…`.
async fn find_plugin(ctx: &Context, project: &Name, wanted: &str) -> OpResult<(PluginImage, PluginDescriptor)> {
    let (name, rest) = wanted.split_once('@').map_or((wanted, None), |(n, r)| (n, Some(r)));
    let name = Name::new(name).map_err(|e| OpError::invalid("invalid_plugin", e.to_string()))?;
    let digest = rest.filter(|r| r.starts_with("sha256:")).map(str::parse::<Digest>).transpose();
    let digest = digest.map_err(|e| OpError::invalid("invalid_plugin", e.to_string()))?;
    let version = if digest.is_some() { None } else { rest };
    let Some(row) = ctx.store.plugin(project, &name, version, digest.as_ref()).await? else {
        let message = format!(
            "there is no plugin '{wanted}' in project '{project}'; push it with `tiegel plugin push FILE.wasm`"
        );
        return Err(OpError::invalid("unknown_plugin", message));
    };
    let image = PluginImage { digest: row.digest, label: format!("{}@{}", row.name, row.version) };
    Ok((image, row.descriptor))
}

impl WasmCode {
    /// The plugin bound to the columns it reads of a table.
    pub fn bind(&self, table: &Schema, limits: PluginLimits) -> OpResult<Binding> {
        let field = |column: &String| {
            table.field(column).cloned().ok_or_else(|| {
                let known = table.names().collect::<Vec<_>>().join(", ");
                OpError::invalid("unknown_column", format!("there is no column '{column}'; its input has: {known}"))
            })
        };
        let input = Schema::new(self.columns.iter().map(field).collect::<OpResult<_>>()?);
        let target = self.fit.as_ref().and_then(|f| f.target.as_ref()).map(field).transpose()?;
        Ok(Binding { image: self.image.clone(), config: self.config.clone(), input, target, limits })
    }
}
