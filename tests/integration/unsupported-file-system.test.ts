import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { AgentProcess, builtHere } from '../support/agent-process.ts';
import { mountNamespace, unmountLeftover } from '../support/small-file-system.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';

/** Serves the file system, and ends with the program: $0 its script, $1 where it is mounted, $2 what it lacks besides. */
const script = `node=$3; mkdir -p "$1"; "$node" "$0" "$1" $2 >&2 &
  for _ in $(seq 100); do grep -qF " $1 " /proc/self/mountinfo && break; sleep 0.1; done
  place=$1; shift 2; "$@"; code=$?; umount "$place"; exit $code`;
const server = join(import.meta.dirname, '../support/fuse-file-system.mjs');
const folder = useTemporaryFolder();

/** Runs a program whose database is on that file system to its end. */
async function runOn(program: 'collector' | 'uploader', lack: string, args: readonly string[] = []) {
  const mountpoint = folder.path('mounted');
  const path = join(mountpoint, 'metrics.db');
  const command = [...mountNamespace(), 'sh', '-c', script, server, mountpoint, lack, ...builtHere.command];
  const runner = { ...builtHere, command: command as [string, ...string[]] };
  const environment = { THUGSHELLS_DB_PATH: path, THUGSHELLS_COLLECTORS: 'load', THUGSHELLS_HEALTH_PORT: '0' };
  const agent = new AgentProcess(program, environment, args, runner);
  try {
    const { code } = await agent.ended;
    return { code, path, agent };
  } finally {
    await agent.kill('SIGKILL');
    unmountLeftover(mountpoint);
  }
}

const hint = 'set THUGSHELLS_DB_PATH to a file on ext4, f2fs, btrfs or tmpfs';

test('file system without shared memory: the collector names it, and ends as by a wrong variable', async () => {
  const { code, path, agent } = await runOn('collector', '');
  expect(agent.log().find(({ level }) => level === 'error')).toMatchObject({
    error: `cannot open the database ${path}: its file system (fuse.memory) cannot share memory between two programs`,
    error_code: 'FILE_SYSTEM_UNSUPPORTED',
    hint,
  });
  expect(code).toBe(78);
});

test('file system without shared memory: a command names it too', async () => {
  const { code, path, agent } = await runOn('collector', '', ['migrate']);
  expect(agent.problems.concat(agent.lines).join('\n')).toContain(
    `cannot open the database ${path}: its file system (fuse.memory) cannot share memory between two programs`,
  );
  expect(code).toBe(78);
});

test.each(['collector', 'uploader'] as const)(
  'file system without locks: the %s does not take it for another instance',
  async (program) => {
    const { code, path, agent } = await runOn(program, 'no-locks');
    expect(agent.log().find(({ level }) => level === 'error')).toMatchObject({
      error: `cannot take the instance lock ${path}.${program}-lock: its file system (fuse.memory) cannot lock files`,
      error_code: 'FILE_SYSTEM_UNSUPPORTED',
      hint,
    });
    expect(code).toBe(78);
  },
);
