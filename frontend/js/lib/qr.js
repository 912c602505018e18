// QR codes (ISO/IEC 18004) of bytes with error correction M, up to version 20, which holds 666 bytes.
import { html } from "./html.js";

const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];
const CHECKS = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26]; // in each block
const QUIET = 4; // modules of white around it, without which readers do not find it
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

// ---- the bytes: what is said, and what mends it when a part cannot be read

const POWER = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let i = 0, value = 1; i < 255; i += 1) {
  POWER[i] = POWER[i + 255] = value;
  LOG[value] = i;
  value = (value << 1) ^ (value > 127 ? 0x11d : 0);
}

function checksOf(data, count) {
  let generator = [1];
  for (let i = 0; i < count; i += 1) {
    const next = [...generator, 0];
    generator.forEach((factor, j) => { if (factor) next[j + 1] ^= POWER[LOG[factor] + i]; });
    generator = next;
  }
  const rest = [...data, ...Array(count).fill(0)];
  for (let i = 0; i < data.length; i += 1) {
    const lead = rest[i];
    if (lead) generator.forEach((factor, j) => { if (factor) rest[i + j] ^= POWER[LOG[factor] + LOG[lead]]; });
  }
  return rest.slice(data.length);
}

const alignments = (version) => (version === 1 ? 0 : Math.floor(version / 7) + 2);

function roomFor(version) {
  const lines = alignments(version);
  const taken = lines && (25 * lines - 10) * lines - 55 + (version > 6 ? 36 : 0);
  const all = ((16 * version + 128) * version + 64 - taken) >> 3;
  return all - BLOCKS[version - 1] * CHECKS[version - 1];
}

const lengthBits = (version) => (version < 10 ? 8 : 16);

function versionFor(count) {
  for (let version = 1; version <= BLOCKS.length; version += 1) if (4 + lengthBits(version) + 8 * count <= 8 * roomFor(version)) return version;
  throw new RangeError("This is too long for a QR code.");
}

function dataOf(bytes, version) {
  const binary = (value, length) => value.toString(2).padStart(length, "0");
  const room = roomFor(version);
  let bits = `0100${binary(bytes.length, lengthBits(version))}${Array.from(bytes, (byte) => binary(byte, 8)).join("")}`;
  bits += "0".repeat(Math.min(4, 8 * room - bits.length));
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "0");
  const data = bits.match(/.{8}/g).map((byte) => parseInt(byte, 2));
  for (let i = 0; data.length < room; i += 1) data.push(i % 2 ? 17 : 236);
  return data;
}

/** Blocks are told by turns, so that a stain costs each of them a little and none of them all. */
function woven(data, version) {
  const count = BLOCKS[version - 1];
  const short = Math.floor(data.length / count);
  const shorter = count - (data.length % count);
  const blocks = [];
  for (let i = 0, start = 0; i < count; i += 1) {
    const length = short + (i < shorter ? 0 : 1);
    blocks.push(data.slice(start, start + length));
    start += length;
  }
  const column = (rows) => Array.from({ length: Math.max(...rows.map((row) => row.length)) }, (_, i) => rows.map((row) => row[i])).flat().filter((byte) => byte !== undefined);
  return [...column(blocks), ...column(blocks.map((block) => checksOf(block, CHECKS[version - 1])))];
}

// ---- the picture

function remainder(value, bits, divisor) {
  let rest = value << bits;
  for (let bit = 31 - Math.clz32(rest); bit >= bits; bit = 31 - Math.clz32(rest)) rest ^= divisor << (bit - bits);
  return (value << bits) | rest;
}

const bitOf = (value, i) => Boolean((value >> i) & 1);

function drawFormat(set, size, mask) {
  const format = remainder(mask, 10, 0x537) ^ 0x5412; // level M is 00
  for (let i = 0; i < 15; i += 1) {
    const dark = bitOf(format, i);
    if (i < 6) set(8, i, dark);
    else if (i < 8) set(8, i + 1, dark);
    else if (i === 8) set(7, 8, dark);
    else set(14 - i, 8, dark);
    if (i < 8) set(size - 1 - i, 8, dark);
    else set(8, size - 15 + i, dark);
  }
  set(8, size - 8, true);
}

