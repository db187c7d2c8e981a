import { describe, expect, test } from '@jest/globals';
import { ServiceManager } from '@thugshells/shared/process/service-manager.ts';
import type { ServiceState } from '@thugshells/shared/process/systemd.ts';

import { FakeClock } from '../../../support/fake-clock.ts';

/** What is said to a manager that restarts after `timeoutMs` without progress. */
function listening(timeoutMs?: number) {
  const clock = new FakeClock();
  const heard: ServiceState[] = [];
  const environment = timeoutMs === undefined ? {} : { WATCHDOG_USEC: String(timeoutMs * 1000) };
  const manager = new ServiceManager({ notify: (state) => heard.push(state), environment, clock });
  const beats = (): number => heard.filter(({ watchdog }) => watchdog === true).length;
  return { clock, heard, manager, beats };
}

describe('progress', () => {
  test('is told when it is made, and no more than ten times in a timeout', async () => {
    const { clock, manager, beats } = listening(60_000);
    for (let second = 0; second < 60; second++) {
      manager.reportProgress();
      await clock.advance(1_000);
    }
    expect(beats()).toBe(10);
  });

  test('is not told by time alone', async () => {
    const { clock, manager, beats } = listening(60_000);
    manager.reportReady('collecting');
    await clock.advance(600_000);
    expect(beats()).toBe(0);
  });

  test('is not told where nobody waits for it', () => {
    const { manager, beats } = listening();
    manager.reportProgress();
    expect(beats()).toBe(0);
  });

  test('is told while a service says that its wait was chosen, and not after that', async () => {
    const { clock, manager, beats } = listening(60_000);
    const stop = new AbortController();
    let live = true;
    const asking = manager.reportProgressWhile(() => live, stop.signal);
    await clock.advance(60_000);
    const whileLive = beats();
    live = false;
    await clock.advance(60_000);
    expect([whileLive, beats()]).toEqual([11, 11]);
    live = true;
    await clock.advance(6_000);
    expect(beats()).toBe(12);
    stop.abort();
    await asking;
    expect(clock.sleeping).toBe(0);
  });

  test('is not asked for where nobody waits for it', async () => {
    const { manager } = listening();
    await manager.reportProgressWhile(() => true, new AbortController().signal);
  });
});

describe('the timeout', () => {
  test('is raised to three of the longest pause that the configuration chooses', async () => {
    const { clock, heard, manager, beats } = listening(60_000);
    manager.reportReady('collecting', 3_600_000);
    expect(heard).toEqual([{ ready: true }, { status: 'collecting' }, { watchdogTimeoutMs: 10_800_000 }]);
    manager.reportProgress();
    await clock.advance(60_000);
    manager.reportProgress();
    expect(beats()).toBe(1);
  });

  test('stays as the unit has it where the pauses are shorter', () => {
    const { heard, manager } = listening(300_000);
    manager.reportReady('collecting', 60_000);
    expect(heard).toEqual([{ ready: true }, { status: 'collecting' }]);
  });
});

test('the status is told when it changes', () => {
  const { heard, manager } = listening();
  for (const line of ['collecting', 'collecting', 'failing: disk', 'collecting']) manager.reportStatus(line);
  manager.reportStopping();
  expect(heard).toEqual([
    { status: 'collecting' },
    { status: 'failing: disk' },
    { status: 'collecting' },
    { stopping: true, status: 'stopping' },
  ]);
});
