//! Makes programs from fragments of C and C++ in documents: adds the declarations that they need, compiles and runs them.

use crate::header::Header;
use crate::programs::{ROOT, compiler, link, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes the files that fragments read: the model below in all formats.
const FILES: &str = r#"
    check(mnist_model_save(model, "digits.model", error));
    check(mnist_model_save_keras(model, "digits.keras", error));
    check(mnist_model_save_onnx(model, "from_pytorch.onnx", error));
    check(mnist_model_save_c(model, "digits.c", "digits", error));
    check(mnist_model_save_weights(model, "net.safetensors", error));
"#;

/// What fragments may use without declaring it: a model with two parallel convolutions, data, and options.
const AROUND: &str = r#"
    mnist_error *error = mnist_error_new();
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_add(mnist_conv2d(input, 8, 3, MNIST_ACTIVATION_RELU),
                                mnist_conv2d(input, 8, 3, MNIST_ACTIVATION_RELU));
    mnist_tensor *output = mnist_dense(mnist_flatten(x), 10, MNIST_ACTIVATION_SOFTMAX);
    mnist_model *model = NULL;
    check(mnist_model_new(input, output, "digits", &model, error));

    static float numbers[64 * 28 * 28], one_hot[64 * 10];
    static uint8_t ten_labels[64];
    for (size_t i = 0; i < 64; i++)
        one_hot[10 * i + i % 10] = 1, ten_labels[i] = (uint8_t)(i % 10);
    const size_t sizes[] = {64, 28, 28, 1};
    const mnist_array samples = {numbers, MNIST_DTYPE_F32, 4, sizes};
    const mnist_array wanted = {one_hot, MNIST_DTYPE_F32, 2, (const size_t[]){64, 10}};
    mnist_dataset *train, *targets;
    check(mnist_dataset_from_f32(numbers, sizes, 4, ten_labels, &train, error));
    check(mnist_dataset_new(&samples, &wanted, NULL, &targets, error));

    mnist_status status = MNIST_OK;
    mnist_compile_options compile;
    mnist_fit_options fit;
    mnist_evaluate_options evaluate;
    mnist_compile_options_init(&compile, sizeof compile);
    mnist_fit_options_init(&fit, sizeof fit);
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);
    fit.verbose = 0;
    fit.validation_split = 0.25;
    check(mnist_model_compile(model, &compile, error));
"#;

/// Uses the layers and options that a fragment has set, so that a wrong one fails.
const USE: &str = r#"
    check(mnist_graph_check(graph, error));
    if (compile.optimizer_config || compile.loss_config || compile.metrics_config)
        check(mnist_model_compile(model, &compile, error));
    if (compile.loss_config || fit.callbacks_config)
        check(mnist_model_fit(model, compile.loss_config ? targets : train, &fit, NULL, error));
    (void)status, (void)evaluate;
"#;

/// A fragment need not use all of these variables, and may leave out the code that fills its arrays.
const PARTS: [&str; 2] = ["-Wno-unused", "-Wno-maybe-uninitialized"];

/// A folder with the library and the files that fragments read.
pub struct Fragments {
    folder: tempfile::TempDir,
    /// Macros that end the program if a function returns an error.
    checked: String,
}

