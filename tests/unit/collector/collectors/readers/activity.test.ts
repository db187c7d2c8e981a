import { describe, expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';
import fc from 'fast-check';

import { parseActivity } from '../../../../../collector/src/collectors/readers/activity.ts';
import { extractReadings } from '../../../../../collector/src/collectors/readers/partial-result.ts';
import { indexByIdentity, readRecorded } from '../../../../support/collector/text-kernel.ts';

const stat =
  'cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 1234 5 6 7\nctxt 99\nbtime 1\nprocesses 42\nprocs_running 3\nprocs_blocked 2\nsoftirq 1 2 3\n';

test('parseActivity: returns the first number of each line, and not those of single interrupts', () => {
  expect(indexByIdentity(parseActivity(stat))).toEqual({
    'system.interrupts_total': 1234,
    'system.context_switches_total': 99,
    'system.processes_started_total': 42,
    'system.processes_running': 3,
    'system.processes_blocked': 2,
  });
});

test('a line that a kernel lacks is left out alone', () => {
  expect(Object.keys(indexByIdentity(parseActivity(stat.replace(/procs_.*\n/g, ''))))).toHaveLength(3);
});

describe('a spoilt text is refused by name and line', () => {
  test.each([
    ['', 'empty'],
    [stat.trimEnd(), 'line 9: truncated'],
    [stat.replace('ctxt 99', 'ctxt'), 'line 4'],
    [stat.replace('99', 'x'), 'line 4: "x"'],
    [stat.replace('99', '-1'), 'line 4: "-1"'],
    [`${stat}ctxt 1\n`, 'line 10: a second line ctxt'],
  ])('%j', (text, named) => {
    expect(() => parseActivity(text)).toThrow(AgentError);
    expect(() => parseActivity(text)).toThrow(`cannot parse /proc/stat: ${named}`);
  });

  test('parseActivity: a malformed line costs itself', () => {
    const read = (text: string) => {
      try {
        return parseActivity(text);
      } catch (error) {
        return extractReadings(error);
      }
    };
    expect(Object.keys(indexByIdentity(read(stat.replace('99', 'x'))))).toHaveLength(4);
    expect(indexByIdentity(read(`${stat}ctxt 1\nintr 1`))).toEqual(indexByIdentity(parseActivity(stat)));
  });

  test('and whatever is changed in a recording, numbers are finite and none is below 0', () => {
    const good = readRecorded('proc/stat', 'x86-board');
    const change = fc.tuple(fc.nat(good.length - 1), fc.nat(5), fc.string({ maxLength: 3, unit: 'binary' }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const spoilt = changes.reduce(
          (text, [at, length, inserted]) => text.slice(0, at) + inserted + text.slice(at + length),
          good,
        );
        try {
          for (const { value } of parseActivity(spoilt))
            expect(Number.isFinite(value) && Number(value) >= 0).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(AgentError);
        }
      }),
    );
  });
});
