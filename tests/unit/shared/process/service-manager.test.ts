import { describe, expect, test } from '@jest/globals';
import { ServiceManager } from '@thugshells/shared/process/service-manager.ts';
import type { ServiceState } from '@thugshells/shared/process/systemd.ts';

import { FakeClock } from '../../../support/fake-clock.ts';

/** A manager whose systemd restarts the service after `timeoutMs` without progress, and what it reports. */
function createManager(timeoutMs?: number) {
  const clock = new FakeClock();
  const reports: ServiceState[] = [];
  const environment = timeoutMs === undefined ? {} : { WATCHDOG_USEC: String(timeoutMs * 1000) };
  const manager = new ServiceManager({ notify: (state) => reports.push(state), environment, clock });
  const beats = (): number => reports.filter(({ watchdog }) => watchdog === true).length;
  return { clock, reports, manager, beats };
}

describe('service manager: progress', () => {
  test('is reported at most ten times within a timeout', async () => {
    const { clock, manager, beats } = createManager(60_000);
    for (let second = 0; second < 60; second++) {
      manager.reportProgress();
      await clock.advance(1_000);
    }
    expect(beats()).toBe(10);
  });

  test('is not reported by time alone', async () => {
    const { clock, manager, beats } = createManager(60_000);
    manager.reportReady('collecting');
    await clock.advance(600_000);
    expect(beats()).toBe(0);
  });

  test('is not reported if systemd does not watch for it', () => {
    const { manager, beats } = createManager();
    manager.reportProgress();
    expect(beats()).toBe(0);
  });

  test('is reported during a long pause for as long as the service is live', async () => {
    const { clock, manager, beats } = createManager(60_000);
    const stop = new AbortController();
    let live = true;
    const reporting = manager.reportProgressWhile(() => live, stop.signal);
    await clock.advance(0);
    await clock.advance(60_000);
    const whileLive = beats();
    live = false;
    await clock.advance(60_000);
    expect([whileLive, beats()]).toEqual([11, 11]);
    live = true;
    await clock.advance(6_000);
    expect(beats()).toBe(12);
    stop.abort();
    await reporting;
    expect(clock.sleeping).toBe(0);
  });

  test('is not watched during a pause if systemd does not watch for it', async () => {
    const { manager } = createManager();
    await manager.reportProgressWhile(() => true, new AbortController().signal);
  });
});

describe('service manager: the timeout', () => {
  test('is raised to three of the longest pause that the configuration chooses', async () => {
    const { clock, reports, manager, beats } = createManager(60_000);
    manager.reportReady('collecting', 3_600_000);
    expect(reports).toEqual([{ ready: true }, { status: 'collecting' }, { watchdogTimeoutMs: 10_800_000 }]);
    manager.reportProgress();
    await clock.advance(60_000);
    manager.reportProgress();
    expect(beats()).toBe(1);
  });

  test('stays that of the unit if the pauses are shorter', () => {
    const { reports, manager } = createManager(300_000);
    manager.reportReady('collecting', 60_000);
    expect(reports).toEqual([{ ready: true }, { status: 'collecting' }]);
  });
});

test('service manager: reports the status when it changes', () => {
  const { reports, manager } = createManager();
  for (const line of ['collecting', 'collecting', 'failing: disk', 'collecting']) manager.reportStatus(line);
  manager.reportStopping();
  expect(reports).toEqual([
    { status: 'collecting' },
    { status: 'failing: disk' },
    { status: 'collecting' },
    { stopping: true, status: 'stopping' },
  ]);
});
