import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Prints the modules of Node.js that a program has loaded. */
const REPORT = `process.on('exit', () => console.error(JSON.stringify(process.moduleLoadList)))`;

test.each(['collector', 'uploader'])('%s: loads neither undici nor HTTP/2, which take 10 MB', (program) => {
  const { stderr, stdout } = spawnSync(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(REPORT)}`,
      join(root, program, 'dist/main.js'),
      '--version',
    ],
    { encoding: 'utf8' },
  );
  expect(stdout).toContain(`thugshells-${program}`);
  const loaded = JSON.parse(stderr) as string[];
  expect(loaded).toContain('NativeModule http');
  expect(loaded.filter((name) => /undici|http2/.test(name))).toEqual([]);
});
