import type { LinkFault } from './faulty-link.ts';
import type { SeededRandom } from './random.ts';

/** Something that is done to the agent, its link or its receiver. */
export type Fault =
  | { readonly kind: 'link'; readonly link: LinkFault; readonly forMs: number }
  | { readonly kind: 'kill'; readonly victim: 'collector' | 'uploader' | 'receiver'; readonly awayMs: number }
  | { readonly kind: 'clock'; readonly offsetMs: number; readonly forMs: number };

/** A fault and when it comes, from the beginning of the soak on. */
export interface PlannedFault {
  readonly atMs: number;
  readonly fault: Fault;
}

/** Pauses between two faults of a kind. */
const LINK_EVERY_MS = [3_000, 12_000] as const;
const KILL_EVERY_MS = [6_000, 25_000] as const;
const CLOCK_EVERY_MS = [30_000, 90_000] as const;
const HOUR_MS = 3_600_000;
/** Wrong by seconds, by a time zone, and by so much that the rows have to wait for the receiver's clock. */
const CLOCK_OFFSETS_MS = [-8_000, 12_000, -HOUR_MS, 2 * HOUR_MS, -72 * HOUR_MS];

/** All faults of a soak: the same for the same random numbers. */
export function planFaults(random: SeededRandom, durationMs: number): PlannedFault[] {
  const every = ([low, high]: readonly [number, number], make: () => Fault): PlannedFault[] => {
    const planned: PlannedFault[] = [];
    for (let atMs = random.between(low, high); atMs < durationMs; atMs += random.between(low, high))
      planned.push({ atMs, fault: make() });
    return planned;
  };
  return [
    ...every(LINK_EVERY_MS, () => ({ kind: 'link', link: linkFault(random), forMs: random.between(500, 6_000) })),
    ...every(KILL_EVERY_MS, () => ({
      kind: 'kill',
      victim: random.oneOf(['collector', 'uploader', 'receiver'] as const),
      awayMs: random.oneOf([0, 500, 4_000]),
    })),
    ...every(CLOCK_EVERY_MS, () => ({
      kind: 'clock',
      offsetMs: random.oneOf(CLOCK_OFFSETS_MS),
      forMs: random.between(5_000, 20_000),
    })),
  ].sort((a, b) => a.atMs - b.atMs);
}

function linkFault(random: SeededRandom): LinkFault {
  const make: readonly (() => LinkFault)[] = [
    () => ({ kind: 'delays', ms: random.between(50, 3_000) }),
    () => ({ kind: 'cuts', afterBytes: Math.floor(random.between(0, 4_000)) }),
    () => ({ kind: 'throttles', bytesPerSecond: random.between(200, 20_000) }),
    () => ({ kind: 'eats answers' }),
    () => ({
      kind: 'answers',
      status: random.oneOf([429, 500, 502, 503, 504]),
      retryAfter: random.oneOf([undefined, '1', '3']),
    }),
    () => ({ kind: 'is down' }),
  ];
  return random.oneOf(make)();
}

/** A fault in words, for a line of progress. */
export function describeFault(fault: Fault): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  if (fault.kind === 'kill') return `SIGKILL of the ${fault.victim}, away for ${seconds(fault.awayMs)}`;
  if (fault.kind === 'clock') return `clock wrong by ${fault.offsetMs / 1000} s for ${seconds(fault.forMs)}`;
  const { kind, ...details } = fault.link;
  return `link ${kind} ${JSON.stringify(details)} for ${seconds(fault.forMs)}`;
}
