import { afterEach, expect, test } from '@jest/globals';

import type { Fault } from '../../../receiver/src/faults.ts';
import { RunningUploads, type UploadSettings } from '../../../support/uploader/running-uploads.ts';

const ROWS = 120;

let uploads: RunningUploads;
afterEach(() => uploads.end());

/** Starts with three chunks to send and a receiver that behaves like this. */
async function withReceiver(faults: readonly Fault[], settings: UploadSettings = {}): Promise<void> {
  uploads = await RunningUploads.prepare(settings);
  uploads.stored.rows(ROWS);
  uploads.receiver.setFaults(faults);
}

/** What is settled, what a receiver with deduplication shows, and what it took more than once. */
function end(): Record<string, number> {
  const { pending, delivered, rejected } = uploads.books;
  return { pending, delivered, rejected, visible: uploads.visible.length, duplicates: uploads.receiver.duplicates() };
}

test('a receiver that stores everything and drops responses has everything once, and one repeat per dropped response', async () => {
  await withReceiver([{ eatResponse: true, count: 3 }], { replayWindowMs: 0 });
  for (let pass = 0; pass < 5 && end()['pending'] !== 0; pass++) await uploads.pass();
  expect(end()).toEqual({ pending: 0, delivered: ROWS, rejected: 0, visible: ROWS, duplicates: 3 * 50 });
});

test('a receiver that accepts 25 of 50 has everything once, and nothing twice', async () => {
  await withReceiver([{ accepted: 25, when: { samplesOver: 25 } }]);
  await uploads.pass();
  // Two chunks of 50 of which 25 were taken, and one of 20.
  expect(end()).toEqual({ pending: 50, delivered: 70, rejected: 0, visible: 70, duplicates: 0 });
  for (let pass = 0; pass < 9 && end()['pending'] !== 0; pass++) await uploads.pass();
  expect(end()).toEqual({ pending: 0, delivered: ROWS, rejected: 0, visible: ROWS, duplicates: 0 });
});

test('a receiver that stores half and responds 400 has everything once: a chunk that it rejects is sent in halves', async () => {
  await withReceiver([{ status: 400, body: 'unexpected end', store: 'half', when: { samplesOver: 30 } }]);
  for (let pass = 0; pass < 9 && end()['pending'] !== 0; pass++) await uploads.pass();
  // Of each chunk of 50 the first 25 came with its refusal, and then one alone and the others with their half.
  expect(end()).toEqual({ pending: 0, delivered: ROWS, rejected: 0, visible: ROWS, duplicates: 2 * 25 });
});

test('a receiver that stores half and responds 400 to everything leads to nothing marked and nothing rejected', async () => {
  await withReceiver([{ status: 400, body: 'unexpected end', store: 'half' }]);
  for (let pass = 0; pass < 9; pass++) await uploads.pass();
  expect(end()).toMatchObject({ pending: ROWS, delivered: 0, rejected: 0 });
  expect([uploads.posts.length, uploads.state.condition]).toEqual([9, 'held']);
  uploads.receiver.setFaults([]);
  await uploads.pass();
  expect(end()).toMatchObject({ pending: 0, delivered: ROWS, rejected: 0, visible: ROWS });
});

test('a receiver that accepts a chunk and then rejects everything leads to nothing rejected', async () => {
  await withReceiver([
    { count: 1, headers: { 'X-Taken': 'yes' } },
    { status: 400, body: 'unexpected end' },
  ]);
  for (let pass = 0; pass < 9; pass++) await uploads.pass();
  expect(end()).toEqual({ pending: ROWS - 50, delivered: 50, rejected: 0, visible: 50, duplicates: 0 });
  expect(uploads.state.condition).toBe('held');
  uploads.receiver.setFaults([]);
  await uploads.pass();
  expect(end()).toEqual({ pending: 0, delivered: ROWS, rejected: 0, visible: ROWS, duplicates: 0 });
});

test('a receiver that responds 200 with a page leads to nothing marked, and has everything once when it recovers', async () => {
  await withReceiver([{ status: 200, body: '<html>Please log in</html>', headers: { 'Content-Type': 'text/html' } }]);
  await uploads.pass();
  await uploads.pass();
  expect(end()).toEqual({ pending: ROWS, delivered: 0, rejected: 0, visible: 0, duplicates: 0 });
  expect(uploads.state.reason).toContain('Please log in');
  uploads.receiver.setFaults([]);
  await uploads.pass();
  expect(end()).toEqual({ pending: 0, delivered: ROWS, rejected: 0, visible: ROWS, duplicates: 0 });
});

test('a receiver that sends a byte at a time runs into the timeout, and has everything once when it recovers', async () => {
  await withReceiver([{ status: 200, body: `{"accepted":50}${' '.repeat(1_000)}`, dripMs: 50, store: 'all' }], {
    remoteTimeoutMs: 200,
  });
  await uploads.pass();
  expect(end()).toEqual({ pending: ROWS, delivered: 0, rejected: 0, visible: 50, duplicates: 0 });
  expect(uploads.state.condition).toBe('away');
  uploads.receiver.setFaults([]);
  await uploads.pass();
  expect(end()).toEqual({ pending: 0, delivered: ROWS, rejected: 0, visible: ROWS, duplicates: 50 });
});
