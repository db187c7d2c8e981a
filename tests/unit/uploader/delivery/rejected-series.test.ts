import { describe, expect, test } from '@jest/globals';

import { RejectedSeries } from '../../../../uploader/src/delivery/rejected-series.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';

describe('rejected series:', () => {
  const chunk = { ...madeChunk(6), series: [1, 2, 3].map((id, index) => ({ id, start: 2 * index })) };

  test('are those of rejected samples, until a chunk of them is accepted', () => {
    const rejected = new RejectedSeries();
    rejected.addOf(chunk, [{ id: 3 }]);
    expect(rejected.listOthers([chunk]).map(({ seriesId, firstId }) => [seriesId, firstId])).toEqual([
      [1, 1],
      [3, 5],
    ]);
    rejected.forget(chunk);
    expect(rejected.listOthers([chunk])).toHaveLength(3);
  });

  test('are all forgotten once there are no others: each may be accepted by now', () => {
    const rejected = new RejectedSeries();
    rejected.addOf(chunk, [{ id: 1 }, { id: 4 }, { id: 6 }]);
    expect(rejected.listOthers([chunk]).map(({ firstId }) => firstId)).toEqual([1, 3, 5]);
  });

  test('are parted from the others of a chunk, which is halved if it has none of one kind', () => {
    const rejected = new RejectedSeries();
    rejected.addOf(chunk, [{ id: 4 }]);
    expect(rejected.part(chunk).map((ids) => [...ids])).toEqual([
      [1, 2, 5, 6],
      [3, 4],
    ]);
    expect(new RejectedSeries().part(chunk).map((ids) => [...ids])).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  test('are all forgotten before they are more than 10,000, which no device has at once', () => {
    const rejected = new RejectedSeries();
    const listIds = (): number[] => rejected.listOthers([chunk]).map(({ seriesId }) => seriesId);
    for (let id = 2; id <= 10_001; id++) rejected.add(id);
    expect(listIds()).toEqual([1]);
    rejected.add(10_002);
    expect(listIds()).toEqual([1, 2, 3]);
  });
});