impl Fragments {
    pub fn new() -> Self {
        let header = Header::committed();
        let can_fail = header.functions.iter().filter(|function| function.returns == "mnist_status");
        let checked =
            can_fail.map(|f| format!("#define {0}(...) checked({0}(__VA_ARGS__), \"{0}\")\n", f.name)).collect();
        let fragments = Self { folder: tempfile::tempdir().unwrap(), checked };
        let writer = fragments.main("", FILES);
        fragments.compile_and_run("files.c", &writer, &[]);
        state_dict(&fragments.path("pytorch.safetensors"));
        fragments
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program with `top` before main and `lines` in it.
    fn main(&self, top: &str, lines: &str) -> String {
        let checked = &self.checked;
        format!(
            "#include <mnist.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\
             static mnist_status checked(mnist_status status, const char *call)\n\
             {{\n    if (status < 0)\n        fprintf(stderr, \"%s: %s\\n\", call, mnist_status_name(status)), exit(1);\n    return status;\n}}\n\
             {checked}#define check(call) ((void)(call))\n{top}\nint main(void)\n{{{AROUND}\n    {{\n{lines}\n    }}\n{USE}    return 0;\n}}\n"
        )
    }

    fn compile_and_run(&self, name: &str, source: &str, more: &[&str]) {
        std::fs::write(self.path(name), source).unwrap();
        let include = format!("-I{}", self.folder.path().display());
        let flags = [&PARTS[..], &[&include], more].concat();
        run(Command::new(link(self.folder.path(), &self.path(name), &flags)).current_dir(self.folder.path()));
    }

    /// Compiles and runs a fragment of C. Every call must succeed.
    pub fn run_c(&self, lines: &str) {
        let (top, lines): (Vec<_>, Vec<_>) = lines.lines().partition(|line| line.starts_with('#'));
        let (top, mut lines) = (top.join("\n"), lines.join("\n"));
        if !lines.trim_end().ends_with([';', '}', '/']) {
            lines.push(';'); // a call that is shown as an expression
        }
        // The state_dict of a network that cannot be told by its tensors' shapes is another file than the weights.
        let net = if lines.contains("_mapped") { "pytorch.safetensors" } else { "net.safetensors" };
        let lines = lines.replace("net.safetensors", net);
        let object = top.contains("#include \"digits.c\"").then(|| self.object("digits.c"));
        let more: Vec<_> = object.iter().map(String::as_str).collect();
        self.compile_and_run("fragment.c", &self.main(&top, &lines), &more);
    }

    /// Only compiles a fragment of C.
    pub fn compile_c(&self, lines: &str) {
        let (top, lines): (Vec<_>, Vec<_>) =
            lines.lines().partition(|line| line.starts_with(['#']) || line.starts_with("extern "));
        std::fs::write(self.path("compiled.c"), self.main(&top.join("\n"), &lines.join("\n"))).unwrap();
        self.object("compiled.c");
    }

    fn object(&self, name: &str) -> String {
        let object = self.path(name).with_extension("o");
        let mut command = compiler(name);
        command.args(PARTS).args(["-ffp-contract=off", "-c", "-o"]).arg(&object).arg(self.path(name));
        run(&mut command);
        object.to_str().unwrap().to_string()
    }

    /// Compiles and runs a whole program, with MNIST's data in `data/`. It must succeed.
    pub fn run_program(&self, language: &str, source: &str) {
        let data = self.path("data");
        if !data.exists() {
            std::os::unix::fs::symlink(Path::new(ROOT).join("examples/data"), &data).unwrap();
        }
        self.compile_and_run(&format!("program.{language}"), source, &["-lpthread"]);
    }

    /// Compiles and runs a fragment of C++, which may use a model, data and options by their usual names.
    pub fn run_cpp(&self, lines: &str) {
        let (top, lines): (Vec<_>, Vec<_>) = lines.lines().partition(|line| line.starts_with('#'));
        let (top, lines) = (top.join("\n"), lines.join("\n"));
        let source = format!(
            "#include <mnist.hpp>\n#include <iostream>\n#include <string>\n#include <vector>\n{top}\nint main()\n{{\n\
             mnist::graph graph;\nauto input = graph.input(28, 28, 1);\nauto x = input.flatten();\n\
             auto model = mnist::model::load(\"digits.model\");\n\
             std::vector<float> image(28 * 28), pixels(64 * 28 * 28);\n\
             auto train = mnist::dataset::from_memory(pixels, {{64, 28, 28, 1}}, std::vector<std::uint8_t>(64));\n\
             auto test = train.slice(0, 32);\nmnist::fit_options options;\noptions.verbose = 0;\n{{\n{lines}\n}}\n}}\n"
        );
        self.compile_and_run("fragment.cpp", &source, &["-Wno-shadow", "-lpthread"]);
    }
}

/// Writes a PyTorch state_dict of the model above, with an additional module `aux`.
fn state_dict(path: &Path) {
    use safetensors::tensor::{Dtype, TensorView};
    let tensors = [
        ("left.weight", vec![8, 1, 3, 3]),
        ("left.bias", vec![8]),
        ("right.weight", vec![8, 1, 3, 3]),
        ("right.bias", vec![8]),
        ("fc.weight", vec![10, 8 * 26 * 26]),
        ("fc.bias", vec![10]),
        ("aux.weight", vec![3]),
    ];
    let zeros = vec![0; 4 * 10 * 8 * 26 * 26];
    let views = tensors.map(|(name, shape)| {
        let bytes = &zeros[..4 * shape.iter().product::<usize>()];
        (name, TensorView::new(Dtype::F32, shape, bytes).unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}
