# . common.sh: what the tests of all packages use.

ROOT=${MNIST_TREE:-$(realpath ../..)}
BUILT=$(cd "$ROOT" && realpath "${CARGO_TARGET_DIR:-target}")/package
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)
VENV=$(dirname "$BUILT")/packages
export ROOT

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

fail() { echo "FAILED: $*" >&2 && exit 1; }
# same WHAT EXPECTED FOUND
same() { [ "$2" = "$3" ] || fail "$1: expected $2, found $3"; }
quietly() { "$@" > "$WORK/log" 2>&1 || { cat "$WORK/log" >&2 && fail "$*"; }; }

# debian COMMAND=PACKAGE...: installs the packages whose commands are not there.
debian() {
    local pair missing=()
    for pair; do command -v "${pair%=*}" > /dev/null || missing+=("${pair#*=}"); done
    [ ${#missing[@]} = 0 ] || {
        quietly apt-get update
        DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends "${missing[@]}"
    }
}

# pypi PACKAGE...: the same from PyPI, in a folder of their own.
pypi() {
    [ -x "$VENV/bin/python" ] || quietly python3 -m venv "$VENV"
    quietly "$VENV/bin/pip" install --quiet --disable-pip-version-check "$@"
    PATH=$VENV/bin:$PATH
}

# The block of docs/packages.md that is called so: its first line is ```LANGUAGE NAME.
block() {
    awk -v name="$1" '/^```/ { if (found) exit; found = $2 == name; next } found' "$ROOT/docs/packages.md" > "$WORK/block"
    [ -s "$WORK/block" ] || fail "docs/packages.md: no block called $1"
    cat "$WORK/block"
}

# sources FOLDER: a program in C and the same in C++, which learn and print what they learned.
sources() {
    mkdir -p "$1"
    cp "$ROOT/tests/install/client.c" "$1/program.c"
    cp "$ROOT/tests/install/client.cpp" "$1/program.cpp"
    cp "$ROOT/tests/install/images.h" "$1"
}

# ran PROGRAM: runs it; all of them print the same.
ran() {
    local found
    found=$("$1" "$VERSION") || fail "$1: $found"
    LINE=${LINE:-$found}
    same "what $1 prints" "$LINE" "$found"
}

# asks PROGRAM shared|static: which of the two libraries it was linked to.
asks() {
    same "$1: libraries of mnist's that it asks for at run time" "$([ "$2" = static ] || echo "libmnist.so.${VERSION%%.*}")" \
        "$(readelf -d "$1" | sed -n 's/.*NEEDED.*\[\(libmnist.*\)\]/\1/p')"
}
