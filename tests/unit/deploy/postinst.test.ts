import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { listDeviceNotices } from '../../../shared/src/config/default-device-names.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postinst-'));
  // In the place of the system's, which change nothing here.
  for (const name of ['systemd-sysusers', 'systemd-tmpfiles', 'deb-systemd-helper', 'systemctl']) put(name, 'exit 0');
  put('deb-systemd-invoke', 'echo "invoked: $*"');
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
}

/** Runs the script where check-config of both programs writes lines to standard error. */
function configure(lines: readonly string[], exitCode = 0): { readonly stdout: string; readonly stderr: string } {
  for (const program of ['collector', 'uploader'])
    put(`thugshells-${program}`, `cat >&2 <<'END'\n${lines.join('\n')}\nEND\necho VARIABLE=x\nexit ${exitCode}`);
  put('postinst', readFileSync(join(root, 'deploy/debian/postinst'), 'utf8').replace('/run/systemd/system', folder));
  const env = { PATH: `${folder}:${process.env['PATH']}` };
  const { status, stdout, stderr } = spawnSync(join(folder, 'postinst'), ['configure'], { env, encoding: 'utf8' });
  expect(status).toBe(0);
  return { stdout, stderr };
}

test('postinst: tells once a name that many devices have, and starts the units', () => {
  const [notice] = listDeviceNotices('raspberrypi');
  const { stdout, stderr } = configure(['THUGSHELLS_X is not a variable of this program', notice!]);
  expect(stderr).toBe(`thugshells: ${notice}\n`);
  expect(stdout).toContain('invoked: start thugshells.target');
});

test('postinst: tells nothing of a configuration without a mistake', () => {
  const { stdout, stderr } = configure([]);
  expect([stderr, stdout]).toEqual(['', expect.stringContaining('invoked: start')]);
});

test('postinst: starts nothing with a configuration that cannot be used, and names the variable', () => {
  const { stdout, stderr } = configure(['  THUGSHELLS_RETENTION=forever: must be a duration'], 78);
  expect(stderr).toContain('THUGSHELLS_RETENTION=forever');
  expect(stdout).not.toContain('invoked');
});
