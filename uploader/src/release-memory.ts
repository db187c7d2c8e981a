import { isArrayBuffer } from 'node:util/types';

/**
 * Frees the memory of an array that is not used any more. V8 counts memory outside of its heap little and collects it late:
 * during a drain tens of megabytes of bodies and columns would gather. Memory that is shared with other arrays stays.
 */
export function releaseMemory({ buffer, byteLength }: Uint8Array | Float64Array): void {
  if (isArrayBuffer(buffer) && !buffer.detached && buffer.byteLength === byteLength) buffer.transfer(0);
}
