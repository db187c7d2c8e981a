import fc from 'fast-check';

/** What the receiver does with a post. */
export type Answer =
  | 'ok'
  /** It takes the first part of the chunk. */
  | 'partial'
  /** It names the samples that it does not take. */
  | 'named'
  /** It takes nothing. */
  | 'failed'
  | 'held'
  /** It takes the chunk, and the answer never arrives. */
  | 'answer lost'
  /** It takes the chunk and announces that it closes the connection. */
  | 'closing'
  /** It takes the chunk, answers, and is killed before it wrote it. */
  | 'eaten'
  /** The uploader is killed before the answer arrives. */
  | 'uploader killed';

/** What happens on the board while a post is on its way. */
export type BoardStep =
  | { readonly kind: 'collect'; readonly scrapes: number; readonly series: number; readonly gapMs: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'kill' | 'restart'; readonly who: 'collector' | 'uploader' };

export type Step =
  | BoardStep
  | { readonly kind: 'clock'; readonly offset: ClockOffset }
  | {
      readonly kind: 'upload';
      readonly answers: readonly Answer[];
      readonly meanwhile: readonly BoardStep[];
      readonly commits: boolean;
    }
  | { readonly kind: 'commit' | 'ping' | 'connection ends' | 'receiver dies' | 'uploader and receiver die' }
  | { readonly kind: 'requeue'; readonly from: number; readonly to: number; readonly isQuarantined: boolean }
  | {
      readonly kind: 'kill in the middle';
      readonly statements: number;
      readonly of: BoardStep | { readonly kind: 'upload' };
    };

/** How far the board's clock is from the true time, in milliseconds; unset: it stands at 1970. */
export type ClockOffset = number | 'unset';

/** What one run is about. */
export interface Setup {
  readonly flushIntervalMs: number;
  readonly retentionMs: number;
  /** Bytes for rows: little enough that old ones are given up, or plenty. */
  readonly room: number;
  /** SQLite refuses to grow the file before retention would have made room. */
  readonly isDiskSmall: boolean;
  /** The receiver refuses some samples. */
  readonly isPicky: boolean;
  readonly batchMetrics: number;
  readonly chunkMetrics: number;
}

export const setup: fc.Arbitrary<Setup> = fc.record({
  flushIntervalMs: fc.constantFrom(0, 0, 30_000),
  retentionMs: fc.constantFrom(30_000, 600_000, 259_200_000),
  room: fc.constantFrom(20_000, 40_000, 10_000_000),
  isDiskSmall: fc.constantFrom(false, false, true),
  isPicky: fc.boolean(),
  batchMetrics: fc.constantFrom(30, 200, 2_500),
  chunkMetrics: fc.constantFrom(7, 20, 50),
});

const who = fc.constantFrom('collector' as const, 'uploader' as const);
const collect = fc.record({
  kind: fc.constant('collect' as const),
  scrapes: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 8, max: 14 })),
  series: fc.integer({ min: 1, max: 40 }),
  gapMs: fc.constantFrom(1, 700, 10_000),
});
const wait = fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(500, 6_000, 16_000, 61_000) });
const boardStep: fc.Arbitrary<BoardStep> = fc.oneof(
  { weight: 6, arbitrary: collect },
  { weight: 3, arbitrary: wait },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('kill' as const, 'restart' as const),
      who: fc.constant('collector' as const),
    }),
  },
);
const answer = fc.oneof(
  { weight: 6, arbitrary: fc.constant('ok' as const) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Answer>(
      'partial',
      'named',
      'failed',
      'held',
      'answer lost',
      'closing',
      'eaten',
      'uploader killed',
    ),
  },
);
const upload = fc.record({
  kind: fc.constant('upload' as const),
  answers: fc.array(answer, { maxLength: 8 }),
  meanwhile: fc.array(boardStep, { maxLength: 3 }),
  commits: fc.boolean(),
});

/** Places in the time so far. */
const share = fc.constantFrom(0, 0.1, 0.3, 0.5, 0.8, 1);

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 9, arbitrary: boardStep },
  { weight: 8, arbitrary: upload },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'commit' as const,
        'ping' as const,
        'connection ends' as const,
        'receiver dies' as const,
        'uploader and receiver die' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('requeue' as const),
      from: share,
      to: share,
      isQuarantined: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('clock' as const),
      offset: fc.constantFrom<ClockOffset>(0, 0, 300, -5_000, -3_600_000, 3_600_000, 259_200_000, 'unset'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('kill' as const, 'restart' as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('kill in the middle' as const),
      statements: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 150 })),
      of: fc.oneof<[fc.Arbitrary<BoardStep>, fc.Arbitrary<BoardStep>, fc.Arbitrary<{ kind: 'upload' }>]>(
        collect,
        wait,
        fc.record({ kind: fc.constant('upload' as const) }),
      ),
    }),
  },
);
