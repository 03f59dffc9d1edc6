// What files that were downloaded say of a digit.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { examples } from './studio.js';

const here = fileURLToPath(new URL('.', import.meta.url));

/** The ten probabilities that a file of the format gives for a digit of 784 bytes. */
export function predicted(format, bytes, digit) {
  const folder = mkdtempSync(path.join(tmpdir(), 'model-'));
  try {
    const file = path.join(folder, `digits.${format}`);
    writeFileSync(file, bytes);
    const program = format === 'c' ? compiled(file, folder) : [path.join(examples, 'build/predict'), file];
    return execFileSync(program[0], program.slice(1), { input: digit, encoding: 'utf8' }).trim().split('\n').map(Number);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function compiled(file, folder) {
  const program = path.join(folder, 'predict');
  execFileSync('cc', ['-std=c99', '-O1', '-ffp-contract=off', `-DDIGITS="${file}"`, '-o', program, path.join(here, 'predict_c.c'), '-lm']);
  return [program];
}

/** The names and shapes of the tensors in a safetensors file. */
export function tensors(bytes) {
  const file = Buffer.from(bytes);
  const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))));
  return Object.fromEntries(Object.entries(header).filter(([name]) => name !== '__metadata__').map(([name, { shape }]) => [name, shape]));
}
