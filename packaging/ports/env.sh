# Source this file (". env.sh"): sets the environment in which cargo, the linkers, qemu and wine build and run programs for other
# machines. PORTS is the folder into which `setup` installs things.

export PORTS=${PORTS:-$HOME/.cache/mnist-ports}

# The name of cargo's environment variable for a setting of TARGET.
cargo_variable() { # cargo_variable TARGET LINKER|RUNNER|RUSTFLAGS
    echo "CARGO_TARGET_$(tr a-z- A-Z_ <<< "$1")_$2"
}
for_cargo() { # for_cargo TARGET LINKER [RUNNER...]
    export "$(cargo_variable "$1" LINKER)=$2"
    [ $# = 2 ] || export "$(cargo_variable "$1" RUNNER)=${*:3}"
}
for_cargo aarch64-unknown-linux-gnu aarch64-linux-gnu-gcc qemu-aarch64 -L /usr/aarch64-linux-gnu
for_cargo armv7-unknown-linux-gnueabihf arm-linux-gnueabihf-gcc qemu-arm -L /usr/arm-linux-gnueabihf
for_cargo i686-unknown-linux-gnu i686-linux-gnu-gcc qemu-i386 -L /usr/i686-linux-gnu
for_cargo riscv64gc-unknown-linux-gnu riscv64-linux-gnu-gcc qemu-riscv64 -L /usr/riscv64-linux-gnu
for_cargo s390x-unknown-linux-gnu s390x-linux-gnu-gcc "$PORTS/qemu/usr/bin/qemu-s390x" -L /usr/s390x-linux-gnu
for_cargo x86_64-unknown-linux-musl "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/musl-cc"
for_cargo x86_64-pc-windows-gnu x86_64-w64-mingw32-gcc wine64
command -v wine64 > /dev/null || PATH=$PATH:/usr/lib/wine # where Debian puts it
export WINEPREFIX=${WINEPREFIX:-$PORTS/wine} WINEDEBUG=${WINEDEBUG--all} WINEDLLOVERRIDES="mscoree,mshtml="
export ZIG_GLOBAL_CACHE_DIR=$PORTS/zig-cache

# Sets STD_FLAGS, the flags with which cargo finds Rust's standard library for TARGET: none if rustup has installed it ("rustup target
# add TARGET"), otherwise flags that build it from its sources, which rustup ("rustup component add rust-src") or `setup` has
# installed. Fails if there is neither.
std_flags() { # std_flags TARGET
    local sysroot; sysroot=$(rustc --print sysroot)
    [ ! -d "$sysroot/lib/rustlib/$1/lib" ] || return 0
    if [ ! -e "$sysroot/lib/rustlib/src/rust/library/Cargo.lock" ]; then
        [ -e "$PORTS/rust-src/Cargo.lock" ] || return 1
        export __CARGO_TESTS_ONLY_SRC_ROOT=$PORTS/rust-src
    fi
    export RUSTC_BOOTSTRAP=1 # building std is an unstable option
    case $1 in
    wasm32-*) STD_FLAGS=-Zbuild-std=std,panic_abort ;;
    *) STD_FLAGS=-Zbuild-std=std,panic_unwind ;;
    esac
    [ "$1" != x86_64-unknown-linux-musl ] || export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="-C link-self-contained=no"
    [ "$1" != wasm32-wasip1 ] || export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="-C link-self-contained=no -C linker=rust-lld -L native=$PORTS/wasi/usr/lib/wasm32-wasi"
}
STD_FLAGS=
