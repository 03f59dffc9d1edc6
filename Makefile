# Builds the library and installs it, with the files for pkg-config and CMake:
#
#     make && sudo make install                     into /usr/local
#     make install PREFIX=$HOME/.local              anywhere; the folder may be moved later
#     make install PREFIX=/usr DESTDIR=/tmp/root    for a package
#     make uninstall PREFIX=...                     removes the installed files
#     make dist                                     an archive of the same files, which may be unpacked anywhere
#     make deb                                      Debian packages (docs/packages.md; needs debhelper)
#     make check                                    all checks, about an hour (tests/all)
#     make wheel                                    a Python package for pip (python/README.md)
#     make install TARGET=x86_64-pc-windows-gnu PREFIX=...    cross-compiles the library for Windows (docs/windows.md)
#
# Needs Rust, a C compiler and make. packaging/place lists the installed files. The version is that of Cargo.toml, and the compiler
# reports the system libraries that a static link needs.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DOCDIR     ?= $(PREFIX)/share/doc/mnist
# More flags for cargo: CARGO_FLAGS=--no-default-features builds without the default features, such as the download.
CARGO_FLAGS ?=
# The time stamp of the files in the archive, in seconds since 1970.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

# The target machine, by rustc's name; empty: this machine.
TARGET := $(CARGO_BUILD_TARGET)

CARGO_DIR = $(or $(CARGO_TARGET_DIR),target)$(TARGET:%=/%)
RELEASE   = $(CARGO_DIR)/release
BUILT     = $(CARGO_DIR)/package

export PREFIX LIBDIR INCLUDEDIR DOCDIR DESTDIR BUILT SOURCE_DATE_EPOCH

# Rust's standard library for another target is installed by rustup, or built together with this library: see std_flags.
ifneq ($(TARGET),)
export CARGO_BUILD_TARGET := $(TARGET)
SHELL     = bash
WITH_STD  = . packaging/ports/env.sh; \
    std_flags $(TARGET) || { echo "Rust's standard library for $(TARGET) is not installed: rustup target add $(TARGET)" >&2; exit 1; };
STD_FLAGS = $$STD_FLAGS
endif

# The reference is built if Doxygen and Python are installed.
REFERENCE = $(if $(and $(shell command -v doxygen),$(shell command -v python3)),$(BUILT)/reference/html/index.html)

all: library $(REFERENCE)

library: $(BUILT)/done

# The examples use this library, too. Cargo runs only if a source is newer, so that another user (sudo make install) needs no Rust.
# The libraries are copied at once, so that a later build with other features does not change what is installed. The crate types are
# given explicitly because cargo silently omits link-time optimization if an rlib is among them.
$(BUILT)/done: Makefile Cargo.toml Cargo.lock build.rs cbindgen.toml packaging/alone packaging/compile packaging/notices \
        $(shell find build src -type f) $(BUILT)/flags
	$(WITH_STD) packaging/compile rustc --release --config profile.release.lto=true --lib --crate-type cdylib,staticlib \
	    $(CARGO_FLAGS) $(STD_FLAGS) -- --print native-static-libs=$(abspath $(RELEASE))/native-static-libs
	for file in native-static-libs libmnist.a libmnist.so libmnist.dylib mnist.dll libmnist.dll.a; do \
	    [ ! -e $(RELEASE)/$$file ] || { cp $(RELEASE)/$$file $(BUILT)/$$file.new && mv $(BUILT)/$$file.new $(BUILT)/$$file; } || exit; \
	done
	packaging/alone $(BUILT)/libmnist.a
	cargo pkgid | sed 's/.*[#@]//' > $(BUILT)/version
	[ ! -e $(BUILT)/libmnist.so ] || ln -sf libmnist.so $(BUILT)/libmnist.so.$$(cut -d. -f1 $(BUILT)/version)
	packaging/notices $(CARGO_FLAGS) > $(BUILT)/NOTICES
	touch $@

$(BUILT)/reference/html/index.html: docs/Doxyfile $(wildcard include/* docs/*.md docs/doxygen/* examples/*.c examples/*.cpp examples/reference/*.c)
	rm -rf $(BUILT)/reference
	docs/doxygen/build $(BUILT)/reference

# Rewritten if the flags have changed since the last build.
$(BUILT)/flags: FORCE
	@mkdir -p $(BUILT)
	@echo '$(CARGO_FLAGS)' | cmp -s - $@ || echo '$(CARGO_FLAGS)' > $@

install: all
	packaging/place install

uninstall: all
	packaging/place uninstall

dist: all
	packaging/dist

check:
	tests/all

deb: all
	packaging/deb

wheel: all
	packaging/wheel

clean:
	rm -rf $(BUILT)

FORCE:
.PHONY: all library install uninstall dist deb wheel check clean FORCE
