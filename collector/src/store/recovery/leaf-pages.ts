import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

import { toErrorCode } from '@thugshells/shared/errors.ts';
import { PAGE_SIZE } from '@thugshells/shared/database/open.ts';

/** A value of a stored record. */
export type SqlValue = null | number | string | Buffer;

/** One row of a rowid table as its page holds it; the column of an INTEGER PRIMARY KEY is null. */
export interface LeafRow {
  readonly id: number;
  readonly values: readonly SqlValue[];
}

/** SQLite's file format, section 1.6: the type of a table b-tree's leaf page. */
const TABLE_LEAF = 0x0d;
/** Page 1 begins with the header of the whole file. */
const FILE_HEADER_BYTES = 100;
/** Section 4.1: the WAL's header, and the header of each of its frames. */
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Pages of the file that are read at once, to save system calls. */
const BLOCK_PAGES = 128;

/** Codes of Buffer's errors for a read beyond its end. */
const OUT_OF_BOUNDS: readonly (string | undefined)[] = ['ERR_OUT_OF_RANGE', 'ERR_BUFFER_OUT_OF_BOUNDS'];

/** Reads SQLite's varints in sequence; throws a RangeError at the end of the page. */
class RecordCursor {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  varint(): number {
    let value = 0;
    for (let count = 1; count <= 7; count++) {
      const byte = this.#bytes.readUInt8(this.at++);
      value = value * 128 + (byte & 0x7f);
      if (byte < 0x80) return value;
    }
    return this.#endOfLong(BigInt(value));
  }

