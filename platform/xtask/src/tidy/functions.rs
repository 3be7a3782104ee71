//! Function length.

use super::scan::blank_literals;
use super::{Finding, TextFile};

/// Lines of one function, signature and closing brace included.
const FUNCTION_LINES_MAX: usize = 70;

pub fn check(file: &TextFile) -> Vec<Finding> {
    if file.extension() != "rs" || file.is_generated() {
        return Vec::new();
    }
    let too_long = |f: &Function| f.lines > FUNCTION_LINES_MAX;
    functions(&file.text)
        .into_iter()
        .filter(too_long)
        .map(|f| {
            let Function { name, line, lines } = f;
            file.finding(
                line,
                "function-length",
                format!("`{name}` has {lines} lines; at most {FUNCTION_LINES_MAX}: take a part with a name of its own out of it"),
            )
        })
        .collect()
}

#[derive(Debug, PartialEq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// The functions that have a body, nested ones too.
fn functions(source: &str) -> Vec<Function> {
    let code = blank_literals(source);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '#');
        let name: String =
            code[at + 3..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !starts_word || name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(&code[at..]) {
            let line = 1 + code[..at].matches('\n').count();
            let lines = 1 + code[at..at + end].matches('\n').count();
            found.push(Function { name, line, lines });
        }
    }
    found
}

/// The offset of the brace that closes the body; none for a declaration without one.
fn body_end(code: &str) -> Option<usize> {
    let mut brackets = 0_i32;
    let mut braces = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::text_file;
    use super::*;

    #[test]
    fn a_function_is_measured_from_its_name_to_its_closing_brace() {
        let source = "trait T {\n    fn no_body(&self, x: [u8; 2]);\n}\n\nfn two() {\n}\n\nlet p: fn (u8) = f;\n";
        assert_eq!(functions(source), [Function { name: "two".into(), line: 5, lines: 2 }]);
    }

    #[test]
    fn a_function_over_the_limit_is_named_with_its_line() {
        let body = "    work();\n".repeat(FUNCTION_LINES_MAX - 1);
        let findings = check(&text_file("a.rs", &format!("// first\nfn long() {{\n{body}}}\n")));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().starts_with("a.rs:2: function-length: `long` has 71 lines"), "{}", findings[0]);
    }

    #[test]
    fn a_function_at_the_limit_passes() {
        let body = "    work();\n".repeat(FUNCTION_LINES_MAX - 2);
        assert_eq!(check(&text_file("a.rs", &format!("fn fits() {{\n{body}}}\n"))), []);
    }
}
