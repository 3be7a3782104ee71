use tiegel_types::Name;
use tiegel_types::limits::{DOCUMENT_BYTES_MAX, DOCUMENTS_MAX};

use crate::check::findings;
use crate::de::{Fault, from_node};
use crate::diagnostic::{Diagnostic, Location, Severity, SourceText};
use crate::document::{API_VERSION, DEFAULT_PROJECT, Document, Envelope, ProjectDocs};
use crate::field::{FieldPath, Segment};
use crate::kinds::Spec;
use crate::node::{Mark, Node};
use crate::yaml;

/// Reads the YAML and JSON files of a project folder and checks all that can be checked without data.
///
/// Later documents of a file inherit `apiVersion` and `metadata.project` from its first. On failure, one diagnostic for
/// each document that cannot be read, or, once all can be, every rule that is broken.
pub fn parse(files: &[SourceText]) -> Result<ProjectDocs, Vec<Diagnostic>> {
    let mut drafts = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        match read_file(file) {
            Ok(found) => found.into_iter().for_each(|draft| match draft {
                Ok(draft) => drafts.push(draft),
                Err(error) => errors.push(error),
            }),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        errors.extend(check_count(&drafts));
    }
    let project = match common_project(&drafts) {
        Ok(project) => project,
        Err(error) => {
            errors.push(error);
            Name::new(DEFAULT_PROJECT).expect("the default project has a good name")
        }
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    check_all(project, drafts)
}

/// A document before its project is known, with the tree that knows where its fields are.
struct Draft {
    document: Document,
    node: Node,
    /// The project that it, or the first document of its file, names.
    project: Option<Name>,
}

fn read_file(file: &SourceText) -> Result<Vec<Result<Draft, Diagnostic>>, Diagnostic> {
    if file.text.len() > DOCUMENT_BYTES_MAX {
        let message = format!("the file has {} bytes; at most {DOCUMENT_BYTES_MAX} are read", file.text.len());
        return Err(diagnostic(file, Mark::default(), message, Some("split the file".to_owned())));
    }
    let nodes = yaml::read_stream(&file.text).map_err(|e| diagnostic(file, e.mark, e.message, e.hint))?;
    let mut inherited: Option<Option<Name>> = None;
    let read = nodes.into_iter().map(|node| {
        let draft = read_document(file, node, inherited.as_ref());
        if inherited.is_none() {
            inherited = Some(draft.as_ref().ok().and_then(|d| d.project.clone()));
        }
        draft
    });
    Ok(read.collect())
}

/// `inherited` is the project of the file's first document; none for the first document itself.
fn read_document(file: &SourceText, node: Node, inherited: Option<&Option<Name>>) -> Result<Draft, Diagnostic> {
    let refuse = |fault: Fault| {
        let (path, mark, message, hint) = fault.into_parts();
        Diagnostic { field: path.to_string(), ..diagnostic(file, mark, message, hint) }
    };
    let envelope: Envelope = from_node(&node).map_err(refuse)?;
    check_version(&envelope, inherited.is_none()).map_err(|(path, message, hint)| {
        let mark = node.locate(&path);
        Diagnostic { field: path.to_string(), ..diagnostic(file, mark, message, hint) }
    })?;
    let spec = &node.entry("spec").expect("the envelope has a spec").value;
    let inside = |fault: Fault| refuse(fault.inside(Segment::Field("spec".to_owned())));
    let spec = Spec::from_node(envelope.kind, spec).map_err(inside)?;
    let mark = node.mark;
    let document = Document {
        kind: envelope.kind,
        project: Name::new(DEFAULT_PROJECT).expect("the default project has a good name"),
        name: envelope.metadata.name,
        labels: envelope.metadata.labels,
        spec,
        location: Location { file: file.name.clone(), line: mark.line, column: mark.column },
    };
    let project = envelope.metadata.project.or_else(|| inherited.cloned().flatten());
    Ok(Draft { document, node, project })
}

type Refusal = (FieldPath, String, Option<String>);

fn check_version(envelope: &Envelope, first: bool) -> Result<(), Refusal> {
    match envelope.api_version.as_deref() {
        Some(API_VERSION) => Ok(()),
        Some(other) => {
            let message = format!("the version '{other}' is not known");
            Err((FieldPath::new("apiVersion"), message, Some(format!("write {API_VERSION}"))))
        }
        None if first => {
            let message = "the first document of a file must name its version".to_owned();
            Err((FieldPath::new("apiVersion"), message, Some(format!("write apiVersion: {API_VERSION}"))))
        }
        None => Ok(()),
    }
}

fn check_count(drafts: &[Draft]) -> Option<Diagnostic> {
    let location = Location::default();
    let message = match drafts.len() {
        0 => "there is no document".to_owned(),
        n if n > DOCUMENTS_MAX => format!("there are {n} documents; a project has at most {DOCUMENTS_MAX}"),
        _ => return None,
    };
    Some(Diagnostic { severity: Severity::Error, location, field: String::new(), message, hint: None })
}

/// The one project that the documents name, or the default one.
fn common_project(drafts: &[Draft]) -> Result<Name, Diagnostic> {
    let mut named = drafts.iter().filter_map(|d| Some((d, d.project.as_ref()?)));
    let Some((_, project)) = named.next() else {
        return Ok(Name::new(DEFAULT_PROJECT).expect("the default project has a good name"));
    };
    match named.find(|(_, other)| *other != project) {
        None => Ok(project.clone()),
        Some((draft, other)) => {
            let path = FieldPath::new("metadata").field("project");
            let mark = draft.node.locate(&path);
            let file = draft.document.location.file.clone();
            Err(Diagnostic {
                severity: Severity::Error,
                location: Location { file, line: mark.line, column: mark.column },
                field: path.to_string(),
                message: format!("the project is '{other}' here and '{project}' in other documents"),
                hint: Some("a folder holds one project".to_owned()),
            })
        }
    }
}

fn check_all(project: Name, drafts: Vec<Draft>) -> Result<ProjectDocs, Vec<Diagnostic>> {
    let (mut documents, nodes): (Vec<_>, Vec<_>) = drafts.into_iter().map(|d| (d.document, d.node)).unzip();
    documents.iter_mut().for_each(|d| d.project = project.clone());
    let located = findings(&documents).into_iter().map(|finding| {
        let mark = nodes[finding.document].locate(&finding.path);
        finding.at(&documents, mark)
    });
    let (errors, warnings): (Vec<_>, Vec<_>) = located.partition(Diagnostic::is_error);
    if errors.is_empty() { Ok(ProjectDocs { project, documents, warnings }) } else { Err(errors) }
}

fn diagnostic(file: &SourceText, mark: Mark, message: String, hint: Option<String>) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        location: Location { file: file.name.clone(), line: mark.line, column: mark.column },
        field: String::new(),
        message,
        hint,
    }
}
