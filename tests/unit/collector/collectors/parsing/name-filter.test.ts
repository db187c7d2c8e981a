import { expect, test } from '@jest/globals';

import { createNameFilter } from '../../../../../collector/src/collectors/parsing/name-filter.ts';

test('an expression must match the whole name, each of its alternatives too', () => {
  const isWanted = createNameFilter({ include: ['lo', 'eth|wlan0'], exclude: [] });
  expect(['lo', 'eth', 'wlan0'].filter(isWanted)).toEqual(['lo', 'eth', 'wlan0']);
  expect(['wlo', 'lo1', 'eth0', 'xwlan0', 'wlan01'].filter(isWanted)).toEqual([]);
});

test('without rules every name is wanted', () => {
  expect(createNameFilter({ include: [], exclude: [] })('anything')).toBe(true);
});

test('a name that is both included and excluded is not wanted', () => {
  expect(createNameFilter({ include: ['eth0'], exclude: ['eth.*'] })('eth0')).toBe(false);
});

test('an expression that is none is bad configuration, and is named', () => {
  expect(() => createNameFilter({ include: [], exclude: ['veth['] })).toThrow(
    expect.objectContaining({ code: 'BAD_CONFIGURATION', message: expect.stringContaining('"veth["') }),
  );
});
