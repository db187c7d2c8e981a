import { describe, expect, test } from '@jest/globals';
import { processList } from '@thugshells/shared/config/process-list.ts';

describe('a list of processes', () => {
  test('is split on white space; a name that is there twice counts once', () => {
    expect(processList.parse(' encoder\tgst-launch-1.0\n python3 encoder ')).toEqual([
      'encoder',
      'gst-launch-1.0',
      'python3',
    ]);
    expect(processList.parse('')).toEqual([]);
  });

  test('may have names in any script, and with brackets', () => {
    expect(processList.parse('überträger (sd-pam) kworker:0')).toEqual(['überträger', '(sd-pam)', 'kworker:0']);
  });

  test.each([
    ['/usr/bin/encoder', 'word 1 is a path; name the last part of it'],
    ['sshd encoder,node', 'word 2 is no name of a process'],
    [`sshd ${'x'.repeat(256)}`, 'word 2 is no name of a process'],
    ['a\u0007b', 'word 1 is no name of a process'],
  ])('refuses %j', (text, problem) => {
    expect(processList.parse(text)).toBeUndefined();
    expect(processList.problem?.(text)).toBe(problem);
  });

  test('has 50 names at most', () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `p${index}`).join(' ');
    expect(processList.parse(names(50))).toHaveLength(50);
    expect(processList.parse(names(51))).toBeUndefined();
  });
});
