import type { IncomingMessage } from 'node:http';
import { PassThrough, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** A request's body as it could be read. */
export interface RequestBody {
  /** Bytes on the wire. */
  readonly bytes: number;
  /** Decoded; where the body was damaged, what came before the damage. */
  readonly text: string;
  /** Why it could not be read to its end. */
  readonly damage?: { readonly status: number; readonly message: string };
}

/** Decoded bytes a body may have: far above any chunk, far below what would exhaust a small machine. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** zlib's code for input that ends too early. */
const CUT_SHORT = 'Z_BUF_ERROR';

class BodyTooLarge extends Error {}

/**
 * Reads a body, decoding gzip and zstd when its header says so. What is damaged keeps the whole lines before the damage,
 * since VictoriaMetrics stores those and answers 400, or, for gzip that was cut short, 204. Throws when the client goes
 * away before the end.
 */
export async function readBody(request: IncomingMessage): Promise<RequestBody> {
  const parts: Buffer[] = [];
  let bytes = 0;
  let decodedBytes = 0;
  // Piped rather than read through a pipeline, which would destroy the socket along with a damaged body and leave
  // no way to answer.
  const decoder = createDecoder(request.headers['content-encoding']);
  request.on('data', (part: Buffer) => (bytes += part.length));
  request.once('close', () => request.complete || decoder.destroy(new Error('the client went away')));
  try {
    for await (const part of request.pipe(decoder) as AsyncIterable<Buffer>) {
      decodedBytes += part.length;
      if (decodedBytes > MAX_BODY_BYTES) throw new BodyTooLarge(`the body is over ${MAX_BODY_BYTES} bytes`);
      parts.push(part);
    }
    return { bytes, text: Buffer.concat(parts).toString() };
  } catch (error) {
    // The rest is read and thrown away: a client that is still sending would not see the answer.
    request.resume();
    if (error instanceof BodyTooLarge) return { bytes, text: '', damage: { status: 413, message: error.message } };
    if (!isDecodingError(error)) throw error;
    const text = Buffer.concat(parts).toString();
    const wholeLines = text.slice(0, text.lastIndexOf('\n') + 1);
    if (error.code === CUT_SHORT) return { bytes, text: wholeLines };
    return {
      bytes,
      text: wholeLines,
      damage: { status: 400, message: `cannot read compressed data: ${error.message}` },
    };
  }
}

function createDecoder(encoding: string | undefined): Transform {
  if (encoding === 'gzip') return createGunzip();
  return encoding === 'zstd' ? createZstdDecompress() : new PassThrough();
}

/** Recognized by zlib's code: the class of an error that comes from Node itself differs from a test sandbox's own. */
function isDecodingError(error: unknown): error is NodeJS.ErrnoException {
  return /^(?:Z_|ZSTD_)/.test(String((error as NodeJS.ErrnoException).code));
}
