import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'command-'));
  // In the place of systemd's, which start nothing here.
  put('id', 'echo 0');
  put('systemd-run', 'for word; do echo "$word"; done');
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
}

/** The words that root's command hands to systemd-run. */
function systemdRunArguments(program: string): string[] {
  const command = readFileSync(join(root, 'deploy/debian/command'), 'utf8');
  put(`thugshells-${program}`, command.replace('/run/systemd/system', folder));
  const env = { PATH: `${folder}:${process.env['PATH']}` };
  const { stdout, stderr } = spawnSync(join(folder, `thugshells-${program}`), ['check-config'], {
    env,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

describe('command of the package, as root:', () => {
  test('gives the credentials to the uploader', () => {
    expect(systemdRunArguments('uploader')).toContain('--property=LoadCredential=remote:/etc/thugshells/remote');
  });

  test('gives no credentials to the collector, and takes away the variables that its unit takes away', () => {
    const words = systemdRunArguments('collector');
    expect(words.join(' ')).not.toMatch(/LoadCredential|\/etc\/thugshells\/remote/);
    const unit = readFileSync(join(root, 'deploy/systemd/thugshells-collector.service'), 'utf8');
    const unset = /^UnsetEnvironment=.*$/m.exec(unit)![0];
    expect(words).toContain(`--property=${unset}`);
    expect(unset).toContain('THUGSHELLS_REMOTE_URL');
    for (const name of ['QUERY_URL', 'REMOTE_TOKEN_FILE', 'REMOTE_USER', 'REMOTE_PASSWORD_FILE', 'REMOTE_HEADERS_FILE'])
      expect(unset).toContain(`THUGSHELLS_${name} `);
  });
});

/** What the command prints on standard error for a user, root, who runs the tests, can read any file: the condition is turned round instead. */
function userWarning(args: readonly string[], isReadable: boolean): string {
  const environmentFile = join(folder, 'thugshells.env');
  writeFileSync(environmentFile, '');
  put('id', 'echo 1000');
  const command = readFileSync(join(root, 'deploy/debian/command'), 'utf8')
    .replaceAll('/etc/thugshells/thugshells.env', environmentFile)
    .replace('[ ! -r', isReadable ? '[ ! -e' : '[ -r')
    .replace('/usr/lib/thugshells/node', 'true');
  put('thugshells-uploader', command);
  const env = { PATH: `${folder}:${process.env['PATH']}` };
  return spawnSync(join(folder, 'thugshells-uploader'), args, { env, encoding: 'utf8' }).stderr;
}

describe('command of the package, as a user:', () => {
  test('warns that it runs without the configuration of the units, which only root can read', () => {
    expect(userWarning(['test'], false)).toMatch(
      /^thugshells-uploader: only root can read .*; run: sudo thugshells-uploader test\n$/,
    );
  });

  test('does not warn if the user can read it, nor for the help and the version', () => {
    expect(userWarning(['test'], true)).toBe('');
    for (const word of ['help', '--help', '-h', '--version']) expect(userWarning([word], false)).toBe('');
  });
});
