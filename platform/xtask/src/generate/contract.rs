//! The contract's types in TypeScript, from its WIT.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use wit_parser::{Docs, Function, Interface, Resolve, Type, TypeDef, TypeDefKind, WorldItem};

const HEADER: &str = "// Written by `cargo xtask gen` from sdk/wit/v1.\n";

/// Types, functions and worlds of the contract in `folder`.
pub fn typescript(folder: &Path) -> Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder)?;
    let mut text = HEADER.to_owned();
    for id in resolve.packages[package].interfaces.values() {
        interface(&resolve, &resolve.interfaces[*id], &mut text)?;
    }
    for id in resolve.packages[package].worlds.values() {
        world(&resolve, &resolve.worlds[*id], &mut text)?;
    }
    Ok(text)
}

fn interface(resolve: &Resolve, interface: &Interface, text: &mut String) -> Result<()> {
    for id in interface.types.values() {
        type_definition(resolve, &resolve.types[*id], text)?;
    }
    if interface.functions.is_empty() {
        return Ok(());
    }
    text.push('\n');
    docs(&interface.docs, "", text);
    writeln!(text, "export interface {}Interface {{", pascal(interface.name.as_deref().unwrap_or_default()))?;
    for function in interface.functions.values() {
        docs(&function.docs, "  ", text);
        writeln!(text, "  {};", signature(resolve, function)?)?;
    }
    text.push_str("}\n");
    Ok(())
}

fn type_definition(resolve: &Resolve, definition: &TypeDef, text: &mut String) -> Result<()> {
    let Some(name) = definition.name.as_deref().map(pascal) else { return Ok(()) };
    let mut body = String::new();
    match &definition.kind {
        TypeDefKind::Record(record) => {
            writeln!(body, "export interface {name} {{")?;
            for field in &record.fields {
                docs(&field.docs, "  ", &mut body);
                writeln!(body, "  {}: {};", camel(&field.name), type_name(resolve, &field.ty)?)?;
            }
            body.push_str("}\n");
        }
        TypeDefKind::Enum(cases) => {
            writeln!(body, "export type {name} =")?;
            let cases: Vec<String> = cases.cases.iter().map(|case| format!("  | \"{}\"", case.name)).collect();
            writeln!(body, "{};", cases.join("\n"))?;
        }
        // A `use` of another interface's type: TypeScript has them all in one module.
        TypeDefKind::Type(Type::Id(_)) => return Ok(()),
        other => bail!("the contract's type '{name}' is a {}: teach the generator to write it", other.as_str()),
    }
    text.push('\n');
    docs(&definition.docs, "", text);
    text.push_str(&body);
    Ok(())
}

fn world(resolve: &Resolve, world: &wit_parser::World, text: &mut String) -> Result<()> {
    text.push('\n');
    docs(&world.docs, "", text);
    writeln!(text, "export interface {}World {{", pascal(&world.name))?;
    for (what, items) in [("imports", &world.imports), ("exports", &world.exports)] {
        let named = items.values().filter_map(|item| match item {
            WorldItem::Interface { id, .. } => Some(&resolve.interfaces[*id]),
            _ => None,
        });
        let with_functions = named.filter(|interface| !interface.functions.is_empty());
        let names = with_functions.filter_map(|interface| interface.name.as_deref());
        let members: Vec<String> = names.map(|name| format!("{}: {}Interface", camel(name), pascal(name))).collect();
        writeln!(text, "  {what}: {{ {} }};", members.join("; "))?;
    }
    text.push_str("}\n");
    Ok(())
}

fn signature(resolve: &Resolve, function: &Function) -> Result<String> {
    let mut parameters = Vec::new();
    for parameter in &function.params {
        parameters.push(format!("{}: {}", camel(&parameter.name), type_name(resolve, &parameter.ty)?));
    }
    let answer = function.result.as_ref().map_or_else(|| Ok("void".to_owned()), |ty| type_name(resolve, ty))?;
    Ok(format!("{}({}): {answer}", camel(&function.name), parameters.join(", ")))
}

/// As QuickJS guests see it: an error of a result is thrown.
fn type_name(resolve: &Resolve, ty: &Type) -> Result<String> {
    let Type::Id(id) = ty else {
        return Ok(match ty {
            Type::Bool => "boolean",
            Type::String | Type::Char => "string",
            Type::U64 | Type::S64 => "bigint",
            _ => "number",
        }
        .to_owned());
    };
    let definition = &resolve.types[*id];
    if let Some(name) = &definition.name {
        return Ok(pascal(name));
    }
    Ok(match &definition.kind {
        TypeDefKind::List(Type::U8) => "Uint8Array".to_owned(),
        TypeDefKind::List(item) => match type_name(resolve, item)? {
            item if item.contains(' ') && !item.starts_with('[') => format!("({item})[]"),
            item => format!("{item}[]"),
        },
        TypeDefKind::Option(some) => format!("{} | null", type_name(resolve, some)?),
        TypeDefKind::Result(result) => {
            result.ok.as_ref().map_or_else(|| Ok("void".to_owned()), |ok| type_name(resolve, ok))?
        }
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(|ty| type_name(resolve, ty)).collect::<Result<_>>()?;
            format!("[{}]", types.join(", "))
        }
        other => bail!("the contract uses a {}: teach the generator to write it", other.as_str()),
    })
}

fn docs(docs: &Docs, indent: &str, text: &mut String) {
    let Some(contents) = &docs.contents else { return };
    let lines: Vec<&str> = contents.trim().lines().map(str::trim).collect();
    if let [line] = lines.as_slice() {
        text.push_str(&format!("{indent}/** {line} */\n"));
        return;
    }
    text.push_str(&format!("{indent}/**\n"));
    for line in lines {
        text.push_str(format!("{indent} * {line}").trim_end());
        text.push('\n');
    }
    text.push_str(&format!("{indent} */\n"));
}

fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    };
    name.split('-').map(word).collect()
}

fn camel(name: &str) -> String {
    let pascal = pascal(name);
    let mut chars = pascal.chars();
    chars.next().map(|first| first.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_enums_functions_and_worlds_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let wit = "package a:b@0.1.0;
            interface shapes {
                /// Which.
                enum kind { flat, two-sided }
                record side { size: u32, data: list<u8>, part-of: option<string> }
                find: func(kind: kind, at: u64) -> result<list<side>, string>;
            }
            world w { export shapes; }";
        std::fs::write(folder.path().join("a.wit"), wit).unwrap();
        let text = typescript(folder.path()).unwrap();
        for expected in [
            "/** Which. */\nexport type Kind =\n  | \"flat\"\n  | \"two-sided\";\n",
            "export interface Side {\n  size: number;\n  data: Uint8Array;\n  partOf: string | null;\n}\n",
            "export interface ShapesInterface {\n  find(kind: Kind, at: bigint): Side[];\n}\n",
            "export interface WWorld {\n  imports: {  };\n  exports: { shapes: ShapesInterface };\n}\n",
        ] {
            assert!(text.contains(expected), "{expected}\nis not in\n{text}");
        }
    }
}
