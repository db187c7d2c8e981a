import { spawnSync } from 'node:child_process';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { until } from '../support/until.ts';
import { Board, PROGRAMS } from './board.ts';

const { THUGSHELLS_PACKAGE: current, THUGSHELLS_OLDER_PACKAGE: older } = process.env;

let board: Board;

beforeAll(async () => {
  board = await Board.boot(older);
});

afterAll(async () => {
  await board?.remove();
});

function pids(): string[] {
  return PROGRAMS.map((program) => board.property(program, 'MainPID'));
}

function installedVersion(): string {
  return board.container.output("dpkg-query -W -f '${Version}' thugshells");
}

test('lintian finds no error in the package', () => {
  const { status, stdout } = spawnSync('lintian', ['--fail-on', 'error', '--allow-root', current ?? ''], { encoding: 'utf8' });
  expect(stdout).not.toMatch(/^E:/m);
  expect(status).toBe(0);
});

describe('by hand', () => {
  test.each(PROGRAMS)('thugshells-%s check-config shows what the unit reads', (program) => {
    const text = board.container.output(`thugshells-${program} check-config`);
    expect(text).toMatch(/^THUGSHELLS_DEVICE_ID=board-1 +# environment$/m);
    expect(text).toMatch(/^THUGSHELLS_DB_PATH=\/var\/lib\/thugshells\/metrics.db +# default$/m);
  });

  test('a token in /etc/thugshells/remote reaches the uploader as a credential, and no variable is needed', () => {
    board.container.write('etc/thugshells/remote/token', 's3cret-token\n');
    board.container.output('chmod 600 /etc/thugshells/remote/token; systemctl restart thugshells-uploader');
    expect(board.container.output('thugshells-uploader check-config')).toMatch(/^THUGSHELLS_REMOTE_TOKEN_FILE=\/run\/credentials\/.*\/remote_token +# default$/m);
    const files = board.container.output(`ls /proc/${board.property('uploader', 'MainPID')}/root/run/credentials/thugshells-uploader.service`);
    expect(files).toBe('remote_token');
    board.container.output('rm /etc/thugshells/remote/token; systemctl restart thugshells-uploader');
  });

  test('a command of root’s leaves no file of root’s', async () => {
    await board.delivers(1);
    expect(board.container.run('thugshells-collector migrate').code).toBe(75);
    expect(board.container.run('thugshells-uploader requeue --from 1h --to 0s').stderr).toBe('');
    expect(board.container.output('find /var/lib/thugshells -user root')).toBe('');
  });
});

describe('an upgrade', () => {
  test('that would stop at the configuration leaves the old version running, and names the variable', async () => {
    await board.delivers();
    const running = pids();
    board.configure({ RETENTION: 'forever' });
    const { code, stderr } = board.container.install(current);
    expect([code, installedVersion()]).toEqual([0, expect.not.stringMatching(/^0\.0\.9$/)]);
    expect(stderr).toContain('THUGSHELLS_RETENTION=forever');
    expect(pids()).toEqual(running);
    board.configure({ RETENTION: undefined });
  });

  test('with a live database goes on with its rows, restarts both, keeps the configuration, and loses nothing', async () => {
    board.container.install(older);
    await board.delivers();
    const before = { pids: pids(), books: board.status().books, environment: board.container.read('etc/thugshells/thugshells.env') };
    const { code, stderr } = board.container.install(current);
    expect([code, stderr]).toEqual([0, '']);
    expect(pids().filter((pid) => before.pids.includes(pid) || pid === '0')).toEqual([]);
    expect(board.container.read('etc/thugshells/thugshells.env')).toBe(before.environment);
    await board.delivers();
    expect(board.status().books.collected).toBeGreaterThan(before.books.collected);
    const { stored, found } = await board.lossesAfterDelivery();
    expect(found).toEqual([]);
    expect(stored).toBeGreaterThan(before.books.collected);
  });

  test('leaves a unit that was disabled as it is', () => {
    board.container.output('systemctl disable --now thugshells-uploader');
    expect(board.container.install(current).code).toBe(0);
    expect(board.container.run('systemctl is-enabled thugshells-uploader').stdout.trim()).toBe('disabled');
    expect(board.property('uploader', 'ActiveState')).toBe('inactive');
    expect(board.property('collector', 'ActiveState')).toBe('active');
    board.container.output('systemctl enable --now thugshells-uploader');
  });
});

describe('the package', () => {
  test('that is removed stops both and keeps the samples, and comes back with them', async () => {
    await board.delivers(1);
    const { collected } = board.status().books;
    board.container.output('dpkg -r thugshells');
    expect(board.container.run('pgrep -x node || systemctl is-active thugshells-collector thugshells-uploader').stdout).not.toMatch(/^active$/m);
    expect(board.container.output('ls /var/lib/thugshells')).toContain('metrics.db');
    expect(board.container.run('test -e /usr/lib/thugshells').code).toBe(1);
    expect(board.container.install(current).code).toBe(0);
    await until('it collects again', () => board.status().books.collected > collected, 60_000);
  });

  test('that is purged leaves nothing behind', () => {
    board.container.output('dpkg -P thugshells');
    const left = board.container.output('find / -xdev -path /proc -prune -o -name "*thugshells*" -print | grep -v -e ^/root/ -e service.d -e /var/log/journal -e /sys/ || true');
    expect(left).toBe('');
  });
});
