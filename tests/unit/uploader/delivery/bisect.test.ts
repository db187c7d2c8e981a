import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { bisect, type BisectResult } from '../../../../uploader/src/delivery/bisect.ts';
import { halve } from '../../../../uploader/src/delivery/rejected-series.ts';
import type { SendOutcome, SendResult } from '../../../../uploader/src/transport/transport.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';

const refused: SendOutcome = { kind: 'rejected', reason: 'HTTP 400: cannot parse' };

function postOf(outcome: SendOutcome): SendResult {
  return {
    outcome,
    status: outcome.kind === 'rejected' ? 400 : 204,
    endpoint: '',
    bytesSent: 0,
    bytesReceived: 0,
    durationMs: 0,
    isClosing: false,
  };
}

interface Search {
  readonly count: number;
  /** Returns the receiver's outcome for a part, by its ids. */
  readonly judge: (ids: readonly number[], post: number) => SendOutcome;
  /** Ids that have been deleted meanwhile. */
  readonly gone?: readonly number[];
}

/** Bisects a rejected chunk with the ids 1 to `count`; also returns the accepted ids and the number of requests. */
async function search({
  count,
  judge,
  gone = [],
}: Search): Promise<{ result: BisectResult; taken: number[]; posts: number }> {
  const taken: number[] = [];
  let posts = 0;
  const result = await bisect(halve(madeChunk(count).ids), {
    async encode(ids) {
      const left = [...ids].filter((id) => !gone.includes(id));
      return left.length === 0 ? undefined : madeChunk(left.length, left);
    },
    async send(part) {
      const outcome = judge([...part.ids], (posts += 1));
      if (outcome.kind === 'delivered') taken.push(...part.ids);
      return postOf(outcome);
    },
  });
  return { result, taken: taken.sort((a, b) => a - b), posts };
}

/** Creates a receiver that rejects every part with one of these samples. */
function refusing(bad: readonly number[]) {
  return (ids: readonly number[]): SendOutcome =>
    ids.some((id) => bad.includes(id)) ? refused : { kind: 'delivered' };
}

function listRejected(result: BisectResult): number[] {
  return 'rejections' in result ? result.rejections.map(({ id }) => id).sort((a, b) => a - b) : [];
}

function others(count: number, bad: readonly number[]): number[] {
  return Array.from({ length: count }, (_, index) => index + 1).filter((id) => !bad.includes(id));
}

describe('bisect:', () => {
  // 2·log2 n, rounded up to whole halvings.
  test.each([
    [2, 2],
    [3, 4],
    [50, 12],
    [64, 12],
    [1_000, 20],
    [10_000, 28],
  ])('finds one invalid sample among %d in at most %d requests', async (count, maxRequests) => {
    for (const bad of [1, count, Math.ceil(count / 3)]) {
      const { result, taken, posts } = await search({ count, judge: refusing([bad]) });
      expect(result).toEqual({
        kind: 'found',
        rejections: [{ id: bad, status: 400, reason: 'HTTP 400: cannot parse' }],
      });
      expect(taken).toEqual(others(count, [bad]));
      expect(posts).toBeLessThanOrEqual(maxRequests);
    }
  });

  test('rejects exactly the invalid samples, wherever they are, and every other one is accepted once', async () => {
    const chunks = fc
      .integer({ min: 1, max: 60 })
      .chain((count) =>
        fc.tuple(fc.constant(count), fc.uniqueArray(fc.integer({ min: 1, max: count }), { minLength: 1 })),
      );
    await fc.assert(
      fc.asyncProperty(chunks, async ([count, bad]) => {
        const { result, taken } = await search({ count, judge: refusing(bad) });
        expect([result.kind, listRejected(result)]).toEqual(['found', [...bad].sort((a, b) => a - b)]);
        expect(taken).toEqual(others(count, bad));
      }),
    );
  });

  test('rejects nothing of a chunk that was only too large', async () => {
    const judge = (ids: readonly number[]): SendOutcome => (ids.length > 10 ? refused : { kind: 'delivered' });
    const { result, taken } = await search({ count: 50, judge });
    expect([result, taken.length]).toEqual([{ kind: 'found', rejections: [] }, 50]);
  });

  test('skips samples that have been deleted meanwhile', async () => {
    const { result, taken } = await search({ count: 8, judge: refusing([3]), gone: [5, 6, 7, 8] });
    expect([listRejected(result), taken]).toEqual([[3], [1, 2, 4]]);
  });
});

describe('bisect of a chunk without a valid sample:', () => {
  test('rejects all of them: the receiver has accepted others', async () => {
    const { result } = await search({ count: 6, judge: () => refused });
    expect([result.kind, listRejected(result)]).toEqual(['found', [1, 2, 3, 4, 5, 6]]);
  });
});

describe('order and number of bisect’s requests:', () => {
  test('it sends the parts in the order of the body, so that no sample follows a later one', async () => {
    const taken: number[] = [];
    const judge = (ids: readonly number[]): SendOutcome => {
      const outcome = refusing([3, 40])(ids);
      if (outcome.kind === 'delivered') taken.push(...ids);
      return outcome;
    };
    await search({ count: 50, judge });
    expect(taken).toEqual(others(50, [3, 40]));
  });

  test('it ends after some hundred requests for thousands of invalid samples, and rejects none that it has not found', async () => {
    const count = 20_000;
    const { result, taken, posts } = await search({
      count,
      judge: refusing(Array.from({ length: count / 2 }, (_, index) => 2 * index + 1)),
    });
    expect([result.kind, posts]).toEqual(['unfinished', 500]);
    const settled = [...taken, ...listRejected(result)].sort((a, b) => a - b);
    expect(settled).toEqual(others(settled.length, []));
    expect(settled.length).toBeGreaterThan(200);
    expect(listRejected(result).every((id) => id % 2 === 1)).toBe(true);
  });
});

describe('bisect that is interrupted by another outcome:', () => {
  const away: SendOutcome = { kind: 'retry', reason: 'HTTP 503' };

  test('ends, and rejects only what was found until then', async () => {
    // Its parts in order: 1–4 with a bad one; of it 1–2, 1, 2, and 3–4; 5–8 with the other; of it 5–6.
    const judge = (ids: readonly number[], post: number): SendOutcome => (post === 7 ? away : refusing([2, 8])(ids));
    const { result } = await search({ count: 8, judge });
    expect(result).toMatchObject({ kind: 'interrupted', result: { outcome: away } });
    expect(listRejected(result)).toEqual([2]);
  });
});
