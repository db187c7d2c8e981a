/** What the uploader assumes of Prometheus as a receiver of remote write, asked of a real one, by both of its versions. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { findProgram, readVersion } from '../../deploy/scripts/programs.ts';
import { Prometheus } from '../support/prometheus.ts';
import {
  postRemoteWrite,
  type RemoteWriteAnswer,
  type RemoteWriteVersion,
  type SentSeries,
} from '../support/remote-write-bodies.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const now = Math.floor(Date.now() / SECOND_MS) * SECOND_MS - 60 * SECOND_MS;

/** Prometheus 2 knows 1.0 only. */
const isCurrent = !(await readVersion(await findProgram('prometheus'))).startsWith('2.');
const VERSIONS: readonly RemoteWriteVersion[] = isCurrent ? ['1.0', '2.0'] : ['1.0'];

interface Case {
  readonly what: string;
  /** Sent after each series has a sample of `now` with the value 1. */
  readonly send: (name: string) => readonly SentSeries[];
  /** Samples of those that are stored then, without and with a window, and the words of a refusal. */
  readonly withoutWindow: readonly [stored: number, refusal?: RegExp];
  readonly withWindow: readonly [stored: number, refusal?: RegExp];
}

const cases: readonly Case[] = [
  { what: 'a newer sample', send: (name) => [{ name, samples: [[now + 1, 2]] }], withoutWindow: [1], withWindow: [1] },
  {
    what: 'several samples of a series',
    send: (name) => [
      {
        name,
        samples: [
          [now + 1, 2],
          [now + 2, 3],
        ],
      },
    ],
    withoutWindow: [2],
    withWindow: [2],
  },
  {
    what: 'the newest sample again',
    send: (name) => [{ name, samples: [[now, 1]] }],
    withoutWindow: [1],
    withWindow: [1],
  },
  {
    what: 'the newest sample again with another value',
    send: (name) => [{ name, samples: [[now, 2]] }],
    withoutWindow: [0, /duplicate sample for timestamp/],
    withWindow: [0, /duplicate sample for timestamp/],
  },
  {
    what: 'a sample older than the newest',
    send: (name) => [{ name, samples: [[now - 1, 2]] }],
    withoutWindow: [0, /out of order sample/],
    withWindow: [1],
  },
  {
    what: 'a sample of three hours ago',
    send: (name) => [{ name, samples: [[now - 3 * HOUR_MS, 2]] }],
    withoutWindow: [0, /out of bounds/],
    withWindow: [1],
  },
  {
    what: 'an older sample beside a new series, which is stored',
    send: (name) => [
      { name, samples: [[now - 1, 2]] },
      { name: `${name}_new`, samples: [[now, 1]] },
    ],
    withoutWindow: [1, /out of order sample/],
    withWindow: [2],
  },
];

describe.each([
  ['without an out-of-order window', undefined, 'withoutWindow'],
  ['with an out-of-order window', '30d', 'withWindow'],
] as const)('Prometheus %s', (_, window, expectation) => {
  let prometheus: Prometheus;

  beforeAll(async () => {
    prometheus = await Prometheus.start(window);
  }, 60_000);

  afterAll(() => prometheus.stop(), 60_000);

  const rows = VERSIONS.flatMap((version) => cases.map((entry, index) => ({ ...entry, version, index })));

  test.each(rows)(
    'remote write $version: answers to $what',
    async ({ version, index, send, [expectation]: [stored, refusal] }) => {
      const name = `case_${index}_${version.replace('.', '_')}`;
      await postRemoteWrite(prometheus.url, version, [{ name, samples: [[now, 1]] }]);
      const series = send(name);
      const answer = await postRemoteWrite(prometheus.url, version, series);
      const expected: RemoteWriteAnswer = {
        status: refusal === undefined ? 204 : 400,
        written: version === '2.0' ? String(stored) : null,
        text: refusal === undefined ? '' : (expect.stringMatching(refusal) as unknown as string),
      };
      expect(answer).toEqual(expected);
    },
  );

  test('remote write 2.0 without samples is answered with the header that counts them by a Prometheus that knows it, and 204 by any', async () => {
    const answer = await postRemoteWrite(prometheus.url, '2.0', []);
    expect(answer).toEqual({ status: 204, written: isCurrent ? '0' : null, text: '' });
  });

  test('remote write 2.0 with samples is counted by a Prometheus that knows it, and read as nothing, with 204, by one that does not', async () => {
    const answer = await postRemoteWrite(prometheus.url, '2.0', [{ name: 'version_2', samples: [[now, 7]] }]);
    expect(answer).toEqual({ status: 204, written: isCurrent ? '1' : null, text: '' });
    const found = (await prometheus.export()).filter(({ metric }) => metric['__name__'] === 'version_2');
    expect(found.map(({ values }) => values)).toEqual(isCurrent ? [[7]] : []);
  });
});