function drawVersion(set, size, version) {
  const told = remainder(version, 12, 0x1f25);
  for (let i = 0; i < 18; i += 1) {
    const [far, near] = [size - 11 + (i % 3), Math.floor(i / 3)];
    set(far, near, bitOf(told, i));
    set(near, far, bitOf(told, i));
  }
}

function drawSquare(set, size, [x, y], reach, isDark) {
  for (let dy = -reach; dy <= reach; dy += 1) {
    for (let dx = -reach; dx <= reach; dx += 1) {
      const inside = x + dx >= 0 && y + dy >= 0 && x + dx < size && y + dy < size;
      if (inside) set(x + dx, y + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
    }
  }
}

function alignmentLines(version, size) {
  const count = alignments(version);
  const step = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  return Array.from({ length: count }, (_, i) => (i ? size - 7 - (count - 1 - i) * step : 6));
}

function drawFixed(set, size, version) {
  for (let i = 0; i < size; i += 1) { set(6, i, i % 2 === 0); set(i, 6, i % 2 === 0); }
  const corners = [[3, 3], [size - 4, 3], [3, size - 4]];
  for (const corner of corners) drawSquare(set, size, corner, 4, (distance) => distance !== 2 && distance !== 4);
  const lines = alignmentLines(version, size);
  const last = size - 7;
  for (const x of lines) {
    for (const y of lines) {
      const taken = (x === 6 && y === 6) || (x === 6 && y === last) || (x === last && y === 6);
      if (!taken) drawSquare(set, size, [x, y], 2, (distance) => distance !== 1);
    }
  }
  drawFormat(set, size, 0);
  if (version > 6) drawVersion(set, size, version);
}

/** The cells that data goes into, in its order: up and down in columns of two from the right, past the timing column. */
function* path(size) {
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5;
    const up = ((right + 1) & 2) === 0;
    for (let i = 0; i < size; i += 1) for (const x of [right, right - 1]) yield [x, up ? size - 1 - i : i];
  }
}

/** How hard it would be to read: long runs of one colour and blocks of four. */
function hardship(grid) {
  let points = 0;
  const size = grid.length;
  for (let a = 0; a < size; a += 1) {
    for (const at of [(b) => grid[a][b], (b) => grid[b][a]]) {
      for (let b = 1, run = 1; b < size; b += 1) {
        run = at(b) === at(b - 1) ? run + 1 : 1;
        if (run === 5) points += 3;
        else if (run > 5) points += 1;
      }
    }
    for (let b = 1; a && b < size; b += 1) if ([grid[a - 1][b], grid[a][b - 1], grid[a - 1][b - 1]].every((dark) => dark === grid[a][b])) points += 3;
  }
  return points;
}

/** The modules of a QR code, row by row; true is dark. @param {string} text @returns {boolean[][]} */
export function modules(text) {
  const bytes = new TextEncoder().encode(text);
  const version = versionFor(bytes.length);
  const size = 4 * version + 17;
  const fixed = Array.from({ length: size }, () => Array(size).fill(null));
  drawFixed((x, y, dark) => { fixed[y][x] = dark; }, size, version);
  const words = woven(dataOf(bytes, version), version);
  const cells = [...path(size)].filter(([x, y]) => fixed[y][x] === null);
  const drawn = MASKS.map((mask, number) => {
    const grid = fixed.map((row) => [...row]);
    cells.forEach(([x, y], i) => { grid[y][x] = bitOf(words[i >> 3] ?? 0, 7 - (i & 7)) !== mask(x, y); });
    drawFormat((x, y, dark) => { grid[y][x] = dark; }, size, number);
    return { grid, points: hardship(grid) };
  });
  return drawn.reduce((best, one) => (one.points < best.points ? one : best)).grid;
}

/** A picture for cameras, dark on white whatever the theme. @param {string} text @param {string} label */
export function qrCode(text, label) {
  const grid = modules(text);
  const side = grid.length + 2 * QUIET;
  const lines = grid.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : ""))).join("");
  return html`<svg class="qr" viewBox="0 0 ${side} ${side}" role="img" aria-label="${label}" shape-rendering="crispEdges"><path class="qr__dark" d="${lines}"></path></svg>`;
}
