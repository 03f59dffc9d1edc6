//! What `include/mnist.hpp` declares, read from its text: its classes and structs, with what is public in them, and its functions.
//!
//! It reads what is written there and no more: what stands in the namespace `mnist`, but for `mnist::detail`.

use std::path::Path;

/// A parameter of a function or a field of a struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The type, `const path &`.
    pub kind: String,
    pub name: String,
}

/// A function of a class or of the namespace.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub parameters: Vec<Place>,
    pub is_static: bool,
}

/// A class, or a struct.
#[derive(Debug)]
pub struct Class {
    pub name: String,
    /// The C object that it owns, if it does: `mnist_model`.
    pub owns: Option<String>,
    /// Its public functions, constructors included.
    pub functions: Vec<Function>,
    /// Its public data.
    pub fields: Vec<Place>,
}

/// The header.
#[derive(Debug)]
pub struct Layer {
    /// The whole of it, without comments.
    pub text: String,
    pub classes: Vec<Class>,
    pub functions: Vec<Function>,
}

impl Function {
    /// As it is declared, without its result.
    pub fn signature(&self) -> String {
        let kinds: Vec<_> = self.parameters.iter().map(|place| place.kind.as_str()).collect();
        format!("{}({})", self.name, kinds.join(", "))
    }
}

impl Layer {
    /// The committed header.
    pub fn committed() -> Layer {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/mnist.hpp");
        let text = std::fs::read_to_string(path).unwrap();
        let is_code = |line: &&str| !line.starts_with('#');
        let lines = text.lines().filter(is_code).map(|line| line.split("//").next().unwrap().trim_end());
        Layer::parse(lines.collect::<Vec<_>>().join("\n"))
    }

    fn parse(text: String) -> Layer {
        let (mut classes, mut functions) = (Vec::new(), Vec::new());
        for outer in statements(&text) {
            if outer.head != "namespace mnist" {
                continue;
            }
            for statement in statements(outer.body.unwrap()) {
                let head = without_template(&statement.head);
                match head.split_once(' ') {
                    Some(("namespace" | "using" | "constexpr", _)) => (),
                    Some(("class" | "struct", rest)) => {
                        statement
                            .body
                            .into_iter()
                            .for_each(|body| classes.push(class(head.starts_with("struct"), rest, body)));
                    }
                    _ => functions.extend(function(head)),
                }
            }
        }
        Layer { text, classes, functions }
    }

    /// The classes that own an object of C.
    pub fn owners(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter().filter(|class| class.owns.is_some())
    }

    /// The class or struct of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }
}

impl Class {
    /// The functions that are called of an object.
    pub fn methods(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|function| !function.is_static && function.name != self.name)
    }
}

/// A declaration: what stands before its body or its semicolon, in one line, and what is in the body's braces.
struct Statement<'a> {
    head: String,
    body: Option<&'a str>,
}

/// The declarations of a namespace or a class. Braces in parentheses, a default argument's or a lambda's, are part of a head.
fn statements(text: &str) -> Vec<Statement<'_>> {
    let (mut parentheses, mut start, mut found) = (0, 0, Vec::new());
    let mut body: Option<(usize, usize)> = None; // where it starts, and how many braces are open
    for (i, c) in text.char_indices() {
        if let Some((begin, open)) = &mut body {
            *open = (*open + usize::from(c == '{')) - usize::from(c == '}');
            if *open == 0 {
                found.push(Statement { head: one_line(&text[start..*begin - 1]), body: Some(&text[*begin..i]) });
                (start, body) = (i + 1, None);
            }
            continue;
        }
        match c {
            '(' => parentheses += 1,
            ')' => parentheses -= 1,
            // A field's initializer is part of its head.
            '{' if parentheses == 0 && !text[start..i].trim_end().ends_with('=') => body = Some((i + 1, 1)),
            ';' if parentheses == 0 => {
                found.push(Statement { head: one_line(&text[start..i]), body: None });
                start = i + 1;
            }
            _ => (),
        }
    }
    found.retain(|statement| !statement.head.is_empty() || statement.body.is_some());
    found
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A declaration without its `template <...>`.
fn without_template(head: &str) -> &str {
    let Some(rest) = head.strip_prefix("template <") else { return head };
    let mut open = 1;
    let end = rest.char_indices().find(|(_, c)| {
        open += i32::from(*c == '<') - i32::from(*c == '>');
        open == 0
    });
    rest[end.unwrap().0 + 1..].trim_start()
}

fn class(all_public: bool, head: &str, body: &str) -> Class {
    let name = head.split([' ', ':']).next().unwrap().to_string();
    let owns = head.split("handle<").nth(1).map(|rest| rest.split('>').next().unwrap().to_string());
    let (mut public, mut functions, mut fields) = (all_public, Vec::new(), Vec::new());
    for statement in statements(body) {
        let mut head = statement.head.as_str();
        for (label, is_public) in [("public:", true), ("private:", false)] {
            if let Some(rest) = head.strip_prefix(label) {
                (head, public) = (rest.trim_start(), is_public);
            }
        }
        let head = without_template(head);
        if !public || ["using ", "friend ", "operator"].iter().any(|word| head.contains(word)) {
            continue;
        }
        match function(head) {
            Some(function) => functions.push(function),
            None => fields.push(place(head.split(" = ").next().unwrap())),
        }
    }
    Class { name, owns, functions, fields }
}

/// `returns name(parameters) const`; none for what is no function.
fn function(head: &str) -> Option<Function> {
    let open = head.find('(')?;
    let mut depth = 0;
    let close = head.char_indices().skip(open).find(|(_, c)| {
        depth += i32::from(*c == '(') - i32::from(*c == ')');
        depth == 0
    });
    let parameters = &head[open + 1..close?.0];
    let before = head[..open].trim_end();
    let start = before.rfind(|c: char| c != '_' && !c.is_ascii_alphanumeric()).map_or(0, |i| i + 1);
    let parameters = split(parameters).iter().map(|text| place(text.split(" = ").next().unwrap())).collect();
    let is_static = before.starts_with("static ");
    (start < before.len()).then(|| Function { name: before[start..].to_string(), parameters, is_static })
}

/// What stands between commas that are in no brackets.
fn split(parameters: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (i, c) in parameters.char_indices() {
        depth += i32::from("<({".contains(c)) - i32::from(">)}".contains(c));
        if c == ',' && depth == 0 {
            found.push(parameters[start..i].trim());
            start = i + 1;
        }
    }
    found.push(parameters[start..].trim());
    found.retain(|parameter| !parameter.is_empty());
    found
}

/// `type name`.
fn place(text: &str) -> Place {
    let start = text.rfind(|c: char| c != '_' && !c.is_ascii_alphanumeric()).map_or(0, |i| i + 1);
    Place { kind: text[..start].trim().to_string(), name: text[start..].to_string() }
}
