//! Output on a terminal, in a file and in a pipe, and the effect of Ctrl-C: real programs on terminals of their own.

mod programs;

use programs::{ROOT, compiler, link, program, run, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Whether programs can be run on a terminal here.
fn terminals() -> bool {
    let there = Command::new("python3").args(["-c", "import pty"]).output().is_ok_and(|output| output.status.success());
    if !there {
        println!("no python3 with terminals here: not tried");
    }
    there
}

/// Runs a program on a terminal with the given number of columns and the given actions.
fn on_terminal(columns: usize, events: &[(&str, &str)], program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(ROOT).join("tests/terminal.py")).arg(columns.to_string()).env("TERM", "xterm");
    command.args(events.iter().flat_map(|(text, action)| [text, action]));
    command.arg("--").arg(program).args(arguments);
    command
}

/// The output by lines and redrawn parts; a terminal converts every newline to `\r\n`.
fn drawings(text: &str) -> Vec<&str> {
    text.split("\r\n").flat_map(|line| line.split('\r')).filter(|drawing| !drawing.is_empty()).collect()
}

/// Only text, newlines and carriage returns: no hidden cursor, no colours.
fn assert_plain(text: &str, allowed: &[char]) {
    let other = text.chars().find(|c| c.is_control() && !allowed.contains(c));
    assert_eq!(other, None, "{text:?}");
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    if !terminals() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "terminal.c");
    let cases = [20, 40, 80, 200].into_iter().flat_map(|columns| [(columns, "1"), (columns, "2")]);
    let start = |(columns, verbose)| {
        let mut command = on_terminal(columns, &[], &program, &[verbose]);
        (columns, verbose, command.stdout(Stdio::piped()).spawn().unwrap())
    };
    let running: Vec<_> = cases.map(start).collect();
    let mut lines = 0;
    for (columns, verbose, child) in running {
        let output = child.wait_with_output().unwrap();
        let text = text(&output);
        assert!(output.status.success(), "{text}");
        assert_plain(&text, &['\r', '\n']);
        let mut drawings = drawings(&text);
        assert_eq!(drawings.pop(), Some("7 checks, 0 failures"));
        let longest = drawings.iter().map(|drawing| drawing.len()).max().unwrap();
        assert!(longest < columns, "{longest} of {columns} columns: {text}");
        assert!(drawings.len() > if verbose == "1" { 15 } else { 4 }, "{text}");
        let bar = "30/30 [==============================] - ";
        assert_eq!(text.contains(bar), columns == 200 && verbose == "1", "the whole bar where there is room: {text}");
        assert!(columns < 40 || text.contains(" - val_accuracy: 0."), "nothing is lost: {text}");
        lines += drawings.len();
    }
    println!("{lines} lines, each shorter than its terminal");
}

#[test]
fn a_terminal_that_becomes_narrower_is_noticed() {
    if !terminals() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "terminal.c");
    let text = stdout(&mut on_terminal(200, &[("ETA", "columns=40"), ("Epoch 2", "columns=80")], &program, &[]));
    let (wide, rest) = text.split_once('\0').unwrap();
    let (narrow, wide_again) = rest.split_once('\0').unwrap();
    let longest = |text| drawings(text).into_iter().map(str::len).max().unwrap();
    assert!(longest(wide) > 80, "{wide}");
    // One step may have been running.
    let narrow: Vec<_> = narrow.split('\r').skip(2).collect();
    assert!(narrow.len() > 4 && narrow.iter().all(|drawing| drawing.trim_matches('\n').len() < 40), "{narrow:?}");
    assert!((50..80).contains(&longest(wide_again)), "{wide_again}");
}

#[test]
fn where_nothing_can_be_redrawn_there_are_lines() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "terminal.c");
    let file = folder.path().join("file");
    run(Command::new(&program).env("TERM", "xterm").stdout(std::fs::File::create(&file).unwrap()));
    let mut texts = vec![
        ("a pipe", stdout(Command::new(&program).env("TERM", "xterm").env("COLUMNS", "20"))),
        ("a file", std::fs::read_to_string(file).unwrap()),
    ];
    if terminals() {
        let text = stdout(on_terminal(200, &[], &program, &[]).env("TERM", "dumb"));
        texts.push(("a dumb terminal", text.replace("\r\n", "\n")));
    }
    for (name, text) in &texts {
        assert_plain(text, &['\n']);
        let lines: Vec<_> = text.lines().collect();
        let bar = "30/30 [==============================] - ";
        assert!(lines.len() == 6 && lines[0] == "Epoch 1/2" && lines[2] == "Epoch 2/2", "{name}: {text}");
        assert!(lines[1].starts_with(bar) && lines[1].contains(" - val_accuracy: "), "{name}: {text}");
        assert!(lines[3].starts_with(bar) && lines[4].starts_with("38/38 ["), "{name}: {text}");
    }
    println!("{} places for lines", texts.len());
}

