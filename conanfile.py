"""Conan 2's recipe (docs/packages.md):

    conan create .          compiles the library, with the Rust and the make that are there, and tries it
    conan export-pkg .      takes what `make` has compiled here
"""

import re
import shlex
from pathlib import Path

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import cross_building
from conan.tools.files import copy, load, rm, rmdir

# rustc's names for the machines that it can be built for from another one.
TARGETS = {
    ("Linux", "x86_64"): "x86_64-unknown-linux-gnu",
    ("Linux", "armv8"): "aarch64-unknown-linux-gnu",
    ("Linux", "armv7hf"): "armv7-unknown-linux-gnueabihf",
    ("Windows", "x86_64"): "x86_64-pc-windows-gnu",
}


class Mnist(ConanFile):
    name = "mnist"
    description = "Trains neural networks inside your own program"
    license = "MIT OR Apache-2.0"
    topics = ("machine-learning", "neural-network", "training", "keras", "mnist")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "download": [True, False]}
    default_options = {"shared": False, "download": True}
    exports_sources = (
        "Cargo.*", "CHANGELOG.md", "LICENSE-*", "Makefile", "README.md", "build.rs", "cbindgen.toml",
        "benches/*.rs", "docs/*", "examples/*.c", "examples/*.cpp", "examples/*.h", "examples/*.py", "examples/candle.rs",
        "include/*", "packaging/*", "src/*", "!docs/reference/*",
    )
    test_package_folder = "tests/packages/conan_client"

    def set_version(self):
        cargo = load(self, Path(self.recipe_folder, "Cargo.toml"))
        self.version = re.search('^version = "(.*)"', cargo, re.MULTILINE)[1]

    def configure(self):
        # It has an interface in C, and its C++ is in a header.
        self.settings.rm_safe("compiler.cppstd")
        self.settings.rm_safe("compiler.libcxx")

    def layout(self):
        self.folders.generators = "target/conan"  # what Conan writes stays out of the sources

    def validate(self):
        if cross_building(self) and self._machine not in TARGETS:
            raise ConanInvalidConfiguration("mnist: no cross-compilation for %s on %s is known" % self._machine)
        if not cross_building(self) and self.settings.os not in ("Linux", "Macos"):
            raise ConanInvalidConfiguration("mnist: built on Linux or macOS; for Windows by cross-compilation, with mingw-w64")

    def package_id(self):
        # It is optimized always, by rustc.
        self.info.settings.rm_safe("compiler")
        self.info.settings.rm_safe("build_type")

    def build(self):
        self._make("all")

    def package(self):
        self._make("install", PREFIX=self.package_folder)
        documents = Path(self.package_folder, "share", "doc", "mnist")
        for text in "LICENSE-*", "NOTICES":
            copy(self, text, documents, Path(self.package_folder, "licenses"))
        # What these say Conan says itself, of the library that was asked for.
        for folder in "share", "lib/cmake", "lib/pkgconfig":
            rmdir(self, Path(self.package_folder, folder))
        for folder in "lib", "bin":
            for pattern in ("libmnist.a",) if self.options.shared else ("*.so*", "*.dylib", "*.dll", "*.dll.a"):
                rm(self, pattern, Path(self.package_folder, folder))

    def package_info(self):
        self.cpp_info.libs = ["mnist"]
        self.cpp_info.set_property("cmake_file_name", "mnist")
        self.cpp_info.set_property("cmake_target_name", "mnist::mnist")
        self.cpp_info.set_property("pkg_config_name", "mnist")
        if not self.options.shared:
            self.cpp_info.set_property("cmake_target_aliases", ["mnist::static"])
            if self.settings.os == "Linux":
                self.cpp_info.system_libs = ["gcc_s", "util", "rt", "pthread", "m", "dl", "c"]
            elif self.settings.os == "Windows":
                self.cpp_info.system_libs = ["bcrypt", "advapi32", "kernel32", "ntdll", "userenv", "ws2_32", "dbghelp"]
            elif self.settings.os == "Macos":
                self.cpp_info.frameworks = ["CoreFoundation", "Security"]
                self.cpp_info.system_libs = ["iconv", "m"]

    @property
    def _machine(self):
        return str(self.settings.os), str(self.settings.arch)

    def _make(self, goal, **variables):
        variables["TARGET"] = TARGETS[self._machine] if cross_building(self) else ""
        if not self.options.download:
            variables["CARGO_FLAGS"] = "--no-default-features --features c-source,keras,onnx,reserve"
        arguments = [f"{name}={value}" for name, value in variables.items()]
        self.run(shlex.join(["make", "--no-print-directory", "-C", self.source_folder, goal, *arguments]))
