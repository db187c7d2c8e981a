import type { ValueFormat } from '../formats.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};
const PARTS = /^(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?$/;

/** Prometheus' durations, `1m30s` → milliseconds. */
export function prometheusDuration(minMs: number, maxMs: number, bounds: string): ValueFormat<number> {
  return {
    expected: `a duration such as 500ms, 15s or 1m30s, ${bounds}`,
    parse(text) {
      if (text === '' || !PARTS.test(text)) return undefined;
      let ms = 0;
      for (const [, number, unit] of text.matchAll(/(\d+)([a-z]+)/g)) ms += Number(number) * UNITS_MS[unit!]!;
      return ms >= minMs && ms <= maxMs ? ms : undefined;
    },
  };
}

/** A name of a job: it becomes a label, and a part of the name of a collector. */
export const jobName: ValueFormat<string> = {
  expected: 'a name of 1 to 100 characters',
  parse: (text) => (/^[^\p{Cc}]{1,100}$/u.test(text.trim()) ? text : undefined),
};

/** The path of a page. */
export const pagePath: ValueFormat<string> = {
  expected: 'a path that begins with /',
  parse: (text) => (/^\/[^\s?#]*$/.test(text) ? text : undefined),
};
