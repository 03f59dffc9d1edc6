//! The declarations of `include/mnist.h`, parsed from its text, for tests of every function, constant and struct.
//!
//! The parser accepts only the form that cbindgen writes; another form fails the test with a message.
#![allow(dead_code)] // each test uses only a part

use std::path::Path;

/// A parameter of a function or a field of a struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The type, such as `const mnist_model *`: without the word `struct`, with a space before the star.
    pub kind: String,
    pub name: String,
}

/// A struct with its fields.
#[derive(Debug)]
pub struct Struct {
    pub name: String,
    pub fields: Vec<Place>,
}

/// A function, or a function type.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub returns: String,
    pub parameters: Vec<Place>,
}

/// The header's declarations, each kind in its order.
#[derive(Debug, Default)]
pub struct Header {
    pub constants: Vec<(String, i64)>,
    /// Opaque types.
    pub opaque: Vec<String>,
    /// Other names of integer types: `mnist_status` is `int32_t`.
    pub integers: Vec<(String, String)>,
    /// Types of pointers to functions.
    pub callbacks: Vec<Function>,
    pub structs: Vec<Struct>,
    pub functions: Vec<Function>,
}

impl Function {
    /// In C syntax, on one line.
    pub fn prototype(&self) -> String {
        let parameters: Vec<_> = self.parameters.iter().map(Place::declaration).collect();
        let parameters = if parameters.is_empty() { "void".into() } else { parameters.join(", ") };
        format!("{}({parameters})", declare(&self.returns, &self.name))
    }
}

impl Place {
    /// In C syntax.
    pub fn declaration(&self) -> String {
        declare(&self.kind, &self.name)
    }
}

fn declare(kind: &str, name: &str) -> String {
    format!("{kind}{}{name}", if kind.ends_with('*') { "" } else { " " })
}

impl Header {
    /// The committed header.
    pub fn committed() -> Header {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/mnist.h");
        Header::parse(&std::fs::read_to_string(path).unwrap())
    }

    /// Parses the text of a header.
    pub fn parse(text: &str) -> Header {
        let mut header = Header::default();
        let (mut code, mut cpp) = (String::new(), false);
        for line in text.lines().map(|line| line.split("//").next().unwrap().trim()) {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["#ifdef", "__cplusplus"] => cpp = true,
                ["#endif"] => cpp = false,
                _ if cpp => (),
                ["#define", name, value] => {
                    let value = value.parse().unwrap_or_else(|_| panic!("a constant that is no integer: {line}"));
                    header.constants.push((name.into(), value));
                }
                _ if line.starts_with('#') => (),
                _ => code.extend([line, " "]),
            }
        }
        statements(&code).iter().for_each(|statement| header.add(statement));
        header
    }

    fn add(&mut self, statement: &str) {
        let Some(declared) = statement.strip_prefix("typedef ") else {
            return self.functions.push(function(statement));
        };
        if let Some((head, body)) = declared.split_once('{') {
            let (body, name) = body.rsplit_once('}').unwrap();
            assert!(head.trim().starts_with("struct "), "no struct: {statement}");
            let fields = body.split(';').filter(|field| !field.trim().is_empty()).map(place).collect();
            return self.structs.push(Struct { name: name.trim().into(), fields });
        }
        if declared.contains('(') {
            return self.callbacks.push(function(&declared.replacen("(*", "", 1).replacen(')', "", 1)));
        }
        let Place { kind, name } = place(declared);
        match declared.starts_with("struct ") {
            true => self.opaque.push(name),
            false => self.integers.push((name, kind)),
        }
    }

    /// The struct of that name, if there is one.
    pub fn find_struct(&self, name: &str) -> Option<&Struct> {
        self.structs.iter().find(|found| found.name == name)
    }

    /// The constants whose names begin like this.
    pub fn family<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a (String, i64)> {
        self.constants.iter().filter(move |(name, _)| name.starts_with(prefix))
    }
}

/// The declarations, which end with a semicolon outside of braces.
fn statements(code: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (i, c) in code.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ';' && depth == 0 {
            found.push(code[start..i].trim());
            start = i + 1;
        }
    }
    assert!(code[start..].trim().is_empty(), "no declaration: {}", &code[start..]);
    found
}

/// `returns name(parameters)`.
fn function(text: &str) -> Function {
    let parts = text.split_once('(').and_then(|(head, rest)| Some((head, rest.trim().strip_suffix(')')?)));
    let (head, parameters) = parts.unwrap_or_else(|| panic!("neither a type nor a function: {text}"));
    let Place { kind, name } = place(head);
    let parameters = parameters.split(',').map(str::trim).filter(|&parameter| parameter != "void").map(place);
    Function { name, returns: kind, parameters: parameters.collect() }
}

/// `type name`.
fn place(text: &str) -> Place {
    let text = text.trim();
    let start = text.rfind(|c: char| c != '_' && !c.is_ascii_alphanumeric()).map_or(0, |i| i + 1);
    let (kind, name) = text.split_at(start);
    assert!(!kind.trim().is_empty() && !name.is_empty(), "neither a parameter nor a field: {text}");
    let words = kind.replace('*', " * ");
    let words: Vec<_> = words.split_whitespace().filter(|&word| word != "struct").collect();
    Place { kind: words.join(" ").replace("* *", "**"), name: name.into() }
}

#[test]
fn reads_what_cbindgen_writes() {
    let header = Header::parse(
        "// Text; with (all) {kinds}.\n#define A_B -3\ntypedef struct x_y x_y;\ntypedef uint32_t x_kind;\n\
         typedef int32_t (*x_fn)(void *user_data, const struct x_y *y);\n\
         typedef struct x_options {\n // sizeof.\n size_t struct_size;\n const char *path;\n} x_options;\n\
         #ifdef __cplusplus\nextern \"C\" {\n#endif // __cplusplus\n\
         const char *x_name(void);\nx_kind x_do(struct x_y **out,\n    x_kind kind);\n",
    );
    assert_eq!(header.constants, [("A_B".to_string(), -3)]);
    assert_eq!((&header.opaque[..], header.integers[0].1.as_str()), (&["x_y".to_string()][..], "uint32_t"));
    assert_eq!(header.callbacks[0].prototype(), "int32_t x_fn(void *user_data, const x_y *y)");
    assert_eq!(header.structs[0].fields[1].declaration(), "const char *path");
    let prototypes: Vec<_> = header.functions.iter().map(Function::prototype).collect();
    assert_eq!(prototypes, ["const char *x_name(void)", "x_kind x_do(x_y **out, x_kind kind)"]);
}
