import { existsSync, statSync, writeFileSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Ballast } from '../../../../../collector/src/store/space/ballast.ts';
import { divideSpace } from '../../../../../collector/src/store/space/limits.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';

const MIB = 1024 ** 2;
const folder = useTemporaryFolder();

describe('space limits: DB_MAX_SIZE', () => {
  test('space limits: 512 MiB leave the WAL its 64 MiB', () => {
    expect(divideSpace({ dbMaxBytes: 512 * MIB, walCheckpointBytes: 64 * MIB })).toMatchObject({
      walBytes: 64 * MIB,
      walMaxBytes: 96 * MIB,
      databaseBytes: 415 * MIB,
    });
  });

  test('space limits: of 8 MiB the WAL gets an eighth', () => {
    expect(divideSpace({ dbMaxBytes: 8 * MIB, walCheckpointBytes: 64 * MIB })).toMatchObject({
      walBytes: MIB,
      databaseBytes: 5.5 * MIB,
    });
  });

  test('space limits: for any size, the parts fit into it, and rows are evicted before the file is full', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 8 * MIB, max: 2 ** 40 }),
        fc.integer({ min: 65_536, max: 2 ** 40 }),
        (dbMaxBytes, walCheckpointBytes) => {
          const { databaseBytes, walBytes, walMaxBytes, ballastBytes, usedBytes } = divideSpace({
            dbMaxBytes,
            walCheckpointBytes,
          });
          expect(databaseBytes + walMaxBytes + ballastBytes).toBeLessThanOrEqual(dbMaxBytes + 1);
          expect(walBytes).toBeLessThanOrEqual(Math.min(walCheckpointBytes, dbMaxBytes / 8));
          expect(usedBytes).toBeLessThanOrEqual(databaseBytes - 128 * 1024);
          expect(usedBytes).toBeGreaterThan(dbMaxBytes / 2);
        },
      ),
    );
  });
});

describe('ballast', () => {
  test('ballast: takes 1 MiB, also on a file system that compresses, until it is released', () => {
    const ballast = new Ballast(folder.path('metrics.db'));
    expect(ballast.ensure()).toBe(true);
    const { size, blocks } = statSync(folder.path('metrics.db.ballast'));
    expect([size, blocks * 512 >= MIB]).toEqual([MIB, true]);
    expect(ballast.ensure()).toBe(true);
    expect(ballast.release()).toBe(true);
    expect(existsSync(folder.path('metrics.db.ballast'))).toBe(false);
    expect(ballast.release()).toBe(false);
  });

  test('ballast: returns false if the file cannot be created', () => {
    writeFileSync(folder.path('file'), '');
    expect(new Ballast(folder.path('file/metrics.db')).ensure()).toBe(false);
  });

  test('ballast: replaces a truncated file', () => {
    writeFileSync(folder.path('metrics.db.ballast'), 'half');
    expect(new Ballast(folder.path('metrics.db')).ensure()).toBe(true);
    expect(statSync(folder.path('metrics.db.ballast')).size).toBe(MIB);
  });
});
