//! Generates the C header, and sets the soname of the shared library.
//!
//! The header is written to the build folder; a test compares it with the committed one in `include/`.
//! `MNIST_UPDATE_HEADER=1 cargo build` updates the committed one.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    header(&root, &out.join("mnist.h"));
    soname(&out);
    stays();
    cancels();
    for path in ["src/capi", "cbindgen.toml", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=MNIST_UPDATE_HEADER");
}

/// The files whose items the header declares, in its order.
const FILES: [&str; 19] = [
    "error",
    "npz",
    "dataset",
    "array",
    "source",
    "image",
    "graph",
    "output",
    "model",
    "layers",
    "fit",
    "evaluate",
    "named_weights",
    "weights",
    "memory",
    "c_source",
    "keras",
    "onnx",
    "history",
];

fn header(root: &Path, path: &Path) {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in FILES {
        builder = builder.with_src(root.join("src/capi").join(file).with_extension("rs"));
    }
    let preamble = fs::read_to_string(root.join("src/capi/preamble.h")).expect("src/capi/preamble.h");
    let bindings = builder.with_header(preamble.trim_end()).generate().expect("the header");
    bindings.write_to_file(path);
    if env::var_os("MNIST_UPDATE_HEADER").is_some() {
        fs::copy(path, root.join("include/mnist.h")).expect("include/mnist.h");
    }
}

/// The soname, `libmnist.so.0`, which changes with the ABI.
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

/// `dlclose` does not unload the shared library. Its threads, and threads of the host that made a call, have destructors in it
/// that run when they end. Each round of loading and unloading would add a set of destructors and of their keys, of which a
/// process has 1,024. A handler for forked children may be in the library, too.
fn stays() {
    if let Ok("linux" | "android" | "freebsd" | "netbsd" | "openbsd") = env::var("CARGO_CFG_TARGET_OS").as_deref() {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// Sets a cfg if the platform has `pthread_cancel`, which Android and Windows do not have.
fn cancels() {
    println!("cargo::rustc-check-cfg=cfg(cancels)");
    let systems = ["linux", "macos", "ios", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos"];
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| systems.contains(&system.as_str())) {
        println!("cargo::rustc-cfg=cancels");
    }
}

/// Creates a link with the soname in cargo's target folder, so that a program that was linked to the library there runs.
fn link(file: &str, name: &str, out: &Path) {
    // <profile>/build/<package>/out
    #[cfg(unix)]
    if let Some(profile) = out.ancestors().nth(3) {
        let _ = std::os::unix::fs::symlink(file, profile.join(name)); // an existing link, or a failure, does no harm
    }
    #[cfg(not(unix))]
    let _ = (file, name, out);
}
