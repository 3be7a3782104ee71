use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tiegel_spec::{Document, SourceBlob, SourceText, Spec};
use tiegel_types::{Digest, Hasher, Name, limits};

/// A project folder, read.
pub struct Folder {
    pub project: Name,
    pub documents: Vec<Document>,
    /// Files that datasets name, to upload.
    pub files: Vec<(PathBuf, Digest)>,
}

impl Folder {
    /// The body of a plan or an apply.
    pub fn request(&self, prune: bool, serial: Option<i64>) -> Value {
        let document = |d: &Document| json!({ "kind": d.kind, "name": d.name, "spec": d.spec.to_json() });
        let documents: Vec<_> = self.documents.iter().map(document).collect();
        json!({ "documents": documents, "prune": prune, "serial": serial })
    }
}

/// Reads the YAML of a folder (not of folders in it) or of one file, the SQL files it names, and the digests of its data.
pub fn read(path: &Path) -> anyhow::Result<Folder> {
    let (root, files) = yaml_files(path)?;
    let mut sources = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
        sources.push(SourceText { name, text: read_text(&file)? });
    }
    let parsed = tiegel_spec::parse(&sources).map_err(|diagnostics| {
        let lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("\n"))
    })?;
    let mut folder = Folder { project: parsed.project, documents: parsed.documents, files: vec![] };
    for document in &mut folder.documents {
        let place = format!("{}", document.location);
        match &mut document.spec {
            Spec::Dataset(spec) => {
                if let Some(pattern) = spec.source.path.clone() {
                    let found = data_files(&root, &pattern).with_context(|| place.clone())?;
                    spec.source.files = found.iter().map(|(blob, _)| blob.clone()).collect();
                    folder.files.extend(found.into_iter().map(|(blob, path)| (path, blob.digest)));
                }
            }
            Spec::Pipeline(spec) => {
                for (step, spec) in &mut spec.steps {
                    if let Some(file) = spec.sql.as_ref().filter(|sql| sql.trim().ends_with(".sql")) {
                        let path = inside(&root, file.trim()).with_context(|| format!("{place}: step '{step}'"))?;
                        spec.sql = Some(read_text(&path).with_context(|| format!("{place}: step '{step}'"))?);
                    }
                }
            }
            Spec::Training(_) | Spec::Endpoint(_) => {}
        }
    }
    Ok(folder)
}

fn yaml_files(path: &Path) -> anyhow::Result<(PathBuf, Vec<PathBuf>)> {
    if path.is_file() {
        let root = path.parent().unwrap_or(Path::new(".")).to_owned();
        return Ok((root, vec![path.to_owned()]));
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read the folder {}", path.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry?.path();
        let is_yaml = file.extension().is_some_and(|e| e == "yaml" || e == "yml");
        if file.is_file() && is_yaml {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("{} holds no .yaml files; name a project folder with -f FOLDER", path.display());
    }
    Ok((path.to_owned(), files))
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if bytes > limits::DOCUMENT_BYTES_MAX as u64 {
        bail!("{} has {bytes} bytes; at most {} are read", path.display(), limits::DOCUMENT_BYTES_MAX);
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {} as UTF-8 text", path.display()))
}

/// A path that stays in the project folder.
fn inside(root: &Path, relative: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(relative);
    let leaves = path.is_absolute() || path.components().any(|c| matches!(c, std::path::Component::ParentDir));
    if leaves {
        bail!("'{relative}' leaves the project folder; write a path below it");
    }
    Ok(root.join(path))
}

fn data_files(root: &Path, pattern: &str) -> anyhow::Result<Vec<(SourceBlob, PathBuf)>> {
    let full = inside(root, pattern)?;
    let mut found = Vec::new();
    for path in glob::glob(&full.to_string_lossy()).with_context(|| format!("'{pattern}' is not a file pattern"))? {
        let path = path?;
        if path.is_file() {
            let (digest, bytes) = digest_of(&path)?;
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            found.push((SourceBlob { path: name, digest, bytes }, path));
        }
    }
    if found.is_empty() {
        bail!("source.path '{pattern}' matches no file in {}", root.display());
    }
    if found.len() > limits::SOURCE_FILES_MAX {
        bail!("source.path '{pattern}' matches {} files; at most {} are read", found.len(), limits::SOURCE_FILES_MAX);
    }
    Ok(found)
}

fn digest_of(path: &Path) -> anyhow::Result<(Digest, u64)> {
    let mut file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hasher = HashWriter(Hasher::default());
    let bytes = std::io::copy(&mut file, &mut hasher)?;
    Ok((hasher.0.finish(), bytes))
}

struct HashWriter(Hasher);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
