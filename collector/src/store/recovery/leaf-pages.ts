import { fstatSync, readSync } from 'node:fs';

import { closeRawFile, openRawFile } from '@thugshells/shared/database/database-files.ts';

import { findPageSize, INDEX_INTERIOR, INDEX_LEAF, INTERIOR, TABLE_LEAF } from './page-size.ts';
import { isOutOfBounds, parseRecord, RecordCursor, type SqlValue } from './record-format.ts';

/** One row of a rowid table as its page holds it; the column of an INTEGER PRIMARY KEY is null. */
export interface LeafRow {
  readonly id: number;
  readonly values: readonly SqlValue[];
}

/** A leaf page of a table or of an index; of an index only the values count. A cell that cannot be read is undefined. */
export interface LeafPage {
  readonly isIndex: boolean;
  readonly cells: readonly (LeafRow | undefined)[];
}

/** Whether a row is to be read, by its id and the bytes of its record's header: to parse all rows takes ten times as long. */
export type IsWanted = (id: number, headerBytes: number) => boolean;

/** A header that has more, 4 GiB of our pages, is damaged: a database may be far smaller. */
const MAX_PAGES = 4_194_304;
/** Page 1 begins with the header of the whole file. */
const FILE_HEADER_BYTES = 100;
/** A cell of an interior page begins with the number of the page below it. */
const CHILD_BYTES = 4;
/** Section 4.1: the WAL's header, and the header of each of its frames. */
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Pages of the file that are read at once, to save system calls. */
const BLOCK_PAGES = 128;

/**
 * Reads the pages of a database file and of its WAL without SQLite: for files that SQLite refuses.
 */
export class PageFile {
  readonly #descriptor: number | undefined;
  readonly #walDescriptor: number | undefined;
  readonly pageSize: number;
  /** Places of the pages on which rows that have been read go on. */
  readonly overflowPlaces = new Set<number>();
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

