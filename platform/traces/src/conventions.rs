//! What other libraries call a span's kind, its inputs and outputs, its tokens and its model.

use serde_json::{Map, Value};

use crate::attributes::{Attributes, decoded};

pub(crate) const KIND: &str = "mlflow.spanType";
pub(crate) const INPUTS: &str = "mlflow.spanInputs";
pub(crate) const OUTPUTS: &str = "mlflow.spanOutputs";
pub(crate) const USAGE: &str = "mlflow.chat.tokenUsage";
pub(crate) const MODEL: &str = "mlflow.llm.model";
pub(crate) const PROVIDER: &str = "mlflow.llm.provider";

/// The keys of one convention; an empty one is not in it.
struct Convention {
    kind: &'static str,
    kinds: &'static [(&'static str, &'static str)],
    inputs: &'static [&'static str],
    outputs: &'static [&'static str],
    input_tokens: &'static str,
    output_tokens: &'static str,
    total_tokens: &'static str,
    cache_read_tokens: &'static str,
    cache_write_tokens: &'static [&'static str],
    models: &'static [&'static str],
    provider: &'static str,
}

const NONE: Convention = Convention {
    kind: "",
    kinds: &[],
    inputs: &[],
    outputs: &[],
    input_tokens: "",
    output_tokens: "",
    total_tokens: "",
    cache_read_tokens: "",
    cache_write_tokens: &[],
    models: &[],
    provider: "",
};

/// In the order in which they are asked.
static CONVENTIONS: [Convention; 6] = [
    // OpenInference
    Convention {
        kind: "openinference.span.kind",
        kinds: &[
            ("TOOL", "TOOL"),
            ("CHAIN", "CHAIN"),
            ("LLM", "LLM"),
            ("RETRIEVER", "RETRIEVER"),
            ("EMBEDDING", "EMBEDDING"),
            ("AGENT", "AGENT"),
            ("RERANKER", "RERANKER"),
            ("UNKNOWN", "UNKNOWN"),
            ("GUARDRAIL", "GUARDRAIL"),
            ("EVALUATOR", "EVALUATOR"),
        ],
        inputs: &["input.value"],
        outputs: &["output.value"],
        input_tokens: "llm.token_count.prompt",
        output_tokens: "llm.token_count.completion",
        total_tokens: "llm.token_count.total",
        cache_read_tokens: "llm.token_count.prompt_details.cache_read",
        cache_write_tokens: &["llm.token_count.prompt_details.cache_write"],
        models: &["llm.response.model_name", "llm.model_name", "llm.request.model_name", "embedding.model_name"],
        provider: "llm.provider",
    },
    // OpenTelemetry's own for generative models
    Convention {
        kind: "gen_ai.operation.name",
        kinds: &[
            ("chat", "CHAT_MODEL"),
            ("create_agent", "AGENT"),
            ("embeddings", "EMBEDDING"),
            ("execute_tool", "TOOL"),
            ("generate_content", "LLM"),
            ("invoke_agent", "AGENT"),
            ("text_completion", "LLM"),
            ("response", "LLM"),
        ],
        inputs: &["gen_ai.input.messages", "gen_ai.tool.call.arguments"],
        outputs: &["gen_ai.output.messages", "gen_ai.tool.call.result"],
        input_tokens: "gen_ai.usage.input_tokens",
        output_tokens: "gen_ai.usage.output_tokens",
        cache_read_tokens: "gen_ai.usage.cache_read.input_tokens",
        cache_write_tokens: &["gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"],
        models: &["gen_ai.response.model", "gen_ai.request.model"],
        provider: "gen_ai.provider.name",
        ..NONE
    },
    // Traceloop
    Convention {
        kind: "traceloop.span.kind",
        kinds: &[
            ("workflow", "WORKFLOW"),
            ("task", "TASK"),
            ("agent", "AGENT"),
            ("tool", "TOOL"),
            ("unknown", "UNKNOWN"),
        ],
        inputs: &["traceloop.entity.input", "gen_ai.prompt.0.content"],
        outputs: &["traceloop.entity.output", "gen_ai.completion.0.content"],
        input_tokens: "gen_ai.usage.prompt_tokens",
        output_tokens: "gen_ai.usage.completion_tokens",
        total_tokens: "llm.usage.total_tokens",
        provider: "gen_ai.system",
        ..NONE
    },
    // Google's agents
    Convention {
        inputs: &["gcp.vertex.agent.llm_request", "gcp.vertex.agent.tool_call_args"],
        outputs: &["gcp.vertex.agent.llm_response", "gcp.vertex.agent.tool_response"],
        ..NONE
    },
    // Laminar
    Convention { inputs: &["lmnr.span.input"], outputs: &["lmnr.span.output"], ..NONE },
    // Langfuse
    Convention {
        kind: "langfuse.observation.type",
        kinds: &[
            ("generation", "LLM"),
            ("embedding", "EMBEDDING"),
            ("tool", "TOOL"),
            ("retriever", "RETRIEVER"),
            ("agent", "AGENT"),
            ("chain", "CHAIN"),
            ("evaluator", "EVALUATOR"),
            ("guardrail", "GUARDRAIL"),
            ("span", "UNKNOWN"),
        ],
        inputs: &["langfuse.observation.input"],
        outputs: &["langfuse.observation.output"],
        ..NONE
    },
];

