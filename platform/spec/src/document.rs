use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tiegel_types::{Digest, Kind, Name, ResourceRef, Split};

use crate::de::from_node;
use crate::diagnostic::{Diagnostic, Location};
use crate::kinds::{PipelineSpec, Spec};
use crate::node::Node;

/// The only format of documents so far.
pub const API_VERSION: &str = "tiegel/v1";
/// The project of documents that name none.
pub const DEFAULT_PROJECT: &str = "default";

/// The documents of one project folder.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectDocs {
    pub project: Name,
    /// In the order of the files, and in each file as written.
    pub documents: Vec<Document>,
    pub warnings: Vec<Diagnostic>,
}

/// One declared resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub kind: Kind,
    pub project: Name,
    pub name: Name,
    pub labels: BTreeMap<String, String>,
    pub spec: Spec,
    pub location: Location,
}

impl Document {
    /// A document that came from no file.
    pub fn new(project: Name, name: Name, spec: Spec) -> Self {
        let location = Location::default();
        Self { kind: spec.kind(), project, name, labels: BTreeMap::new(), spec, location }
    }

    pub fn reference(&self) -> ResourceRef {
        ResourceRef::new(self.kind, self.name.clone())
    }

    /// The digest of what the document declares: kind, name, labels and canonical spec. Project and place do not count.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&json!({
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "name": self.name,
            "labels": self.labels,
            "spec": self.spec.to_json(),
        }))
    }
}

impl ProjectDocs {
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Document> {
        self.documents.iter().find(|d| d.kind == kind && d.name.as_str() == name)
    }
}

impl Spec {
    /// The canonical JSON: every default that depends on this spec alone is filled in, and absent fields are left out.
    pub fn to_json(&self) -> Value {
        match self {
            Spec::Pipeline(pipeline) => Spec::Pipeline(pipeline.with_defaults()).to_plain_json(),
            other => other.to_plain_json(),
        }
    }

    /// Reads what `to_json` wrote. Checks shape, not meaning: see `check` for that.
    pub fn from_json(kind: Kind, value: &Value) -> Result<Self, String> {
        Self::from_node(kind, &Node::from_json(value)).map_err(|fault| fault.to_string())
    }

    pub(crate) fn from_node(kind: Kind, node: &Node) -> Result<Self, crate::de::Fault> {
        Ok(match kind {
            Kind::Dataset => Spec::Dataset(from_node(node)?),
            Kind::Pipeline => Spec::Pipeline(from_node(node)?),
            Kind::Training => Spec::Training(from_node(node)?),
            Kind::Endpoint => Spec::Endpoint(from_node(node)?),
        })
    }

    /// As the user wrote it.
    pub(crate) fn to_plain_json(&self) -> Value {
        let json = match self {
            Spec::Dataset(spec) => serde_json::to_value(spec),
            Spec::Pipeline(spec) => serde_json::to_value(spec),
            Spec::Training(spec) => serde_json::to_value(spec),
            Spec::Endpoint(spec) => serde_json::to_value(spec),
        };
        let mut json = json.expect("specs have text keys only");
        for test in json.get_mut("tests").and_then(Value::as_array_mut).into_iter().flatten() {
            drop_open_bounds(test);
        }
        json
    }
}

/// A range or a count that is open at one end says nothing of it.
fn drop_open_bounds(test: &mut Value) {
    for kind in ["range", "rows"] {
        if let Some(bounds) = test.get_mut(kind).and_then(Value::as_object_mut) {
            bounds.retain(|_, bound| !bound.is_null());
        }
    }
}

impl PipelineSpec {
    /// Names what the order of the steps implies, so that the order itself means nothing any more.
    fn with_defaults(&self) -> Self {
        let mut filled = self.clone();
        filled.output = self.output_step().cloned();
        for (index, (name, step)) in self.steps.iter().enumerate() {
            let into = &mut filled.steps[name];
            if step.wasm.is_some() {
                into.from = self.source_of(index, step).cloned();
            }
            if let (Some(fit), true) = (&mut into.fit, self.split.is_some()) {
                fit.split.get_or_insert(Split::Train);
            }
        }
        filled
    }
}

/// The frame around each spec.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Envelope {
    #[serde(default)]
    pub(crate) api_version: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) metadata: Metadata,
    #[serde(rename = "spec")]
    _spec: serde::de::IgnoredAny,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<Name>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
}

impl Document {
    /// The whole document with its frame, as `parse` reads it.
    pub fn to_json(&self) -> Value {
        self.framed(true)
    }

    /// The document as a file holds it; only the first of a file names version and project.
    pub(crate) fn framed(&self, first: bool) -> Value {
        let metadata = Metadata {
            name: self.name.clone(),
            project: first.then(|| self.project.clone()),
            labels: self.labels.clone(),
        };
        let mut frame = Map::new();
        if first {
            frame.insert("apiVersion".to_owned(), json!(API_VERSION));
        }
        frame.insert("kind".to_owned(), json!(self.kind));
        frame.insert("metadata".to_owned(), json!(metadata));
        frame.insert("spec".to_owned(), self.spec.to_plain_json());
        Value::Object(frame)
    }
}
