/*
 * When the receiver is asked since when it runs. The answer is several kilobytes, so that a path whose doubts turn out to
 * be unfounded is asked less and less often. Waiting loses nothing: samples stay provisional until the answer.
 *
 *   a doubt                     → asked at once, at most once per interval
 *   same process as before      → the interval doubles, up to MAX_INTERVAL_MS
 *   restarted                   → the configured interval
 *   no answer                   → asked again after the interval; MAX_UNANSWERED times although the receiver accepts
 *                                 samples: it cannot be asked
 *   an answer without the time  → it cannot be asked for UNREADABLE_MS
 */

/** What is known of asking this receiver. */
export interface RestartQuestion {
  /** Milliseconds; 0: it is never asked. */
  readonly intervalMs: number;
  readonly askedAtMs: number;
  /** Answers in a row that found the same process. */
  readonly sameInARow: number;
  /** Questions in a row without an answer, between which the receiver accepted samples. */
  readonly unanswered: number;
  /** Whether it has accepted samples since the last question. */
  readonly isResponding: boolean;
  readonly unreadableUntilMs: number;
}

/** Longest time between two questions. */
const MAX_INTERVAL_MS = 10 * 60_000;
/** Without a doubt for so long, the interval is the configured one again. */
const FORGET_MS = 3_600_000;
const UNREADABLE_MS = 3_600_000;
const MAX_UNANSWERED = 10;

export function createRestartQuestion(intervalMs: number): RestartQuestion {
  return {
    intervalMs,
    askedAtMs: -Infinity,
    sameInARow: 0,
    unanswered: 0,
    isResponding: false,
    unreadableUntilMs: -Infinity,
  };
}

/** Returns whether the receiver can be asked since when it runs. */
export function canAsk({ intervalMs, unreadableUntilMs }: RestartQuestion, nowMs: number): boolean {
  return intervalMs > 0 && nowMs >= unreadableUntilMs;
}

/** Returns the earliest time of the next question. */
export function nextQuestionMs({ intervalMs, askedAtMs, sameInARow }: RestartQuestion): number {
  return askedAtMs + Math.max(intervalMs, Math.min(MAX_INTERVAL_MS, intervalMs * 2 ** sameInARow));
}

/** Records when a question was sent. */
export function recordQuestion(question: RestartQuestion, nowMs: number): RestartQuestion {
  const sameInARow = nowMs - question.askedAtMs > FORGET_MS ? 0 : question.sameInARow;
  return { ...question, askedAtMs: nowMs, sameInARow };
}

/** Records an answer with the time since when the receiver runs. */
export function recordAnswer(question: RestartQuestion, isSame: boolean): RestartQuestion {
  return { ...question, sameInARow: isSame ? question.sameInARow + 1 : 0, unanswered: 0, isResponding: false };
}

/** Records that no answer came, or one without that time. */
export function recordSilence(question: RestartQuestion, isAnswer: boolean, nowMs: number): RestartQuestion {
  const unanswered = question.isResponding ? question.unanswered + 1 : question.unanswered;
  const isUnreadable = isAnswer || unanswered >= MAX_UNANSWERED;
  if (!isUnreadable) return { ...question, unanswered, isResponding: false };
  return { ...question, unanswered: 0, isResponding: false, unreadableUntilMs: nowMs + UNREADABLE_MS };
}
