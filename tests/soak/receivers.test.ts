import { expect, test } from '@jest/globals';

import { runPath, type PathFigures, type PathScenario } from '../support/paths/path-run.ts';
import { KILLED, PATHS } from '../support/paths/scenarios.ts';

/** How long uploads go on in each; `npm run bench -- receivers` measures longer, and CPU time as well. */
const SECONDS = 30;
/** Each is several processes, most of which wait. */
const AT_ONCE = 6;
const PROBE_INTERVAL_SECONDS = 5;
/** The receiver's clock is measured at the start by three. */
const OTHER_PINGS = 3;

/** Runs scenarios, several at a time. */
async function runAll(scenarios: readonly PathScenario[]): Promise<Map<string, PathFigures>> {
  const left = [...scenarios];
  const figures = new Map<string, PathFigures>();
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      figures.set(next.name, await runPath(next, { seconds: SECONDS }));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return figures;
}

test('receivers and proxies of the field: get each sample, at most one in twenty twice, and at most one ping in each probe interval', async () => {
  const figures = await runAll(PATHS);
  const problems = [...figures].flatMap(([name, { lost, pendingAtTheEnd, repeatedShare, requests }]) => {
    const pings = (requests['HEAD'] ?? 0) + (requests['GET'] ?? 0);
    // The run itself is longer: programs start, and what is left is sent.
    const allowed = (SECONDS + 20) / PROBE_INTERVAL_SECONDS + OTHER_PINGS;
    const isGood = lost === 0 && pendingAtTheEnd === 0 && repeatedShare <= 0.05 && pings <= allowed;
    return isGood ? [] : [`${name}: ${JSON.stringify({ lost, pendingAtTheEnd, repeatedShare, requests })}`];
  });
  expect(problems).toEqual([]);
  expect([...figures.values()].map(({ samples }) => samples > 500)).toEqual(PATHS.map(() => true));
}, 600_000);

test('receivers and proxies of the field: have every sample after the receiver was killed twice within a replay window', async () => {
  const figures = await runAll(KILLED);
  const lost = [...figures].map(([name, each]) => [name, each.lost]);
  expect(lost.sort()).toEqual(KILLED.map(({ name }) => [name, 0]).sort());
}, 600_000);