fn example(folder: &Path, source: &str) -> PathBuf {
    link(folder, &Path::new(ROOT).join("examples").join(source), &[])
}

fn data() -> String {
    Path::new(ROOT).join("examples/data/mnist.npz").to_str().unwrap().to_string()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn ctrl_c_stops_the_fit_and_saves_what_was_learned() {
    if !terminals() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, predict) = (data(), example(folder.path(), "predict.c"));
    for source in ["tutorial.c", "tutorial.cpp"] {
        let program = example(folder.path(), source);
        let weights = folder.path().join("mnist.safetensors");
        let press = [("5/1875 [", "key=C")];
        let mut command = on_terminal(100, &press, &program, &[&data]);
        let output = command.current_dir(folder.path()).output().unwrap();
        let (text, status) = (text(&output), output.status);
        assert_eq!(status.code(), Some(130), "{source}: {text}");
        let after = text.split_once('\0').unwrap().1.replace("\r\n", "\n");
        assert!(after.starts_with("^C"), "{after}");
        let (line, rest) = after.split_once("\n\nepoch 1: after step ").unwrap();
        let said = " of 1875: the fit was stopped by mnist_model_cancel\nepoch 1 - loss: ";
        assert!(rest.contains(said), "{after}");
        let last = line.rsplit('\r').next().unwrap();
        assert!(last.contains("/1875 [") && last.contains("s/step - loss: "), "the line is finished: {after}");
        assert!(
            rest.ends_with("\n\nweights saved to mnist.safetensors\n") && !rest.contains("test accuracy"),
            "{after}"
        );
        let digit = stdout(Command::new(&predict).arg(&weights).args([&data, "0", "1"]));
        assert!(digit.contains("it says"), "{digit}");
        std::fs::remove_file(weights).unwrap();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_second_ctrl_c_ends_the_program_at_once_and_leaves_the_old_weights() {
    if !terminals() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let slow = folder.path().join("slow.so");
    let source = Path::new(ROOT).join("tests/c/slow_rename.c");
    run(compiler("slow_rename.c").args(["-D_POSIX_C_SOURCE=200809L", "-shared", "-fPIC", "-o"]).arg(&slow).arg(source));
    let weights = folder.path().join("mnist.safetensors");
    std::fs::write(&weights, "old").unwrap();
    let presses = [("/1875 [", "key=C"), ("renaming", "key=C")];
    let program = example(folder.path(), "tutorial.c");
    // Only the program is slowed down, not the interpreter that starts it.
    let preload = format!("LD_PRELOAD={}", slow.display());
    let mut command =
        on_terminal(100, &presses, Path::new("/usr/bin/env"), &[&preload, program.to_str().unwrap(), &data()]);
    let start = Instant::now();
    let output = command.current_dir(folder.path()).output().unwrap();
    let (text, took) = (text(&output), start.elapsed());
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.matches('\0').count() == 2 && text.ends_with("^C") && !text.contains("saved"), "{text}");
    assert!(took < Duration::from_secs(25), "it did not wait: {took:?}");
    assert_eq!(std::fs::read_to_string(weights).unwrap(), "old");
}

/// A background program of a shell script has SIGINT ignored.
#[test]
fn who_ignores_ctrl_c_goes_on_doing_so() {
    if !terminals() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = example(folder.path(), "tutorial.c");
    let script = format!("trap '' INT; exec {} {} 640 1", program.display(), data());
    let press = [("/20 [", "key=C")];
    let mut command = on_terminal(100, &press, Path::new("/bin/sh"), &["-c", &script]);
    let text = stdout(command.current_dir(folder.path()));
    assert!(text.contains('\0') && text.contains("\r20/20 [=="), "{text}");
    assert!(text.contains("test accuracy"), "{text}");
}
