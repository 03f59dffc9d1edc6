# Builds the library and installs it, with what pkg-config and CMake need to find it:
#
#     make && sudo make install                     into /usr/local
#     make install PREFIX=$HOME/.local              anywhere; the folder may be moved later
#     make install PREFIX=/usr DESTDIR=/tmp/root    for a package
#     make uninstall PREFIX=...                     takes away what install has put there
#     make dist                                     an archive of the same files, to be unpacked anywhere
#     make wheel                                    a package for Python, to be installed by pip (python/README.md)
#     make install TARGET=x86_64-pc-windows-gnu PREFIX=...    the library for Windows, from here (docs/windows.md)
#
# It needs Rust, a C compiler and make. What goes where is told by packaging/place; the version by Cargo.toml, and what a
# static link asks of the system by the compiler.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
# More for cargo: CARGO_FLAGS=--no-default-features leaves the download out.
CARGO_FLAGS ?=
# The time of the files in the archive, in seconds since 1970.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

# The machine that it is for, by rustc's name for it; nothing: this one.
TARGET := $(CARGO_BUILD_TARGET)

CARGO_DIR = $(or $(CARGO_TARGET_DIR),target)$(TARGET:%=/%)
RELEASE   = $(CARGO_DIR)/release
BUILT     = $(CARGO_DIR)/package

export PREFIX LIBDIR INCLUDEDIR DESTDIR BUILT SOURCE_DATE_EPOCH

# Rust's standard library for another machine is rustup's, or is built with this one: std_flags knows.
ifneq ($(TARGET),)
export CARGO_BUILD_TARGET := $(TARGET)
SHELL     = bash
WITH_STD  = . packaging/ports/env.sh; \
    std_flags $(TARGET) || { echo "there is no standard library for it: rustup target add $(TARGET)" >&2; exit 1; };
STD_FLAGS = $$STD_FLAGS
endif

all: $(BUILT)/done

# Cargo is asked only when a source is newer, so that a second user (sudo) needs no Rust for what the first one has built.
# The libraries are copied away at once: a later build with other features does not change what is installed. All is
# optimized at link time; the crate types are named because cargo leaves that out, silently, where an rlib is among them.
$(BUILT)/done: Makefile Cargo.toml Cargo.lock build.rs cbindgen.toml packaging/notices packaging/alone $(shell find src -type f) $(BUILT)/flags
	$(WITH_STD) cargo rustc --release --config profile.release.lto=true --lib --crate-type cdylib,staticlib $(CARGO_FLAGS) $(STD_FLAGS) -- \
	    --print native-static-libs=$(abspath $(RELEASE))/native-static-libs
	for file in native-static-libs libmnist.a libmnist.so libmnist.dylib mnist.dll libmnist.dll.a; do \
	    [ ! -e $(RELEASE)/$$file ] || cp $(RELEASE)/$$file $(BUILT) || exit; \
	done
	packaging/alone $(BUILT)/libmnist.a
	cargo pkgid | sed 's/.*[#@]//' > $(BUILT)/version
	packaging/notices $(CARGO_FLAGS) > $(BUILT)/NOTICES
	touch $@

# Renewed when the flags are others than last time.
$(BUILT)/flags: FORCE
	@mkdir -p $(BUILT)
	@echo '$(CARGO_FLAGS)' | cmp -s - $@ || echo '$(CARGO_FLAGS)' > $@

install: all
	packaging/place install

uninstall: all
	packaging/place uninstall

dist: all
	packaging/dist

wheel: all
	packaging/wheel

clean:
	rm -rf $(BUILT)

FORCE:
.PHONY: all install uninstall dist wheel clean FORCE
