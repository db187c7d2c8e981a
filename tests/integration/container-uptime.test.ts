import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { afterAll, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { mountNamespace, unmountLeftover } from '../support/small-file-system.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';

const folder = useTemporaryFolder();
const CLOCK = join(import.meta.dirname, '../../shared/src/clock.ts');

afterAll(() => unmountLeftover('/proc/uptime'));

test('time since boot: is the machine’s in a container that shows the time since its own start', () => {
  const uptime = folder.path('uptime');
  writeFileSync(uptime, '100.50 200.00\n');
  const print = `import { systemClock } from ${JSON.stringify(CLOCK)}; console.log(systemClock.sinceBoot());`;
  const script = 'mount --bind "$1" /proc/uptime && exec "$2" --input-type=module --eval "$3"';
  const [command, ...before] = [...mountNamespace(), 'sh', '-c', script, 'sh', uptime, process.execPath, print];
  const beforeMs = systemClock.sinceBoot();
  const shownMs = Number(execFileSync(command, before, { encoding: 'utf8' }));
  expect(shownMs).toBeGreaterThan(beforeMs - 1_000);
  expect(shownMs).toBeLessThan(systemClock.sinceBoot() + 1_000);
});
