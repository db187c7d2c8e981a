import { describe, expect, test } from '@jest/globals';

import { parseTime } from '../../../../uploader/src/commands/time-argument.ts';

const NOW = Date.UTC(2026, 0, 31, 12);

describe('time argument', () => {
  test.each([
    ['2026-01-31T10:00:00Z', Date.UTC(2026, 0, 31, 10)],
    ['2026-01-31T10:00:00+02:00', Date.UTC(2026, 0, 31, 8)],
    ['2026-01-31 10:00:30', new Date(2026, 0, 31, 10, 0, 30).getTime()],
    ['2026-01-31', new Date(2026, 0, 31).getTime()],
    ['1769853600', 1_769_853_600_000],
    ['1769853600123', 1_769_853_600_123],
    ['2h', NOW - 7_200_000],
    ['now', NOW],
  ])('reads %s', (text, expected) => {
    expect(parseTime('--from', text, NOW)).toBe(expected);
  });

  test.each(['yesterday', '2026', '2026-13-01', '12', '2026-01-31T25:00', '-2h', ''])(
    'rejects %p with an example of a valid time',
    (text) => {
      expect(() => parseTime('--from', text, NOW)).toThrow(
        `invalid value for --from: ${text}: must be a time, such as 2026-01-31T08:00Z, `,
      );
    },
  );
});

test('time argument: guesses a mistyped word', () => {
  expect(() => parseTime('--to', 'nwo', NOW)).toThrow(/; did you mean now\?$/);
  expect(() => parseTime('--to', '10x', NOW)).toThrow(/, now$/);
});
