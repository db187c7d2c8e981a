import { isBad } from './promises.ts';
import type { Arrived, Receiver } from './receiver.ts';
import type { Answer } from './steps.ts';

/** What the uploader is told of its post; undefined where no answer comes. */
export interface Reply {
  readonly outcome: { readonly kind: string; readonly [more: string]: unknown };
  readonly connection: number | undefined;
  readonly isClosing: boolean;
  readonly status: number | undefined;
}

interface Post {
  readonly receiver: Receiver;
  readonly samples: readonly Arrived[];
  readonly nowMs: number;
  /** The receiver refuses bad samples. */
  readonly isPicky: boolean;
}

/** What the receiver does with a post, and how it answers. */
export function replyTo(answer: Answer, { receiver, samples, nowMs, isPicky }: Post): Reply {
  const { connection } = receiver;
  const replied = (outcome: Reply['outcome'], more: Partial<Reply> = {}): Reply => ({
    outcome,
    connection,
    isClosing: false,
    status: 204,
    ...more,
  });
  const good = isPicky ? samples.filter(({ value }) => !isBad(value)) : samples;
  const half = samples.slice(0, samples.length >> 1);
  switch (answer) {
    case 'failed':
      // Not 503: two of them are taken for a limit of requests, and no time passes in a cycle for the pace that follows.
      return replied({ kind: 'retry', reason: 'away' }, { status: 500 });
    case 'held':
      return replied({ kind: 'hold', reason: 'forbidden' }, { status: 403 });
    case 'answer lost':
      receiver.take(good, nowMs);
      return replied({ kind: 'retry', reason: 'no answer' }, { status: undefined, connection: undefined });
    case 'named': {
      receiver.take(good, nowMs);
      const rejected = samples.flatMap((sample, index) => (good.includes(sample) ? [] : [{ index, reason: 'bad' }]));
      return replied(
        rejected.length === 0 ? { kind: 'delivered' } : { kind: 'partial', accepted: good.length, rejected },
      );
    }
    case 'partial':
      if (half.length === 0 || half.some((sample) => !good.includes(sample))) break;
      receiver.take(half, nowMs);
      return replied({ kind: 'partial', accepted: half.length, rejected: [] });
    case 'closing':
      if (good.length < samples.length) break;
      receiver.take(samples, nowMs);
      receiver.shutDown();
      return replied({ kind: 'delivered' }, { isClosing: true });
    case 'ok':
    case 'eaten':
    case 'uploader killed':
      break;
  }
  if (good.length < samples.length) return replied({ kind: 'rejected', reason: 'bad sample' }, { status: 400 });
  receiver.take(samples, nowMs);
  return replied({ kind: 'delivered' });
}
