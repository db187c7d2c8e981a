import { copyFileSync, cpSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { until } from '../support/until.ts';
import { Container, type Answer } from './container.ts';

/** The playbook of docs/fleet.md, run by Ansible in a booted Debian that is its own only device. */

const { THUGSHELLS_PACKAGE: built = '', THUGSHELLS_FLEET_TREE: tree } = process.env;
const [, VERSION = ''] = /_([^_]+)_/.exec(basename(built)) ?? [];
/** Lower than any version that has been released. */
const OLDER_VERSION = '0.0.9';
const FLEET = 'root/fleet';
/** vmauth before VictoriaMetrics: it takes the tokens of its file. */
const RECEIVER = 'http://127.0.0.1:8427/api/v1/import';
/** As the project's own files have them; quick, for a test. */
const PACE = { DEVICE_ID: '{{ inventory_hostname }}', REMOTE_URL: RECEIVER, INTERVAL: '1s', UPLOAD_INTERVAL: '1s' };

let container: Container;

beforeAll(async () => {
  container = await Container.boot({ tree });
  const folder = join(container.folder, FLEET);
  mkdirSync(join(folder, 'var'), { recursive: true });
  copyFileSync(built, join(folder, 'var', basename(built)));
  cpSync(join(import.meta.dirname, '../../deploy/ansible'), join(folder, 'ansible'), { recursive: true });
  accept('first');
  container.output(
    'systemd-run --quiet --unit=vmauth $(command -v vmauth) -httpListenAddr=127.0.0.1:8427 -auth.config=/root/auth.yml',
  );
}, 300_000);

afterAll(async () => {
  await container?.remove();
});

/** Writes the tokens that the receiver accepts, and has them read. */
function accept(...tokens: readonly string[]): void {
  const users = tokens.map((token) => `- bearer_token: ${token}\n  url_prefix: http://127.0.0.1:8428\n`);
  container.write('root/auth.yml', `users:\n${users.join('')}`);
  container.run('systemctl kill --signal=HUP vmauth');
}

/** Runs the playbook for a device with these variables and this token, and further variables of the inventory. */
function rollOut(
  variables: Readonly<Record<string, string>>,
  token: string,
  further: Readonly<Record<string, unknown>> = {},
): Answer {
  const values = {
    thugshells_version: VERSION,
    thugshells_package_folder: `/${FLEET}/var`,
    thugshells_token: token,
    thugshells_environment: { ...PACE, ...variables },
    ...further,
  };
  container.write(`${FLEET}/devices.json`, JSON.stringify({ all: { vars: values, hosts: { 'greenhouse-1': {} } } }));
  return container.run(`cd /${FLEET} && ansible-playbook --connection=local -i devices.json ansible/thugshells.yml`);
}

const pidOf = (program: string): string => container.property(`thugshells-${program}`, 'MainPID');

/** Makes a package of an older version from the one that was built, with the same programs. */
function makeOlderPackage(): void {
  const older = basename(built).replace(`_${VERSION}_`, `_${OLDER_VERSION}_`);
  container.output(
    `cd /${FLEET}/var && dpkg-deb -R ${basename(built)} older && ` +
      `sed -i 's/^Version: .*/Version: ${OLDER_VERSION}/' older/DEBIAN/control && dpkg-deb -Zgzip -z1 -b older ${older}`,
  );
}

const installedVersion = (): string => container.output("dpkg-query --showformat='${Version}' --show thugshells");

/** How many series of the device the receiver has. */
const countSeries = (device: string): number => query(`count(last_over_time({device_id="${device}"}[1h]))`);

/** The value of an expression at the receiver; 0 if it has none. */
function query(expression: string): number {
  const query = new URLSearchParams({ query: expression }).toString();
  const { data } = JSON.parse(container.page(`http://127.0.0.1:8428/api/v1/query?${query}`)) as {
    data: { result: { value: [number, string] }[] };
  };
  return Number(data.result[0]?.value[1] ?? 0);
}

describe('the playbook for a fleet', () => {
  test('installs a device that delivers under its name, and changes nothing when it runs again', async () => {
    const first = rollOut({}, 'first');
    expect([first.code, first.stdout]).toEqual([0, expect.stringMatching(/greenhouse-1 +: ok=\d+ +changed=[1-9]/)]);
    await until('the samples are at the receiver', () => countSeries('greenhouse-1') > 50, 60_000);
    expect(countSeries(container.output('hostname'))).toBe(0);
    const pids = [pidOf('collector'), pidOf('uploader')];
    const second = rollOut({}, 'first');
    expect([second.code, second.stdout]).toEqual([0, expect.stringMatching(/greenhouse-1 +: ok=\d+ +changed=0 /)]);
    expect([pidOf('collector'), pidOf('uploader')]).toEqual(pids);
  }, 300_000);

  test('replaces a token while both are accepted, and no upload is refused', async () => {
    accept('first', 'second');
    const collector = pidOf('collector');
    const { code, stdout } = rollOut({}, 'second');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/greenhouse-1 +: ok=\d+ +changed=2 /)]);
    expect(pidOf('collector')).toBe(collector);
    accept('second');
    const before = container.output('date +%s');
    await until(
      'uploads go on with the new token',
      () =>
        container.run('thugshells-uploader status').code === 0 &&
        Number(container.output('date +%s')) > Number(before) + 5,
      60_000,
    );
    expect(container.output('journalctl -t thugshells-uploader -o cat')).not.toMatch(/uploads paused/);
  }, 300_000);

  test('goes back to an older package, and forward again with proxy, tenant and scrape targets', async () => {
    makeOlderPackage();
    const back = rollOut({}, 'second', { thugshells_version: OLDER_VERSION });
    expect([back.code, back.stdout]).toEqual([0, expect.stringMatching(/greenhouse-1 +: ok=\d+ +changed=2 /)]);
    expect(installedVersion()).toBe(OLDER_VERSION);
    const scrapeConfig = `${FLEET}/scrape.yml`;
    container.write(
      scrapeConfig,
      'scrape_configs:\n  - job_name: vmauth\n    static_configs:\n      - targets: ["127.0.0.1:8427"]\n',
    );
    const forth = rollOut({ SCRAPE_CONFIG: '/etc/thugshells/scrape.yml', SCRAPE_INTERVAL: '1s' }, 'second', {
      thugshells_proxy: { http_proxy: 'http://192.0.2.1:3128', no_proxy: '127.0.0.1' },
      thugshells_credentials: { headers: 'X-Scope-OrgID: team-a' },
      thugshells_scrape_config: `/${scrapeConfig}`,
      thugshells_scrape_addresses: 'localhost',
    });
    expect([forth.code, forth.stdout]).toEqual([0, expect.stringContaining('failed=0')]);
    expect(installedVersion()).toBe(VERSION);
    expect(container.read('etc/thugshells/thugshells.env')).toContain(
      'http_proxy=http://192.0.2.1:3128\nno_proxy=127.0.0.1\n',
    );
    expect(container.read('etc/thugshells/remote/headers')).toBe('X-Scope-OrgID: team-a\n');
    await until('the target was scraped', () => query('last_over_time(up{job="vmauth"}[1m])') === 1, 60_000);
  }, 300_000);

  test('stops at a device whose configuration cannot be used, and the programs run on', () => {
    const pids = [pidOf('collector'), pidOf('uploader')];
    const { code, stdout } = rollOut({ INTERVAL: 'soon' }, 'second');
    expect(code).not.toBe(0);
    expect(stdout).toContain('THUGSHELLS_INTERVAL');
    expect(stdout).not.toContain('Receiver accepts writes');
    expect([pidOf('collector'), pidOf('uploader')]).toEqual(pids);
  }, 300_000);

  test('stops at a device that cannot deliver, and says why', () => {
    const { code, stdout } = rollOut({}, 'unknown');
    expect(code).not.toBe(0);
    expect(stdout).toMatch(/✗ authentication/);
  }, 300_000);
});
