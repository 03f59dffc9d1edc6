"""python wasm.py PROGRAM ARGUMENTS...: runs a WASI program with wasmtime; it has access only to the working folder."""

import os
import sys

from wasmtime import Engine, ExitTrap, Linker, Module, Store, WasiConfig

engine = Engine()
linker = Linker(engine)
linker.define_wasi()
store = Store(engine)
wasi = WasiConfig()
wasi.argv = sys.argv[1:]
wasi.env = [(name, value) for name, value in os.environ.items() if name.startswith("MNIST_")]
wasi.inherit_stdout(), wasi.inherit_stderr()
wasi.preopen_dir(".", ".")
store.set_wasi(wasi)
try:
    linker.instantiate(store, Module.from_file(engine, sys.argv[1])).exports(store)["_start"](store)
except ExitTrap as end:
    sys.exit(end.code)
