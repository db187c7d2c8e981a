import { toErrorCode } from '@thugshells/shared/errors.ts';

/** SQLite's record format, section 2.1 of its file format. */

/** A value of a stored record. */
export type SqlValue = null | number | string | Buffer;

/** How Buffer reports that a read leads out of it. */
const OUT_OF_BOUNDS: readonly (string | undefined)[] = ['ERR_OUT_OF_RANGE', 'ERR_BUFFER_OUT_OF_BOUNDS'];

/** Whether an error is of bytes that are no record. */
export function isOutOfBounds(error: unknown): boolean {
  return OUT_OF_BOUNDS.includes(toErrorCode(error));
}

/** Reads SQLite's numbers one after the other; a RangeError where they lead out of the page. */
export class RecordCursor {
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

  /** Of eight bytes and more a number loses the last bits; the ninth byte counts whole. */
  #endOfLong(value: bigint): number {
    const eighth = this.#bytes.readUInt8(this.at++);
    const longer = (value << 7n) | BigInt(eighth & 0x7f);
    if (eighth < 0x80) return Number(longer);
    return Number(BigInt.asIntN(64, (longer << 8n) | BigInt(this.#bytes.readUInt8(this.at++))));
  }
}

const INTEGER_BYTES: readonly number[] = [0, 1, 2, 3, 4, 6, 8];

/**
 * Parses a record: a header of types and then the values.
 *
 * @throws RangeError of which isOutOfBounds() is true if the bytes are no record as SQLite writes it
 */
export function parseRecord(payload: Buffer): SqlValue[] {
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
  // SQLite leaves no byte unused: a record of another length is one of which a byte has changed.
  if (at !== payload.length || header.at !== headerBytes) throw outOfRange('the record has another length');
  return values;
}

function parseValue(payload: Buffer, at: number, type: number): { readonly value: SqlValue; readonly bytes: number } {
  if (type === 0) return { value: null, bytes: 0 };
  if (type === 8 || type === 9) return { value: type - 8, bytes: 0 };
  if (type === 7) return { value: payload.readDoubleBE(at), bytes: 8 };
  if (type > 0 && type < 7) return parseInteger(payload, at, type);
  const bytes = Math.floor((type - 12) / 2);
  if (bytes < 0 || at + bytes > payload.length) throw outOfRange('a value leads out of its record');
  const content = payload.subarray(at, at + bytes);
  return { value: type % 2 === 0 ? content : content.toString('utf8'), bytes };
}

/** SQLite takes the fewest bytes that an integer fits in: one that would fit in fewer is one of which a byte has changed. */
function parseInteger(payload: Buffer, at: number, type: number): { readonly value: number; readonly bytes: number } {
  const bytes = INTEGER_BYTES[type]!;
  const value = type === 6 ? Number(payload.readBigInt64BE(at)) : payload.readIntBE(at, bytes);
  const fewerBits = 8 * INTEGER_BYTES[type - 1]! - 1;
  const least = type === 1 ? 2 : 2 ** fewerBits;
  if (value >= -least && value < least && !(type === 1 && value < 0))
    throw outOfRange('the integer is longer than it needs to be');
  return { value, bytes };
}

function outOfRange(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}
