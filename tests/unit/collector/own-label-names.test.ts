import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { OWN_LABEL_NAMES } from '@thugshells/shared/metrics/label-names.ts';

import { CorruptibleDevice, type OutcomesByCollector } from '../../support/collector/corrupt-kernel-files.ts';

let folder: string;
let outcomes: OutcomesByCollector;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'label-names-'));
  outcomes = await new CorruptibleDevice(folder).read();
});
afterAll(() => rmSync(folder, { recursive: true }));

test('own label names: are those of every series that the collectors read of a device with all hardware', () => {
  const identities = Object.values(outcomes).flatMap(({ readings }) => Object.keys(readings));
  const names = new Set(
    identities.flatMap((identity) => [...identity.matchAll(/[{,](\w+)=/g)].map(([, name]) => name!)),
  );
  expect(names.size).toBeGreaterThan(10);
  expect([...names].filter((name) => !OWN_LABEL_NAMES.includes(name))).toEqual([]);
});

test('own label names: are sorted, and there once', () =>
  expect([...OWN_LABEL_NAMES]).toEqual([...new Set(OWN_LABEL_NAMES)].sort()));
