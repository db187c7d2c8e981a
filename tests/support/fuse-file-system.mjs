/**
 * A file system in memory, served through /dev/fuse by its kernel protocol (include/uapi/linux/fuse.h, version 7.31), such as
 * 9p, virtiofs and many of FUSE are to SQLite: with FOPEN_DIRECT_IO no file can be mapped for sharing. Mounts itself on
 * argv[2], says "mounted", and serves until it is unmounted. With `no-locks` as argv[3] it refuses POSIX locks too (ENOLCK).
 */
import { spawn } from 'node:child_process';
import { openSync, read, writeSync } from 'node:fs';
import process from 'node:process';

const [, , mountpoint, variant] = process.argv;
const hasLocks = variant !== 'no-locks';

/** linux/fuse.h */
const OPCODES = {
  1: lookup,
  3: (node) => toAttributes(node),
  4: setAttributes,
  10: unlink,
  14: () => toOpened(),
  15: readFile,
  16: writeFile,
  17: statfs,
  18: () => Buffer.alloc(0),
  20: () => Buffer.alloc(0),
  25: () => Buffer.alloc(0),
  26: initialize,
  27: () => toOpened(),
  28: () => Buffer.alloc(0),
  29: () => Buffer.alloc(0),
  31: refuseLock,
  32: refuseLock,
  33: refuseLock,
  34: () => Buffer.alloc(0),
  35: create,
};
/** FORGET, INTERRUPT and BATCH_FORGET have no answer. */
const WITHOUT_ANSWER = [2, 36, 42];
const ENOENT = -2;
const ENOSYS = -38;
const ENOLCK = -37;
const POSIX_LOCKS = 1 << 1;
const DIRECT_IO = 1;
const ROOT = 1;
/** Not mounted yet, or a request that was interrupted. */
const PASSING = ['EPERM', 'EINTR', 'ENOENT', 'EAGAIN'];
const HEADER_BYTES = 40;
const ATTRIBUTE_BYTES = 88;

const nodes = new Map([[ROOT, { id: ROOT, mode: 0o040777, bytes: Buffer.alloc(0) }]]);
const names = new Map();
let lastId = ROOT;

const toName = (bytes) => bytes.toString('utf8', 0, bytes.indexOf(0));

function initialize() {
  const answer = Buffer.alloc(64);
  answer.writeUInt32LE(7, 0);
  answer.writeUInt32LE(31, 4);
  answer.writeUInt32LE(hasLocks ? 0 : POSIX_LOCKS, 12);
  answer.writeUInt32LE(65_536, 20);
  answer.writeUInt32LE(1, 24);
  return answer;
}

function writeAttributes(answer, at, { id, mode, bytes }) {
  answer.writeBigUInt64LE(BigInt(id), at);
  answer.writeBigUInt64LE(BigInt(bytes.length), at + 8);
  answer.writeUInt32LE(mode, at + 60);
  answer.writeUInt32LE(1, at + 64);
  answer.writeUInt32LE(4096, at + 80);
}

function toAttributes(node) {
  const answer = Buffer.alloc(16 + ATTRIBUTE_BYTES);
  writeAttributes(answer, 16, node);
  return answer;
}

function toEntry(node) {
  const answer = Buffer.alloc(40 + ATTRIBUTE_BYTES);
  answer.writeBigUInt64LE(BigInt(node.id), 0);
  writeAttributes(answer, 40, node);
  return answer;
}

function toOpened() {
  const answer = Buffer.alloc(16);
  answer.writeUInt32LE(DIRECT_IO, 8);
  return answer;
}

function lookup(_, body) {
  const node = nodes.get(names.get(toName(body)));
  return node === undefined ? ENOENT : toEntry(node);
}

function create(_, body) {
  const name = toName(body.subarray(16));
  const node = nodes.get(names.get(name)) ?? {
    id: (lastId += 1),
    mode: 0o100000 | (body.readUInt32LE(4) & 0o7777),
    bytes: Buffer.alloc(0),
  };
  nodes.set(node.id, node);
  names.set(name, node.id);
  return Buffer.concat([toEntry(node), toOpened()]);
}

function unlink(_, body) {
  return names.delete(toName(body)) ? Buffer.alloc(0) : ENOENT;
}

function resize(node, length) {
  const bytes = Buffer.alloc(length);
  node.bytes.copy(bytes);
  node.bytes = bytes;
}

function setAttributes(node, body) {
  const valid = body.readUInt32LE(0);
  if (valid & (1 << 3)) resize(node, Number(body.readBigUInt64LE(16)));
  if (valid & 1) node.mode = (node.mode & 0o170000) | (body.readUInt32LE(68) & 0o7777);
  return toAttributes(node);
}

function readFile(node, body) {
  const offset = Number(body.readBigUInt64LE(8));
  return node.bytes.subarray(offset, offset + body.readUInt32LE(16));
}

function writeFile(node, body) {
  const offset = Number(body.readBigUInt64LE(8));
  const data = body.subarray(40, 40 + body.readUInt32LE(16));
  if (offset + data.length > node.bytes.length) resize(node, offset + data.length);
  data.copy(node.bytes, offset);
  const answer = Buffer.alloc(8);
  answer.writeUInt32LE(data.length, 0);
  return answer;
}

function statfs() {
  const answer = Buffer.alloc(80);
  for (const at of [0, 8, 16, 24, 32]) answer.writeBigUInt64LE(1_000_000n, at);
  for (const at of [40, 48]) answer.writeUInt32LE(4096, at);
  answer.writeUInt32LE(255, 44);
  return answer;
}

function refuseLock() {
  return ENOLCK;
}

function answer(request) {
  const opcode = request.readUInt32LE(4);
  if (WITHOUT_ANSWER.includes(opcode)) return;
  const node = nodes.get(Number(request.readBigUInt64LE(16)));
  const result = OPCODES[opcode]?.(node, request.subarray(HEADER_BYTES, request.readUInt32LE(0))) ?? ENOSYS;
  const data = typeof result === 'number' ? Buffer.alloc(0) : result;
  const header = Buffer.alloc(16);
  header.writeUInt32LE(header.length + data.length, 0);
  header.writeInt32LE(typeof result === 'number' ? result : 0, 4);
  request.copy(header, 8, 8, 16);
  try {
    writeSync(device, Buffer.concat([header, data]));
  } catch (error) {
    // Whoever asked has been interrupted.
    if (error.code !== 'ENOENT') throw error;
  }
}

const device = openSync('/dev/fuse', 'r+');
const options = 'fd=3,rootmode=40000,user_id=0,group_id=0,allow_other';
// Not by a helper, such as mount.fuse3, which would start a program.
const mount = spawn('mount', ['-i', '-t', 'fuse.memory', '-o', options, 'memory', mountpoint], {
  stdio: ['ignore', 'inherit', 'inherit', device],
});
mount.once('exit', (code) => (code === 0 ? process.stdout.write('mounted\n') : process.exit(code ?? 1)));

const buffer = Buffer.alloc(256 * 1024);
(function serve() {
  read(device, buffer, 0, buffer.length, null, (error, length) => {
    if (error?.code === 'ENODEV') process.exit(0);
    if (error !== null && !PASSING.includes(error.code)) throw error;
    if (error === null) answer(Buffer.from(buffer.subarray(0, length)));
    setTimeout(serve, error === null ? 0 : 10);
  });
})();