  /** The cells of a leaf page, of a table those that are wanted; undefined for a page of another kind. */
  leaf(place: number, isWanted?: IsWanted): LeafPage | undefined {
    const page = this.page(place);
    const start = place === 0 ? FILE_HEADER_BYTES : 0;
    const type = page[start];
    if (type !== TABLE_LEAF && type !== INDEX_LEAF) return undefined;
    const isIndex = type === INDEX_LEAF;
    const cells = readPointers(page, start, 8).map((at) => this.#cellAt(page, at, { isIndex, isWanted }));
    return { isIndex, cells };
  }

  /** The entries of an interior page of an index, which stand on no leaf; none of a page of another kind. */
  separators(place: number): LeafPage['cells'] {
    const page = this.page(place);
    if (place === 0 || page[0] !== INDEX_INTERIOR) return [];
    const kind = { isIndex: true, isWanted: undefined };
    return readPointers(page, 0, 12).map((at) => this.#cellAt(page, at + CHILD_BYTES, kind));
  }

  /** The rows of a table's leaf page that can be read and are wanted; none on a page of another kind. */
  rows(place: number, isWanted?: IsWanted): LeafRow[] {
    const leaf = this.leaf(place, isWanted);
    return leaf === undefined || leaf.isIndex ? [] : leaf.cells.filter((row) => row !== undefined);
  }

  /** Whether a page has the type of an interior page of a table or an index. */
  isInterior(place: number): boolean {
    return INTERIOR.includes(this.page(place)[place === 0 ? FILE_HEADER_BYTES : 0]);
  }

  /** How many pages the database should have by its header (section 1.3.8); undefined if that cannot be read. */
  get expectedPages(): number | undefined {
    const header = this.#read(this.#descriptor, 0, FILE_HEADER_BYTES);
    const pages = isFileHeader(header) ? header.readUInt32BE(28) : 0;
    return pages > 0 && pages <= MAX_PAGES ? pages : undefined;
  }

  /**
   * Places whose rows do not count any more: pages of the free list, and pages of which the WAL has a newer version.
   * A row that was deleted still stands on them.
   */
  findStalePlaces(): Set<number> {
    const newest = new Map<number, number>();
    const placeOf = (page: number): number | undefined =>
      newest.get(page) ?? (page <= this.#filePages ? page - 1 : undefined);
    const stale = new Set<number | undefined>();
    const saltsInUse = this.#frameHeader(0).subarray(8, 16);
    for (let frame = 0; frame < this.#frames; frame++) {
      const place = this.#filePages + frame;
      const frameHeader = this.#frameHeader(frame);
      // Section 4.4: frames of an earlier use of the WAL have other salts; those of the header may be damaged.
      if (!frameHeader.subarray(8, 16).equals(saltsInUse)) {
        stale.add(place);
        continue;
      }
      const page = frameHeader.readUInt32BE(0);
      stale.add(placeOf(page));
      newest.set(page, place);
    }
    for (const page of this.#freePages(placeOf)) stale.add(placeOf(page));
    return new Set([...stale].filter((place) => place !== undefined));
  }

  #frameHeader(frame: number): Buffer {
    const at = WAL_HEADER_BYTES + frame * (this.pageSize + FRAME_HEADER_BYTES);
    return this.#read(this.#walDescriptor, at, FRAME_HEADER_BYTES);
  }

  close(): void {
    for (const descriptor of [this.#descriptor, this.#walDescriptor])
      if (descriptor !== undefined) closeRawFile(descriptor);
  }

  /**
   * Section 1.5: the free list is a chain of pages that name others. None if it is not as long as the header has it: a damaged
   * one would name pages that are in use.
   */
  #freePages(placeOf: (page: number) => number | undefined): Set<number> {
    const free = new Set<number>();
    const pageOf = (page: number): Buffer => this.page(placeOf(page) ?? this.count);
    const header = pageOf(1);
    if (!isFileHeader(header)) return free;
    for (let trunk = header.readUInt32BE(32); trunk > 1 && trunk <= this.count && !free.has(trunk);) {
      free.add(trunk);
      const page = pageOf(trunk);
      const leaves = Math.min(page.readUInt32BE(4), (this.pageSize >> 2) - 2);
      for (let leaf = 0; leaf < leaves; leaf++) free.add(page.readUInt32BE(8 + 4 * leaf));
      trunk = page.readUInt32BE(0);
    }
    return free.size === header.readUInt32BE(36) ? free : new Set();
  }

  #filePage(place: number): Buffer {
    const first = place - (place % BLOCK_PAGES);
    if (this.#block?.first !== first) {
      this.#block = { first, bytes: this.#read(this.#descriptor, first * this.pageSize, BLOCK_PAGES * this.pageSize) };
    }
    const at = (place - first) * this.pageSize;
    return this.#block.bytes.subarray(at, at + this.pageSize);
  }

  #cellAt(
    page: Buffer,
    at: number,
    { isIndex, isWanted }: { readonly isIndex: boolean; readonly isWanted: IsWanted | undefined },
  ): LeafRow | undefined {
    try {
      const cursor = new RecordCursor(page, at);
      const payloadBytes = cursor.varint();
      const id = isIndex ? 0 : cursor.varint();
      if (isWanted?.(id, page[cursor.at] ?? 0) === false) return undefined;
      const payload = this.#payload(page, cursor.at, payloadBytes);
      return payload === undefined ? undefined : { id, values: parseRecord(payload) };
    } catch (error) {
      // What leads out of the page is no row.
      if (isOutOfBounds(error)) return undefined;
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
      this.overflowPlaces.add(next - 1);
      next = overflow.readUInt32BE(0);
      parts.push(overflow.subarray(4, 4 + Math.min(rest, this.pageSize - 4)));
      rest -= this.pageSize - 4;
    }
    return Buffer.concat(parts);
  }

  #readPageSize(): number {
    const header = this.#read(this.#descriptor, 0, FILE_HEADER_BYTES);
    const fromFile = isFileHeader(header) ? header.readUInt16BE(16) : 0;
    const fromWal = this.#read(this.#walDescriptor, 0, WAL_HEADER_BYTES).readUInt32BE(8);
    const fileBytes = readFileSize(this.#descriptor);
    return findPageSize([fromFile, fromWal], fileBytes, (at) => this.#read(this.#descriptor, at, 1)[0]!);
  }

  /** Bytes after the end are zeros. */
  #read(descriptor: number | undefined, position: number, bytes = this.pageSize): Buffer {
    const read = Buffer.alloc(bytes);
    if (descriptor !== undefined) readSync(descriptor, read, 0, bytes, position);
    return read;
  }
}

/** Section 1.6: where the cells of a page begin, as the pointers after its header have it. */
function readPointers(page: Buffer, start: number, headerBytes: number): number[] {
  const first = start + headerBytes;
  const count = Math.min(page.readUInt16BE(start + 3), (page.length - first) >> 1);
  return Array.from({ length: count }, (_, cell) => page.readUInt16BE(first + 2 * cell));
}

function isFileHeader(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 15) === 'SQLite format 3';
}

function readFileSize(descriptor: number | undefined): number {
  return descriptor === undefined ? 0 : fstatSync(descriptor).size;
}

function openIfPresent(path: string): number | undefined {
  try {
    return openRawFile(path);
  } catch {
    return undefined;
  }
}
