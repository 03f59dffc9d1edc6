// Arrays of bytes out of numpy's archives: a zip of .npy files, stored or deflated.

const text = new TextDecoder('latin1');

/** The array called `name`: { dims, values }, the values being unsigned bytes. */
export async function array(archive, name) {
  const view = new DataView(archive);
  for (const file of files(view))
    if (file.name === `${name}.npy`)
      return unpacked(await content(archive, view, file), name);
  throw new Error(`the archive has no ${name}`);
}

/** What the archive's directory, at its end, says of its files. */
function* files(view) {
  let end = view.byteLength - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50)
    end--;
  if (end < 0)
    throw new Error('no zip archive');
  let at = view.getUint32(end + 16, true);
  for (let i = view.getUint16(end + 10, true); i > 0; i--) {
    const [nameLength, extra, comment] = [28, 30, 32].map(field => view.getUint16(at + field, true));
    yield {
      name: text.decode(new Uint8Array(view.buffer, at + 46, nameLength)),
      deflated: view.getUint16(at + 10, true) === 8,
      size: view.getUint32(at + 20, true),
      at: view.getUint32(at + 42, true),
    };
    at += 46 + nameLength + extra + comment;
  }
}

async function content(archive, view, { at, size, deflated }) {
  const from = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  const packed = new Blob([new Uint8Array(archive, from, size)]);
  const stream = deflated ? packed.stream().pipeThrough(new DecompressionStream('deflate-raw')) : packed.stream();
  return new Response(stream).arrayBuffer();
}

/** A .npy file: a header in Python's words, then the numbers. */
function unpacked(file, name) {
  const view = new DataView(file), old = view.getUint8(6) === 1;
  const start = old ? 10 : 12, length = old ? view.getUint16(8, true) : view.getUint32(8, true);
  const header = text.decode(new Uint8Array(file, start, length));
  const [, type] = header.match(/'descr': *'(.*?)'/) ?? [], [, dims] = header.match(/'shape': *\((.*?)\)/) ?? [];
  if (type !== '|u1' || dims === undefined)
    throw new Error(`${name} is no array of bytes: ${header}`);
  return { dims: dims.split(',').filter(size => size.trim()).map(Number), values: new Uint8Array(file, start + length) };
}
