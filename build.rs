//! Generates the C header, and gives the shared library its name.
//!
//! The header is written to the build's own folder; the one in `include/` is committed and compared with it by a test.
//! `MNIST_UPDATE_HEADER=1 cargo build` brings it up to date.

use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "build/chapters.rs"]
mod chapters;

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    header(&root, &out.join("mnist.h"));
    soname(&out);
    stays();
    cancels();
    for path in ["src/capi", "cbindgen.toml", "build.rs", "build"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=MNIST_UPDATE_HEADER");
}

fn header(root: &Path, path: &Path) {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let sources = root.join("src/capi");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in chapters::files() {
        builder = builder.with_src(sources.join(file).with_extension("rs"));
    }
    let preamble = fs::read_to_string(sources.join("preamble.h")).expect("src/capi/preamble.h");
    let (bindings, mut text) = (builder.with_header(preamble.trim_end()).generate().expect("the header"), Vec::new());
    bindings.write(&mut text);
    let text = String::from_utf8(text).expect("sources are UTF-8");
    fs::write(path, chapters::arrange(&text, &sources)).expect("the folder is cargo's");
    if env::var_os("MNIST_UPDATE_HEADER").is_some() {
        fs::copy(path, root.join("include/mnist.h")).expect("include/mnist.h");
    }
}

/// `libmnist.so.0`: the name that programs ask for at run time, changed when the ABI is.
fn soname(out: &Path) {
    let major = env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets it");
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux" | "android" | "freebsd" | "netbsd" | "openbsd") => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmnist.so.{major}");
            link("libmnist.so", &format!("libmnist.so.{major}"), out);
        }
        Ok("macos") => println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libmnist.{major}.dylib"),
        _ => (),
    }
}

/// Whoever closes the shared library does not unload it. Its threads and those of its host that were in a call have
/// destructors in it that run when they end, for each round there would be another set of them and of the keys they are
/// found by, of which a process has 1,024; and a handler for forked children may be in it.
fn stays() {
    if let Ok("linux" | "android" | "freebsd" | "netbsd" | "openbsd") = env::var("CARGO_CFG_TARGET_OS").as_deref() {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// Tells the sources whether there is a `pthread_cancel` to be guarded against, which Android and Windows do not have.
fn cancels() {
    println!("cargo::rustc-check-cfg=cfg(cancels)");
    let systems = ["linux", "macos", "ios", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos"];
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| systems.contains(&system.as_str())) {
        println!("cargo::rustc-cfg=cancels");
    }
}

/// Gives the library its run-time name in cargo's own folder too, so that a program that was linked to it there runs.
fn link(file: &str, name: &str, out: &Path) {
    // <profile>/build/<package>/out
    #[cfg(unix)]
    if let Some(profile) = out.ancestors().nth(3) {
        let _ = std::os::unix::fs::symlink(file, profile.join(name)); // it is there already, or cannot be: no harm
    }
    #[cfg(not(unix))]
    let _ = (file, name, out);
}