  /** Eight bytes and more exceed a JavaScript number; the ninth byte has eight bits of value. */
  #endOfLong(value: bigint): number {
    const eighth = this.#bytes.readUInt8(this.at++);
    const longer = (value << 7n) | BigInt(eighth & 0x7f);
    if (eighth < 0x80) return Number(longer);
    return Number(BigInt.asIntN(64, (longer << 8n) | BigInt(this.#bytes.readUInt8(this.at++))));
  }
}

/**
 * Reads the pages of a database file and of its WAL without SQLite: for files that SQLite refuses.
 * Only for files that no connection of this process has open: closing them drops its POSIX locks.
 */
export class PageFile {
  readonly #descriptor: number | undefined;
  readonly #walDescriptor: number | undefined;
  readonly pageSize: number;
  readonly #filePages: number;
  readonly #frames: number;
  #block: { readonly first: number; readonly bytes: Buffer } | undefined;

  constructor(path: string) {
    this.#descriptor = openIfPresent(path);
    this.#walDescriptor = openIfPresent(`${path}-wal`);
    this.pageSize = this.#readPageSize();
    this.#filePages = Math.ceil(readFileSize(this.#descriptor) / this.pageSize);
    const walBytes = readFileSize(this.#walDescriptor);
    this.#frames = Math.max(0, Math.floor((walBytes - WAL_HEADER_BYTES) / (this.pageSize + FRAME_HEADER_BYTES)));
  }

  /** How many pages there are, those in the WAL included. */
  get count(): number {
    return this.#filePages + this.#frames;
  }

  /** Returns a page by its place, from 0: first those of the file, then those of the WAL. Bytes after the end are zeros. */
  page(place: number): Buffer {
    if (place < this.#filePages) return this.#filePage(place);
    const frame = place - this.#filePages;
    return this.#read(
      this.#walDescriptor,
      WAL_HEADER_BYTES + frame * (this.pageSize + FRAME_HEADER_BYTES) + FRAME_HEADER_BYTES,
    );
  }

  /** Returns the rows of a page; none if it is not the leaf of a table. @param wanted decides by the first row */
  rows(place: number, wanted: (first: LeafRow) => boolean): LeafRow[] {
    const page = this.page(place);
    const start = place === 0 ? FILE_HEADER_BYTES : 0;
    if (page[start] !== TABLE_LEAF) return [];
    const rows: LeafRow[] = [];
    const cells = Math.min(page.readUInt16BE(start + 3), (this.pageSize - start - 8) >> 1);
    for (let cell = 0; cell < cells; cell++) {
      const row = this.#rowAt(page, page.readUInt16BE(start + 8 + 2 * cell));
      if (row === undefined) continue;
      if (rows.length === 0 && !wanted(row)) return [];
      rows.push(row);
    }
    return rows;
  }

  close(): void {
    for (const descriptor of [this.#descriptor, this.#walDescriptor])
      if (descriptor !== undefined) closeSync(descriptor);
  }

  #filePage(place: number): Buffer {
    const first = place - (place % BLOCK_PAGES);
    if (this.#block?.first !== first) {
      this.#block = { first, bytes: this.#read(this.#descriptor, first * this.pageSize, BLOCK_PAGES * this.pageSize) };
    }
    const at = (place - first) * this.pageSize;
    return this.#block.bytes.subarray(at, at + this.pageSize);
  }

  #rowAt(page: Buffer, at: number): LeafRow | undefined {
    try {
      const cursor = new RecordCursor(page, at);
      const payloadBytes = cursor.varint();
      const id = cursor.varint();
      const payload = this.#payload(page, cursor.at, payloadBytes);
      return payload === undefined ? undefined : { id, values: parseRecord(payload) };
    } catch (error) {
      // A pointer out of the page: not a row.
      if (OUT_OF_BOUNDS.includes(toErrorCode(error))) return undefined;
      throw error;
    }
  }

  /** Section 1.6: a payload that does not fit into the page goes on in a chain of overflow pages. */
  #payload(page: Buffer, at: number, bytes: number): Buffer | undefined {
    const maxLocal = this.pageSize - 35;
    if (bytes <= maxLocal) return at + bytes <= page.length ? page.subarray(at, at + bytes) : undefined;
    const minLocal = Math.floor(((this.pageSize - 12) * 32) / 255) - 23;
    const surplus = minLocal + ((bytes - minLocal) % (this.pageSize - 4));
    const local = surplus <= maxLocal ? surplus : minLocal;
    const parts = [page.subarray(at, at + local)];
    let next = page.readUInt32BE(at + local);
    for (let rest = bytes - local; rest > 0;) {
      if (next === 0 || next > this.#filePages || parts.length > this.#filePages) return undefined;
      const overflow = this.page(next - 1);
      next = overflow.readUInt32BE(0);
      parts.push(overflow.subarray(4, 4 + Math.min(rest, this.pageSize - 4)));
      rest -= this.pageSize - 4;
    }
    return Buffer.concat(parts);
  }

  /** Reads the page size from the header of the file or of the WAL; our own size if neither is valid. */
  #readPageSize(): number {
    const header = this.#read(this.#descriptor, 0, FILE_HEADER_BYTES);
    const fromFile = header.toString('latin1', 0, 15) === 'SQLite format 3' ? header.readUInt16BE(16) : 0;
    const fromWal = this.#read(this.#walDescriptor, 0, WAL_HEADER_BYTES).readUInt32BE(8);
    return [fromFile, fromWal].find((size) => size >= 512 && size <= 32_768 && (size & (size - 1)) === 0) ?? PAGE_SIZE;
  }

  /** Bytes after the end are zeros. */
  #read(descriptor: number | undefined, position: number, bytes = this.pageSize): Buffer {
    const read = Buffer.alloc(bytes);
    if (descriptor !== undefined) readSync(descriptor, read, 0, bytes, position);
    return read;
  }
}

function readFileSize(descriptor: number | undefined): number {
  return descriptor === undefined ? 0 : fstatSync(descriptor).size;
}

function openIfPresent(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

const INTEGER_BYTES: readonly number[] = [0, 1, 2, 3, 4, 6, 8];

/** Section 2.1: a record is a header of types and then the values. */
function parseRecord(payload: Buffer): SqlValue[] {
  const header = new RecordCursor(payload, 0);
  const headerBytes = header.varint();
  const values: SqlValue[] = [];
  let at = headerBytes;
  while (header.at < headerBytes) {
    const type = header.varint();
    const { value, bytes } = parseValue(payload, at, type);
    values.push(value);
    at += bytes;
  }
  return values;
}

function parseValue(payload: Buffer, at: number, type: number): { readonly value: SqlValue; readonly bytes: number } {
  if (type === 0) return { value: null, bytes: 0 };
  if (type === 8 || type === 9) return { value: type - 8, bytes: 0 };
  if (type === 7) return { value: payload.readDoubleBE(at), bytes: 8 };
  if (type === 6) return { value: Number(payload.readBigInt64BE(at)), bytes: 8 };
  if (type > 0 && type < 6) return { value: payload.readIntBE(at, INTEGER_BYTES[type]!), bytes: INTEGER_BYTES[type]! };
  const bytes = Math.floor((type - 12) / 2);
  if (bytes < 0 || at + bytes > payload.length)
    throw Object.assign(new RangeError('a value exceeds its record'), { code: 'ERR_OUT_OF_RANGE' });
  const content = payload.subarray(at, at + bytes);
  return { value: type % 2 === 0 ? content : content.toString('utf8'), bytes };
}
