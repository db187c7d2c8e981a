/**
 * Reads the rows of a database file from its pages, by SQLite's file format alone (https://sqlite.org/fileformat2.html).
 * It shares nothing with the collector's recovery: the damage trials hold that recovery against what stands in the file.
 */
import process from 'node:process';

/** A row of a table as a leaf page holds it; the column of an INTEGER PRIMARY KEY is null. */
export interface PageRow {
  readonly page: number;
  /** Which cell of its page it is, from 0 on, and how many there are. */
  readonly cell: number;
  readonly cells: number;
  readonly rowId: bigint;
  readonly columns: readonly (null | bigint | number | string | Uint8Array)[];
  /** Where the cell stands in the file: first byte, and the byte after the last. */
  readonly from: number;
  readonly to: number;
}

/** Of the databases that are damaged; a damaged header may have another size. Earlier versions made pages of 1,024. */
export const PAGE_BYTES = Number(process.env['DAMAGE_PAGE_BYTES'] ?? 512);
const LEAF_OF_A_TABLE = 13;
const LEAF_OF_AN_INDEX = 10;
const INTERIOR_OF_AN_INDEX = 2;

/** Returns every row of every page that has the type of a table's leaf; what cannot be decoded is left out. */
export function readPageRows(file: Uint8Array): PageRow[] {
  return readCells(file, LEAF_OF_A_TABLE);
}

/** Returns the columns of every entry of every page of an index. */
export function readIndexEntries(file: Uint8Array): PageRow['columns'][] {
  return [LEAF_OF_AN_INDEX, INTERIOR_OF_AN_INDEX].flatMap((type) =>
    readCells(file, type).map(({ columns }) => columns),
  );
}

function readCells(file: Uint8Array, type: number): PageRow[] {
  const rows: PageRow[] = [];
  for (let page = 1; page * PAGE_BYTES <= file.length; page++) {
    const start = (page - 1) * PAGE_BYTES;
    const header = page === 1 ? start + 100 : start;
    if (file[header] !== type) continue;
    const bytes = new DataView(file.buffer, file.byteOffset + start, PAGE_BYTES);
    const cells = Math.min(bytes.getUint16(header - start + 3), 500);
    for (let cell = 0; cell < cells; cell++) {
      const pointerAt = header - start + (type === INTERIOR_OF_AN_INDEX ? 12 : 8) + 2 * cell;
      if (pointerAt + 2 > PAGE_BYTES) break;
      const at = bytes.getUint16(pointerAt) + (type === INTERIOR_OF_AN_INDEX ? 4 : 0);
      const row = readCell(bytes, at, type === LEAF_OF_A_TABLE);
      if (row !== undefined) rows.push({ ...row, page, cell, cells, from: start + row.from, to: start + row.to });
    }
  }
  return rows;
}

/** Returns one cell; undefined for one that leads out of its page or goes on in another. */
function readCell(page: DataView, at: number, hasRowId: boolean): Omit<PageRow, 'page' | 'cell' | 'cells'> | undefined {
  try {
    const size = readVarint(page, at);
    const rowId = hasRowId ? readVarint(page, size.next) : { value: 0n, next: size.next };
    const headerSize = readVarint(page, rowId.next);
    const end = rowId.next + Number(size.value);
    if (size.value > BigInt(PAGE_BYTES - 35) || end > PAGE_BYTES) return undefined;
    const headerEnd = rowId.next + Number(headerSize.value);
    const columns: PageRow['columns'][number][] = [];
    let value = headerEnd;
    for (let type = headerSize.next; type < headerEnd;) {
      const serial = readVarint(page, type);
      const column = readColumn(page, value, Number(serial.value));
      columns.push(column.value);
      value += column.bytes;
      type = serial.next;
    }
    return value === end ? { rowId: rowId.value, columns, from: at, to: end } : undefined;
  } catch (error) {
    // By its name: in jest's sandbox the errors of typed arrays are of another class.
    if ((error as Error).name === 'RangeError') return undefined;
    throw error;
  }
}

function readVarint(page: DataView, at: number): { readonly value: bigint; readonly next: number } {
  let value = 0n;
  for (let index = 0; index < 8; index++) {
    const byte = page.getUint8(at + index);
    value = (value << 7n) | BigInt(byte & 127);
    if (byte < 128) return { value, next: at + index + 1 };
  }
  return { value: BigInt.asIntN(64, (value << 8n) | BigInt(page.getUint8(at + 8))), next: at + 9 };
}

function readColumn(
  page: DataView,
  at: number,
  type: number,
): { readonly value: PageRow['columns'][number]; readonly bytes: number } {
  if (type === 0) return { value: null, bytes: 0 };
  if (type === 7) return { value: page.getFloat64(at), bytes: 8 };
  if (type === 8 || type === 9) return { value: BigInt(type - 8), bytes: 0 };
  if (type < 7) return readInteger(page, at, [0, 1, 2, 3, 4, 6, 8][type]!);
  if (type < 12) throw new RangeError(`type ${type} is reserved`);
  const bytes = Math.floor((type - 12) / 2);
  const content = new Uint8Array(page.buffer, page.byteOffset + at, bytes);
  if (at + bytes > PAGE_BYTES) throw new RangeError('a value leads out of its page');
  return { value: type % 2 === 0 ? content : new TextDecoder().decode(content), bytes };
}

function readInteger(page: DataView, at: number, bytes: number): { readonly value: bigint; readonly bytes: number } {
  let value = 0n;
  for (let index = 0; index < bytes; index++) value = (value << 8n) | BigInt(page.getUint8(at + index));
  return { value: BigInt.asIntN(8 * bytes, value), bytes };
}
