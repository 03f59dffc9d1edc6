// What WebAssembly's system interface (WASI preview 1) asks of its host, as far as the library needs it: clocks, random bytes,
// text to write, the environment. There are no files: whoever asks for one is told so.

const ok = 0, badFile = 8, notThere = 52; // errno
const text = new TextDecoder();

/** The imports of `module`. `memory()` gives its memory, `write(text)` takes what it prints, `environment` are its variables. */
export function wasi(module, { memory, write = console.log, environment = {} }) {
  const view = () => new DataView(memory().buffer);
  const variables = Object.entries(environment).map(([name, value]) => new TextEncoder().encode(`${name}=${value}\0`));
  const calls = {
    clock_time_get(clock, _precision, to) {
      const now = clock === 0 ? Date.now() : performance.now(); // ms
      view().setBigUint64(to, BigInt(Math.round(now * 1e6)), true);
      return ok;
    },
    random_get(to, count) {
      const most = 65536; // at once
      for (let at = 0; at < count; at += most)
        crypto.getRandomValues(new Uint8Array(memory().buffer, to + at, Math.min(most, count - at)));
      return ok;
    },
    environ_sizes_get(count, bytes) {
      view().setUint32(count, variables.length, true);
      view().setUint32(bytes, variables.reduce((sum, one) => sum + one.length, 0), true);
      return ok;
    },
    environ_get(pointers, bytes) {
      variables.forEach((one, i) => {
        view().setUint32(pointers + 4 * i, bytes, true);
        new Uint8Array(memory().buffer, bytes, one.length).set(one);
        bytes += one.length;
      });
      return ok;
    },
    fd_write(file, pieces, count, written) {
      if (file !== 1 && file !== 2)
        return badFile;
      const bytes = [];
      for (let i = 0; i < count; i++) {
        const [from, len] = [0, 4].map(at => view().getUint32(pieces + 8 * i + at, true));
        bytes.push(...new Uint8Array(memory().buffer, from, len));
      }
      write(text.decode(Uint8Array.from(bytes)));
      view().setUint32(written, bytes.length, true);
      return ok;
    },
    proc_exit(code) {
      throw new Error(`the library has ended with ${code}`);
    },
  };
  const asked = WebAssembly.Module.imports(module);
  const other = name => name.startsWith('fd_') ? () => badFile : () => notThere;
  return { wasi_snapshot_preview1: Object.fromEntries(asked.map(({ name }) => [name, calls[name] ?? other(name)])) };
}