/// Adds what the span says in another convention, where it does not say it in this one.
pub(crate) fn translate(attributes: &mut Attributes) {
    // Most spans are MLflow's own, and need nothing.
    let is_foreign = attributes.iter().any(|(key, _)| !key.starts_with("mlflow."));
    if is_foreign {
        translate_kind(attributes);
        for (key, keys) in [(INPUTS, (|c| c.inputs) as fn(&Convention) -> &[&str]), (OUTPUTS, |c| c.outputs)] {
            if attributes.get(key).is_none()
                && let Some(text) = first(attributes, keys)
            {
                attributes.set(key, text);
            }
        }
        if attributes.get(USAGE).is_none()
            && let Some(usage) = CONVENTIONS.iter().find_map(|convention| usage(attributes, convention))
        {
            attributes.set(USAGE, usage);
        }
    }
    if attributes.get(MODEL).is_none()
        && let Some(model) = first(attributes, |c| c.models).or_else(|| model_inside(attributes))
    {
        attributes.set(MODEL, model);
    }
    if is_foreign
        && attributes.get(PROVIDER).is_none()
        && let Some(provider) = first(attributes, |c| std::slice::from_ref(&c.provider))
    {
        attributes.set(PROVIDER, provider);
    }
}

fn translate_kind(attributes: &mut Attributes) {
    if !matches!(attributes.decoded(KIND).as_deref(), None | Some("UNKNOWN" | "null")) {
        return;
    }
    let kind = CONVENTIONS.iter().filter(|convention| !convention.kind.is_empty()).find_map(|convention| {
        let kind = attributes.decoded(convention.kind)?;
        convention.kinds.iter().find(|(theirs, _)| *theirs == kind).map(|(_, ours)| *ours)
    });
    if let Some(kind) = kind {
        attributes.set(KIND, format!("\"{kind}\""));
    }
}

/// The first of the keys that is there and says something.
fn first(attributes: &Attributes, keys: impl Fn(&'static Convention) -> &'static [&'static str]) -> Option<String> {
    CONVENTIONS.iter().flat_map(keys).find_map(|key| attributes.filled(key)).map(str::to_owned)
}

fn usage(attributes: &Attributes, convention: &Convention) -> Option<String> {
    let count = |key: &str| -> Option<i64> { decoded(attributes.get(key)?).trim().parse().ok() };
    let input = count(convention.input_tokens);
    let output = count(convention.output_tokens);
    let total = count(convention.total_tokens).or_else(|| input?.checked_add(output?));
    if input.is_none() && output.is_none() && total.is_none() {
        return None;
    }
    let cache_write = convention.cache_write_tokens.iter().find_map(|key| count(key));
    let counts = [
        ("input_tokens", input),
        ("output_tokens", output),
        ("total_tokens", total),
        ("cache_read_input_tokens", count(convention.cache_read_tokens)),
        ("cache_creation_input_tokens", cache_write),
    ];
    let counts: Vec<_> = counts.iter().filter_map(|(key, count)| Some(format!("\"{key}\": {}", (*count)?))).collect();
    Some(format!("{{{}}}", counts.join(", ")))
}

/// Requests and answers of models name the model.
fn model_inside(attributes: &Attributes) -> Option<String> {
    [INPUTS, OUTPUTS].into_iter().filter_map(|key| attributes.get(key)).find_map(|text| {
        if !text.contains("\"model\"") {
            return None;
        }
        let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
        fields.get("model").filter(|model| model.as_str().is_some_and(|model| !model.is_empty())).map(Value::to_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(pairs: &[(&str, &str)]) -> Attributes {
        let mut attributes = Attributes::default();
        for (key, text) in pairs {
            attributes.set(*key, (*text).to_owned());
        }
        translate(&mut attributes);
        attributes
    }

    #[test]
    fn a_span_of_opentelemetrys_convention_is_understood() {
        let span = translated(&[
            ("gen_ai.operation.name", "\"chat\""),
            ("gen_ai.usage.input_tokens", "3"),
            ("gen_ai.usage.output_tokens", "\"4\""),
            ("gen_ai.request.model", "\"m\""),
            ("gen_ai.provider.name", "\"p\""),
            ("gen_ai.input.messages", "[]"),
            ("gen_ai.tool.call.arguments", "{\"a\": 1}"),
        ]);
        assert_eq!(span.get(KIND), Some("\"CHAT_MODEL\""));
        assert_eq!(span.get(USAGE), Some(r#"{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}"#));
        assert_eq!((span.get(MODEL), span.get(PROVIDER)), (Some("\"m\""), Some("\"p\"")));
        assert_eq!((span.get(INPUTS), span.get(OUTPUTS)), (Some("{\"a\": 1}"), None));
    }

    #[test]
    fn what_a_span_says_itself_stays() {
        let span = translated(&[
            (KIND, "\"TOOL\""),
            (USAGE, "{}"),
            ("openinference.span.kind", "\"LLM\""),
            ("llm.token_count.total", "5"),
            ("input.value", "\"in\""),
            (INPUTS, "\"own\""),
        ]);
        assert_eq!(
            (span.get(KIND), span.get(USAGE), span.get(INPUTS)),
            (Some("\"TOOL\""), Some("{}"), Some("\"own\""))
        );
        let unknown = translated(&[(KIND, "\"UNKNOWN\""), ("openinference.span.kind", "\"LLM\"")]);
        assert_eq!(unknown.get(KIND), Some("\"LLM\""));
    }

    #[test]
    fn a_model_is_found_in_the_request() {
        let span = translated(&[(INPUTS, r#"{"model": "m", "messages": []}"#)]);
        assert_eq!(span.get(MODEL), Some("\"m\""));
        assert_eq!(translated(&[(INPUTS, r#"{"model": 5}"#)]).get(MODEL), None);
    }
}
