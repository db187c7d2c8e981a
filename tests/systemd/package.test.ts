import { copyFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { StoredPoint } from '../support/stored-rows.ts';
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

/** The version of the Node.js that each program runs on. */
function runtimes(): string[] {
  return pids().map((pid) => board.container.output(`/proc/${pid}/exe --version`));
}

function installedVersion(): string {
  return board.container.output("dpkg-query -W -f '${Version}' thugshells");
}

/** Has the receiver away, and waits until so many samples are pending. */
async function makeBacklog(): Promise<void> {
  board.container.output('systemctl stop victoria-metrics');
  const { pending } = board.status().books;
  await until('there is a backlog', () => board.status().books.pending > pending + 300, 60_000);
}

/** Has a receiver that rejects everything, until something is in quarantine. */
async function makeQuarantine(): Promise<void> {
  const { container } = board;
  copyFileSync(join(import.meta.dirname, 'refusing-receiver.mjs'), join(container.folder, 'opt/refusing-receiver.mjs'));
  container.output('systemctl stop victoria-metrics');
  container.output('systemd-run --quiet --unit=refusing-receiver /usr/lib/thugshells/node /opt/refusing-receiver.mjs');
  await until('samples are rejected', () => board.status().books.rejected > 0, 60_000);
  container.output('systemctl stop refusing-receiver');
}

/** What dpkg says where both the device and the package have changed the variables, and the device's are kept. */
const CONFFILE_KEPT = /\nConfiguration file '\/etc\/thugshells\/thugshells\.env'\n(?: ==> .*\n)+/;

/**
 * Installs a package over a running one that has a backlog, and checks that both programs go on with the database.
 *
 * @returns what was stored before
 */
async function replaceWith(
  packageFile: string | undefined,
  { node, warnings }: { readonly node: RegExp; readonly warnings: RegExp },
): Promise<StoredPoint[]> {
  const stored = board.readStoredPoints();
  const before = {
    pids: pids(),
    books: board.status().books,
    environment: board.container.read('etc/thugshells/thugshells.env'),
  };
  const { code, stderr } = board.container.install(packageFile);
  expect([code, stderr.replace(CONFFILE_KEPT, '')]).toEqual([0, expect.stringMatching(warnings)]);
  expect(pids().filter((pid) => before.pids.includes(pid) || pid === '0')).toEqual([]);
  expect(runtimes()).toEqual([expect.stringMatching(node), expect.stringMatching(node)]);
  expect(board.container.read('etc/thugshells/thugshells.env')).toBe(before.environment);
  const after = await until(
    'both go on',
    () => {
      const { books } = board.status();
      return books.collected > before.books.collected + 50 && books;
    },
    60_000,
  );
  expect(after).toMatchObject({ dropped: 0, collected: after.delivered + after.pending + after.rejected });
  // Answers of the last moment are booked when the uploader stops: what was pending may have come to be rejected.
  expect(after.rejected).toBeGreaterThanOrEqual(before.books.rejected);
  expect(after.pending + after.rejected).toBeGreaterThan(before.books.pending + before.books.rejected);
  return stored;
}

/** Brings the receiver back, and checks that every sample is there once, those among them that were stored before. */
async function expectNothingLost(before: readonly StoredPoint[]): Promise<void> {
  board.container.output('systemctl start victoria-metrics');
  const { stored, found } = await board.lossesAfterDelivery(before);
  expect(found).toEqual([]);
  expect(before.length).toBeGreaterThan(300);
  expect(stored).toBeGreaterThan(before.length);
}

describe('an upgrade from the package of commit 504c7ac', () => {
  test('that would stop at the configuration leaves the old version running, and names the variable', async () => {
    expect(runtimes()).toEqual([expect.stringMatching(/^v20\./), expect.stringMatching(/^v20\./)]);
    await board.delivers();
    const running = pids();
    board.configure({ RETENTION: 'forever' });
    const { code, stderr } = board.container.install(current);
    expect([code, installedVersion()]).toEqual([0, expect.not.stringMatching(/^0\.0\.9$/)]);
    expect(stderr).toContain('THUGSHELLS_RETENTION=forever');
    await board.delivers();
    expect(pids()).toEqual(running);
    board.configure({ RETENTION: undefined });
  });

  test('with a live database, a backlog and a quarantine goes on on Node.js 24, keeps the configuration, and loses nothing', async () => {
    board.container.install(older);
    await board.delivers();
    await makeQuarantine();
    await makeBacklog();
    const before = await replaceWith(current, { node: /^v24\./, warnings: /^$/ });
    expect(board.container.page('http://127.0.0.1:9109/')).toContain('<title>board-1: ');
    expect(board.container.output('thugshells-uploader quarantine')).toContain('refused by a test');
    board.container.output('thugshells-uploader requeue --quarantined');
    await expectNothingLost(before);
  });

  test('leaves a unit that was disabled as it is', () => {
    board.container.output('systemctl disable --now thugshells-uploader');
    expect(board.container.install(current).code).toBe(0);
    expect(board.container.run('systemctl is-enabled thugshells-uploader').stdout.trim()).toBe('disabled');
    expect(board.property('uploader', 'ActiveState')).toBe('inactive');
    expect(board.property('collector', 'ActiveState')).toBe('active');
    board.container.output('systemctl enable --now thugshells-uploader');
  });

  test('and the way back to it stops at a schema that it does not know, and forward once more loses nothing', async () => {
    await board.delivers();
    await makeBacklog();
    const stored = board.readStoredPoints();
    const { books } = board.status();
    // 504c7ac does not set a newer database aside: it stops with the exit code of a wrong configuration.
    board.container.install(older);
    await until(
      'the older collector has stopped',
      () => board.property('collector', 'ExecMainStatus') === '78',
      60_000,
    );
    expect(board.container.install(current).code).toBe(0);
    await until('both go on', () => isAhead(books.collected), 60_000);
    expect(runtimes()).toEqual([expect.stringMatching(/^v24\./), expect.stringMatching(/^v24\./)]);
    await expectNothingLost(stored);
  });
});

/** Whether the sidecar answers, and more has been collected since. */
function isAhead(collected: number): boolean {
  try {
    return board.status().books.collected > collected + 50;
  } catch {
    return false;
  }
}

describe('by hand', () => {
  test.each(PROGRAMS)('thugshells-%s check-config shows what the unit reads', (program) => {
    const text = board.container.output(`thugshells-${program} check-config`);
    expect(text).toMatch(/^THUGSHELLS_DEVICE_ID=board-1 +# environment$/m);
    expect(text).toMatch(/^THUGSHELLS_DB_PATH=\/var\/lib\/thugshells\/metrics.db +# default$/m);
  });

  test('a token in /etc/thugshells/remote reaches the uploader as a credential, and no variable is needed', () => {
    board.container.write('etc/thugshells/remote/token', 's3cret-token\n');
    board.container.output('chmod 600 /etc/thugshells/remote/token; systemctl restart thugshells-uploader');
    expect(board.container.output('thugshells-uploader check-config')).toMatch(
      /^THUGSHELLS_REMOTE_TOKEN_FILE=\/run\/credentials\/.*\/remote_token +# default$/m,
    );
    const files = board.container.output(
      `ls /proc/${board.property('uploader', 'MainPID')}/root/run/credentials/thugshells-uploader.service`,
    );
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

describe('the package', () => {
  test('that is removed stops both and keeps the samples, and comes back with them', async () => {
    await board.delivers(1);
    const { collected } = board.status().books;
    board.container.output('dpkg -r thugshells');
    expect(
      board.container.run('pgrep -x node || systemctl is-active thugshells-collector thugshells-uploader').stdout,
    ).not.toMatch(/^active$/m);
    expect(board.container.output('ls /var/lib/thugshells')).toContain('metrics.db');
    expect(board.container.run('test -e /usr/lib/thugshells').code).toBe(1);
    expect(board.container.install(current).code).toBe(0);
    await until('it collects again', () => board.status().books.collected > collected, 60_000);
  });

  test('that is purged leaves nothing behind, and empties a state folder that is a mount point', () => {
    const { container } = board;
    container.output('systemctl stop thugshells-uploader thugshells-collector');
    container.output('mkdir /srv/state && cp -a /var/lib/thugshells/. /srv/state');
    container.output('mount --bind /srv/state /var/lib/thugshells');
    expect(container.output('ls /var/lib/thugshells')).toContain('metrics.db');
    const purge = container.run('dpkg -P thugshells');
    expect(purge).toMatchObject({ code: 0, stderr: expect.stringContaining('is a mount point or a link; it stays') });
    expect(container.output('ls -A /var/lib/thugshells')).toBe('');
    container.output('umount /var/lib/thugshells && rm -r /var/lib/thugshells');
    const left = board.container.output(
      'find / -xdev -path /proc -prune -o -name "*thugshells*" -print | grep -v -e ^/root/ -e service.d -e /var/log/journal -e /sys/ || true',
    );
    expect(left).toBe('');
  });
});
