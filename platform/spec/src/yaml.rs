use std::collections::{HashMap, HashSet};

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use crate::node::{Content, Entry, Mark, Node};

/// Values of one file, with aliases written out. A long text counts as several.
const NODES_MAX: usize = 200_000;
/// Bytes of text that count as one more value, so that repeating a long text by aliases is bounded too.
const NODE_TEXT_BYTES: usize = 32;
/// Levels of lists and fields within each other, with aliases written out.
const DEPTH_MAX: usize = 64;

/// Why a text is no YAML that we read.
pub(crate) struct YamlError {
    pub(crate) mark: Mark,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// The documents of a YAML stream (JSON is YAML), each with the place of its every value.
pub(crate) fn read_stream(text: &str) -> Result<Vec<Node>, YamlError> {
    let options = granit_parser::options! { flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => reader.anchors.clear(),
            first => documents.push(reader.node(first, span, 0)?),
        }
    }
    documents.retain(|d| !d.is_null());
    Ok(documents)
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// The values that an alias of this document may stand for, with their height.
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        self.parser.next_event().transpose().map_err(syntax_error)
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let mark = mark_of(&span);
        let (content, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let forced_text = check_tag(tag.as_deref(), mark)?;
                let plain = style == ScalarStyle::Plain && !forced_text;
                (Content::Scalar { text: text.into_owned(), plain }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), mark)?;
                (self.list(depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), mark)?;
                (self.map(depth)?, anchor)
            }
            Event::Alias(id) => return self.alias(id, mark, depth),
            other => return Err(refused(mark, format!("unexpected {other:?}"), None)),
        };
        let node = Node { content, mark };
        self.count(own_size(&node), mark)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Content, YamlError> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.node(event, span, depth + 1)?);
        }
        Ok(Content::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Content, YamlError> {
        let mut entries = Vec::new();
        let mut keys = HashSet::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let (key, key_mark) = self.key(event, &span)?;
            if !keys.insert(key.clone()) {
                return Err(refused(key_mark, format!("the field '{key}' is written twice"), Some("keep one of them")));
            }
            let Some((event, span)) = self.next()? else { break };
            entries.push(Entry { key, key_mark, value: self.node(event, span, depth + 1)? });
        }
        Ok(Content::Map(entries))
    }

    fn key(&mut self, event: Event<'a>, span: &Span) -> Result<(String, Mark), YamlError> {
        let mark = mark_of(span);
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<" => {
                Err(refused(mark, "merge keys ('<<') are not read", Some("write the fields out")))
            }
            Event::Scalar(text, _, 0, None) => Ok((text.into_owned(), mark)),
            _ => Err(refused(mark, "a field's name must be plain text", None)),
        }
    }

    fn alias(&mut self, id: usize, mark: Mark, depth: usize) -> Result<Node, YamlError> {
        let Some(target) = self.anchors.get(&id) else {
            return Err(refused(mark, "an alias may not stand inside the value that it names", None));
        };
        let (nodes, height) = size(target);
        if depth + height > DEPTH_MAX {
            return Err(refused(mark, format!("more than {DEPTH_MAX} levels within each other"), None));
        }
        let node = Node { mark, ..target.clone() };
        self.count(nodes, mark)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, mark: Mark) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return Err(refused(mark, format!("more than {NODES_MAX} values in one file"), Some("split the file")));
        }
        Ok(())
    }
}

/// Values in a node and its height. Recursion is bounded: no node that we keep is deeper than `DEPTH_MAX`.
fn size(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.content {
        Content::Scalar { .. } => return (own_size(node), 0),
        Content::List(items) => items.iter().collect(),
        Content::Map(entries) => entries.iter().map(|e| &e.value).collect(),
    };
    let sizes = children.into_iter().map(size);
    let (nodes, height) = sizes.fold((0, 0), |(n, h), (nodes, height)| (n + nodes, h.max(height)));
    (nodes + own_size(node), height + 1)
}

/// What a node counts without its children.
fn own_size(node: &Node) -> usize {
    match &node.content {
        Content::Scalar { text, .. } => 1 + text.len() / NODE_TEXT_BYTES,
        Content::List(_) => 1,
        Content::Map(entries) => 1 + entries.iter().map(|e| e.key.len() / NODE_TEXT_BYTES).sum::<usize>(),
    }
}

/// Whether a tag forces text. Any tag but `!!str` is refused: it would change a type behind the reader's back.
fn check_tag(tag: Option<&Tag>, mark: Mark) -> Result<bool, YamlError> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.core_suffix() == Some("str") => Ok(true),
        Some(tag) => Err(refused(mark, format!("the tag '{}' is not read", tag.original()), Some("remove it"))),
    }
}

fn refused(mark: Mark, message: impl Into<String>, hint: Option<&str>) -> YamlError {
    YamlError { mark, message: message.into(), hint: hint.map(str::to_owned) }
}

fn syntax_error(error: ScanError) -> YamlError {
    let mark = Mark { line: error.marker().line() as u32, column: error.marker().col() as u32 + 1 };
    refused(mark, format!("no valid YAML: {}", error.info()), None)
}

fn mark_of(span: &Span) -> Mark {
    Mark { line: span.start.line() as u32, column: span.start.col() as u32 + 1 }
}
