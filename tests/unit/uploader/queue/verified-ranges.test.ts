import { expect, test } from '@jest/globals';

import { VerifiedRanges, VerifiedState } from '../../../../uploader/src/queue/verified-ranges.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

test('verified ranges: what was judged is forgotten with the total, which would show the same loss to the next run', () => {
  const stored = new StoredSamples();
  try {
    const verified = new VerifiedRanges(stored.database);
    verified.add(VerifiedState.judged, [[1, 4]]);
    verified.add(VerifiedState.missingAgain, [[5, 6]]);
    verified.saveTotal({ slice: { afterMs: 0, throughMs: 1_000 }, samples: 4 });
    verified.forgetJudged();
    expect([verified.read(VerifiedState.judged), verified.readTotal()]).toEqual([[], undefined]);
    expect(verified.read(VerifiedState.missingAgain)).toEqual([[5, 6]]);
  } finally {
    stored.remove();
  }
});
