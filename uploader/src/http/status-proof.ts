import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * How `status` knows that a response comes from the uploader of its database, and not from another program that took
 * the port: the uploader writes a random key into its report in the database, whose mode decides who may read it. A
 * request carries a nonce, and the response an HMAC of the nonce and the body by that key. The key is never sent.
 */

/** Of a request; 32 hexadecimal digits. */
export const NONCE_HEADER = 'x-thugshells-nonce';
/** Of the response to it. */
export const PROOF_HEADER = 'x-thugshells-proof';

const NONCE = /^[0-9a-f]{32}$/;

/** Creates the key of one run. */
export function createStatusKey(): string {
  return randomBytes(32).toString('hex');
}

/** Creates the nonce of one request. */
export function createNonce(): string {
  return randomBytes(16).toString('hex');
}

/** Returns the headers that prove a body to the client that sent a nonce; none if it sent no valid one. */
export function proofHeaders(key: string, nonce: unknown, body: string): Readonly<Record<string, string>> {
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) return {};
  return { [PROOF_HEADER]: computeProof(key, nonce, body).toString('hex') };
}

/** Returns whether a proof is that of the body and the nonce, by whoever has the key. */
export function isProven(key: string, nonce: string, { body, proof }: { body: string; proof: unknown }): boolean {
  const expected = computeProof(key, nonce, body);
  const given = Buffer.from(typeof proof === 'string' ? proof : '', 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function computeProof(key: string, nonce: string, body: string): Buffer {
  return createHmac('sha256', key).update(`${nonce}\n${body}`).digest();
}
