import { expect, test } from '@jest/globals';

import { InterfaceLimit } from '../../../../../collector/src/collectors/readers/interface-limit.ts';

const chosen = (cap: InterfaceLimit, ...present: string[]) => [...cap.choose(present)].sort();

test('places go in the order of names with their numbers read as numbers, whatever the order of the file', () => {
  expect(chosen(new InterfaceLimit(2), 'eth10', 'eth9', 'eth2')).toEqual(['eth2', 'eth9']);
  expect(chosen(new InterfaceLimit(1), 'eth1', 'eth01')).toEqual(['eth01']);
  expect(chosen(new InterfaceLimit(1), 'eth01', 'eth1')).toEqual(['eth01']);
});

test('an interface that has a place keeps it when one that sorts before it comes', () => {
  const cap = new InterfaceLimit(2);
  chosen(cap, 'eth1', 'eth2');
  expect(chosen(cap, 'eth0', 'eth1', 'eth2')).toEqual(['eth1', 'eth2']);
  expect(cap.droppedTotal).toBe(1);
});

test('an interface that was away finds its place again if nobody needed it', () => {
  const cap = new InterfaceLimit(2);
  chosen(cap, 'eth0', 'ppp0');
  expect(chosen(cap, 'eth0')).toEqual(['eth0']);
  expect(chosen(cap, 'eth0', 'ppp0')).toEqual(['eth0', 'ppp0']);
  expect(cap.droppedTotal).toBe(0);
});

test('the place of an interface that is away goes to one that waits', () => {
  const cap = new InterfaceLimit(2);
  chosen(cap, 'eth0', 'eth1', 'ppp0');
  expect(cap.droppedTotal).toBe(1);
  expect(chosen(cap, 'eth0', 'ppp0')).toEqual(['eth0', 'ppp0']);
  expect(chosen(cap, 'eth0', 'eth1', 'ppp0')).toEqual(['eth0', 'ppp0']);
  expect(cap.droppedTotal).toBe(2);
});

test('an interface that waits is counted again only after it was away', () => {
  const cap = new InterfaceLimit(1);
  chosen(cap, 'eth0', 'eth1');
  chosen(cap, 'eth0', 'eth1');
  expect(cap.droppedTotal).toBe(1);
  chosen(cap, 'eth0');
  chosen(cap, 'eth0', 'eth1');
  expect(cap.droppedTotal).toBe(2);
});

test('a limit of 0 interfaces reports none', () => {
  expect(chosen(new InterfaceLimit(0), 'eth0')).toEqual([]);
});
