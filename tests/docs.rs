//! The statements of `docs/embedding.md`: its programs compile with warnings as errors and run, and the library leaves
//! nothing behind in the host.
#![cfg(target_os = "linux")]

mod programs;

use programs::{ROOT, compiler, program, run, shared, stdout};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn page() -> String {
    std::fs::read_to_string(Path::new(ROOT).join("docs/embedding.md")).unwrap()
}

/// The page's whole programs, in order: the language, and the source.
fn whole_programs(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    blocks.filter_map(|(info, source)| Some((info.strip_suffix(" program")?, source))).collect()
}

/// Compiles a program into `folder`, where it finds the library by its soname.
fn compile(folder: &Path, name: &str, language: &str, source: &str) -> PathBuf {
    let (file, program) = (folder.join(format!("{name}.{language}")), folder.join(name));
    std::fs::write(&file, source).unwrap();
    run(compiler(file.to_str().unwrap()).arg("-o").arg(&program).arg(&file).arg(shared()).arg("-lpthread"));
    program
}

/// Starts a program, interrupts it once it trains, and returns the rest of its output.
fn interrupted(command: &mut Command) -> String {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "training until Ctrl-C\n");
    let started = Instant::now();
    // The first signal may arrive before the fit has begun, and has no effect then.
    while !ends_within(&mut child, Duration::from_secs(2)) {
        assert!(started.elapsed() < Duration::from_secs(600), "it continues after SIGINT");
        run(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]));
    }
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    rest
}

fn ends_within(child: &mut Child, time: Duration) -> bool {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > time {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

#[test]
fn the_programs_for_hosts_compile_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::os::unix::fs::symlink(shared(), folder.join("libmnist.so.0")).unwrap();
    std::os::unix::fs::symlink(Path::new(ROOT).join("examples/data"), folder.join("data")).unwrap();
    let page = page();
    let [(c, errors), (cpp, wrapper)] = whole_programs(&page)[..] else { panic!("not one program in C, one in C++") };
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command.current_dir(folder).env("LD_LIBRARY_PATH", folder);
        command
    };

    let errors = compile(folder, "errors", c, errors);
    let output = command(&errors).arg("nothing.npz").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && text.starts_with("MNIST_ERROR_NOT_FOUND: nothing.npz: "), "{text}");
    for _ in ["begun", "resumed"] {
        let text = interrupted(&mut command(&errors));
        let (place, how) = text.rsplit_once(": ").unwrap();
        assert!(place.starts_with("MNIST_CANCELLED: epoch ") && place.ends_with(" of 20"), "{text}");
        assert_eq!(how, "the fit was stopped by mnist_model_cancel\n");
    }

    let text = stdout(&mut command(&compile(folder, "wrapper", cpp, wrapper))); // loads the file that the first program has saved
    assert!(text.starts_with("accuracy so far: 0.") && text.ends_with("cancelled: 1\n"), "{text}");
}

#[test]
fn nothing_is_left_behind_in_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let writes = folder.path().join("writes");
    std::fs::create_dir(&writes).unwrap();
    let mut command = Command::new(program(folder.path(), "host.c"));
    print!("{}", stdout(command.arg(Path::new(ROOT).join("examples/data/mnist.npz")).arg(writes)));
}

#[test]
fn every_environment_variable_that_is_read_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    let (source, shim) = (Path::new(ROOT).join("tests/c/getenv.c"), folder.path().join("getenv.so"));
    run(compiler("getenv.c").args(["-Wno-pedantic", "-shared", "-fPIC", "-o"]).arg(&shim).arg(source).arg("-ldl"));
    let mut command = Command::new(program(folder.path(), "defaults.c"));
    // No data in the cache, and no proxy at this address.
    command.env("KERAS_HOME", folder.path()).env("HTTPS_PROXY", "http://127.0.0.1:1").env("LD_PRELOAD", shim);
    let output = String::from_utf8(run(&mut command).stderr).unwrap();
    let read: Vec<_> = output.lines().filter_map(|line| line.strip_prefix("getenv ")).collect();
    assert!(read.contains(&"MNIST_ISA") && read.contains(&"KERAS_HOME"), "{output}");
    let page = page();
    for name in read {
        assert!(page.contains(&format!("`{}`", name.to_uppercase())), "docs/embedding.md does not mention {name}");
    }
}
