// Longer than a test should be: one booted board serves every question about its units.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { until } from '../support/until.ts';
import { Board, PROGRAMS, type JournalLine, type Program } from './board.ts';

let board: Board;

beforeAll(async () => {
  board = await Board.boot(process.env['THUGSHELLS_PACKAGE']);
});

afterAll(async () => {
  await board?.remove();
});

describe('after the installation', () => {
  test.each(PROGRAMS)('the unit of the %s is active and says how it fares', async (program) => {
    await until(
      'it says more than that it starts',
      () => /^(collecting|ok|degraded)/.test(board.property(program, 'StatusText')),
      60_000,
    );
    expect([board.property(program, 'ActiveState'), board.property(program, 'NRestarts')]).toEqual(['active', '0']);
  });

  test.each(PROGRAMS)('systemd-analyze security gives the %s 1.8 or better', (program) => {
    const { code, stdout } = board.container.run(
      `systemd-analyze security --no-pager --threshold=18 thugshells-${program}`,
    );
    expect(stdout).toContain('Overall exposure level');
    expect(code).toBe(0);
  });

  test('samples are in the receiver', async () => {
    await board.delivers();
    expect(board.status().status).toBe('ok');
  });

  test('the database belongs to both, each unit being its own user', () => {
    const files = board.container.output('stat -c "%a %G %n" /var/lib/thugshells/*').split('\n');
    expect(files.length).toBeGreaterThanOrEqual(3);
    expect(files.filter((line) => !line.startsWith('660 thugshells '))).toEqual([]);
    const users = PROGRAMS.map((program) =>
      board.container.output(`stat -c %U /proc/${board.property(program, 'MainPID')}`),
    );
    expect(users).toEqual(['thugshells-collector', 'thugshells-uploader']);
  });

  test('the collector reports the file systems of the board, not those of its sandbox', async () => {
    await board.delivers();
    const outside = board.container.output(
      `thugshells-collector once | jq -r 'select(.metric.__name__ == "filesystem_size_bytes") | .metric.mountpoint' | sort`,
    );
    const inside = JSON.parse(board.container.page('http://127.0.0.1:8428/api/v1/label/mountpoint/values')) as {
      data: string[];
    };
    expect(inside.data.sort()).toEqual(outside.split('\n'));
  });
});

describe('the journal', () => {
  /** What a program itself calls a warning or worse. */
  function warningsIn(lines: readonly JournalLine[]): string[] {
    const isWarning = (message: string): boolean =>
      ['warn', 'error'].includes((JSON.parse(message) as { level: string }).level);
    return lines.map(({ message }) => message).filter(isWarning);
  }

  test('has exactly the warnings under -p warning, and each line is JSON', async () => {
    board.configure({ FUTURE_FEATURE: '1' });
    board.container.output('systemctl restart thugshells-uploader');
    board.container.output('systemctl stop victoria-metrics');
    await until(
      'the absence is told',
      () => warningsIn(board.journal('-t thugshells-uploader')).some((message) => message.includes('ECONNREFUSED')),
      60_000,
    );
    board.container.output('systemctl start victoria-metrics');
    board.configure({ FUTURE_FEATURE: undefined });
    board.container.output('systemctl restart thugshells-uploader');
    const all = board.journal('-t thugshells-uploader');
    const warnings = warningsIn(all);
    expect(warnings.length).toBeGreaterThan(1);
    expect(all.length).toBeGreaterThan(warnings.length);
    // systemd before 254 itself says that it ignores RestartSteps=.
    const shown = board.journal('-u thugshells-uploader -p warning').map(({ message }) => message);
    expect(shown.filter((message) => !message.includes('Unknown key'))).toEqual(warnings);
    for (const command of ['-t thugshells-uploader -p warning', '-t thugshells-uploader', '-t thugshells-collector']) {
      expect(board.container.output(`journalctl ${command} -o cat | jq -r .level | sort -u`)).toMatch(
        /^(debug|error|info|warn)(\n(debug|error|info|warn))*$/,
      );
    }
  });
});

describe('the sandbox', () => {
  /** What the probe says when it is run ahead of a program, inside its unit. */
  async function probed(program: Program): Promise<Record<string, unknown>> {
    const dropIn = `etc/systemd/system/thugshells-${program}.service.d/probe.conf`;
    board.container.write(
      'opt/sandbox-probe.mjs',
      readFileSync(join(import.meta.dirname, 'sandbox-probe.mjs'), 'utf8'),
    );
    board.container.write(dropIn, '[Service]\nExecStartPre=/usr/lib/thugshells/node /opt/sandbox-probe.mjs\n');
    board.container.output(`systemctl daemon-reload; systemctl restart thugshells-${program}`);
    board.container.output(`rm /${dropIn}; systemctl daemon-reload`);
    const line = board.journal(`-t thugshells-${program} --grep '"probe":true'`).at(-1);
    return JSON.parse(line!.message) as Record<string, unknown>;
  }

  /** systemd filters by address with programs in the kernel, which not every container may load, and says nothing where it may not. */
  function canFilterAddresses(): boolean {
    const script = `require('node:net').connect(8428, '127.0.0.1').once('connect', () => process.exit(0)).once('error', () => process.exit(1))`;
    return (
      board.container.run(
        `systemd-run --quiet --wait --property=IPAddressDeny=any /usr/lib/thugshells/node -e "${script}"`,
      ).code !== 0
    );
  }

  /** The same for ports that a program listens on. */
  function canFilterBinds(): boolean {
    const script = `require('node:net').createServer().once('error', () => process.exit(1)).listen(9200, '127.0.0.1', () => process.exit(0))`;
    return (
      board.container.run(
        `systemd-run --quiet --wait --property=SocketBindDeny=any /usr/lib/thugshells/node -e "${script}"`,
      ).code !== 0
    );
  }

  const both = {
    others: 0,
    interfaces: true,
    etc: 'EROFS',
    program: 'EROFS',
    state: 'possible',
    shadow: 'EACCES',
    credentials: 'EACCES',
  };

  test('of the collector has no network at all, and sees the interfaces all the same', async () => {
    expect(await probed('collector')).toMatchObject({ ...both, tcp: 'EAFNOSUPPORT', udp: 'EAFNOSUPPORT' });
  });

  test('of a collector that scrapes has loopback and nothing else, and what an exporter there tells arrives', async () => {
    // An address of this machine that is not of loopback; the receiver listens there too.
    board.container.inNetwork('ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo');
    const folder = '/etc/systemd/system/thugshells-collector.service.d';
    board.container.output(
      `mkdir -p ${folder} && cp /usr/share/doc/thugshells/examples/scrape.conf ${folder}/scrape.conf && systemctl daemon-reload`,
    );
    board.configure({ SCRAPE_TARGETS: 'receiver=http://127.0.0.1:8428/metrics' });
    expect(await probed('collector')).toMatchObject({
      ...both,
      tcp: 'possible',
      elsewhere: canFilterAddresses() ? 'EPERM' : 'possible',
    });
    expect(board.property('collector', 'IPAddressDeny').split(' ').sort()).toEqual(['0.0.0.0/0', '::/0']);
    expect(board.property('collector', 'IPAddressAllow').split(' ').sort()).toEqual(['127.0.0.0/8', '::1/128']);
    const query = new URLSearchParams({ query: 'count({job="receiver",device_id="board-1"})' }).toString();
    await until(
      'the series are there',
      () => {
        const answer = JSON.parse(board.container.page(`http://127.0.0.1:8428/api/v1/query?${query}`)) as {
          data: { result: { value: [number, string] }[] };
        };
        return Number(answer.data.result[0]?.value[1]) > 100;
      },
      60_000,
    );
    board.configure({ SCRAPE_TARGETS: undefined });
    board.container.output(
      `rm ${folder}/scrape.conf && systemctl daemon-reload && systemctl restart thugshells-collector`,
    );
  });

  test('of the uploader reaches the receiver, and sees no other process', async () => {
    const bound = canFilterBinds() ? 'EPERM' : 'possible';
    expect(await probed('uploader')).toMatchObject({ ...both, tcp: 'possible', udp: bound, listen: bound });
    const rules = PROGRAMS.map((program) =>
      ['SocketBindAllow', 'SocketBindDeny'].map((name) => board.property(program, name)),
    );
    expect(rules).toEqual([
      ['', 'any'],
      [expect.stringMatching(/^tcp:?9109$/), 'any'], // systemd 252 shows it without the colon
    ]);
  });
});

describe('no sample is lost and none is doubled', () => {
  test('when both are restarted', async () => {
    for (const program of PROGRAMS) board.container.output(`systemctl restart thugshells-${program}`);
    await board.delivers();
    expect(await board.lossesAfterDelivery()).toEqual({ stored: expect.any(Number), found: [] });
  });

  test.each(PROGRAMS)('when the %s is killed, which comes back by itself', async (program) => {
    const restarts = Number(board.property(program, 'NRestarts'));
    board.container.output(`systemctl kill -s KILL thugshells-${program}`);
    await until(
      'it is back',
      () =>
        Number(board.property(program, 'NRestarts')) > restarts && board.property(program, 'ActiveState') === 'active',
      60_000,
    );
    await board.delivers();
    expect(await board.lossesAfterDelivery()).toEqual({ stored: expect.any(Number), found: [] });
  });

  test.each(PROGRAMS)('when the event loop of the %s stands still, which the watchdog notices', async (program) => {
    const before = board.property(program, 'MainPID');
    board.container.output(`kill -STOP ${before}`);
    await until(
      'another process runs',
      () => board.property(program, 'MainPID') !== before && board.property(program, 'SubState') === 'running',
      60_000,
    );
    expect(board.journal(`-u thugshells-${program} --grep 'Watchdog timeout'`).length).toBeGreaterThan(0);
    await board.delivers();
    expect(await board.lossesAfterDelivery()).toEqual({ stored: expect.any(Number), found: [] });
  });
});

describe('a signal of somebody else’s', () => {
  /** The process of a unit; never 0, which kill would take for the group of this test. */
  async function findPid(program: Program): Promise<string> {
    return until(
      'it runs',
      () => board.property(program, 'SubState') === 'running' && board.property(program, 'MainPID'),
    );
  }

  test.each(PROGRAMS.flatMap((program) => ['HUP', 'TERM', 'INT'].map((signal) => [signal, program] as const)))(
    'SIG%s ends the %s in order, and systemd starts it again',
    async (signal, program) => {
      const before = await findPid(program);
      board.container.output(`kill -${signal} ${before}`);
      await until(
        'another process runs',
        () =>
          !['0', before].includes(board.property(program, 'MainPID')) &&
          board.property(program, 'SubState') === 'running',
        60_000,
      );
      const stopped = board.journal(`_PID=${before} -t thugshells-${program}`).map(({ message }) => message);
      expect(stopped.filter((message) => message.includes(`"signal":"SIG${signal}"`))).toHaveLength(1);
    },
  );

  test.each(PROGRAMS)('SIGUSR1 opens no inspector in the %s', async (program) => {
    const pid = await findPid(program);
    board.container.output(`kill -USR1 ${pid}`);
    await board.delivers();
    expect(board.property(program, 'MainPID')).toBe(pid);
    expect(() => board.container.page('http://127.0.0.1:9229/json/version')).toThrow(/connect to 127.0.0.1/);
  });
});

test('systemd restarts both programs without end while the state folder cannot be used', async () => {
  const state = '/var/lib/thugshells';
  const dropIns = PROGRAMS.map((program) => `etc/systemd/system/thugshells-${program}.service.d/restart.conf`);
  // Sixty failed starts take five minutes at the pace of the units, and seconds at this one.
  for (const dropIn of dropIns)
    board.container.write(dropIn, '[Service]\nRestartSec=100ms\nRestartMaxDelaySec=100ms\n');
  board.container.output('systemctl daemon-reload; systemctl stop thugshells-collector thugshells-uploader');
  board.container.output(`mv ${state} ${state}.away && touch ${state}`);
  board.container.output('systemctl start --no-block thugshells-collector thugshells-uploader');
  await until(
    'more starts have failed than any limit that systemd has by default',
    () => PROGRAMS.every((program) => Number(board.property(program, 'NRestarts')) > 60),
    240_000,
  );
  board.container.output(`rm ${state} && mv ${state}.away ${state}`);
  board.container.output(`rm ${dropIns.map((dropIn) => `/${dropIn}`).join(' ')}; systemctl daemon-reload`);
  for (const program of PROGRAMS)
    await until('it runs again', () => board.property(program, 'SubState') === 'running', 120_000);
  await board.delivers();
  // Counts from 0 again, for the tests that follow.
  board.container.output('systemctl stop thugshells-collector thugshells-uploader');
  board.container.output('systemctl start thugshells-collector thugshells-uploader');
}, 480_000);

test.each(PROGRAMS)(
  'a configuration that the %s cannot use ends in failed, with the reason in the journal and no restart',
  async (program) => {
    const variable = program === 'collector' ? 'CPU_INTERVAL' : 'REMOTE_TIMEOUT';
    board.configure({ [variable]: 'soon' });
    expect(board.container.run(`systemctl restart thugshells-${program}`).code).not.toBe(0);
    const failedAt = Number(board.container.output('date +%s'));
    // Longer than RestartSec=5s.
    await until('a restart would have come', () => Number(board.container.output('date +%s')) >= failedAt + 8, 30_000);
    expect(['ActiveState', 'ExecMainStatus', 'NRestarts'].map((name) => board.property(program, name))).toEqual([
      'failed',
      '78',
      '0',
    ]);
    const reasons = board
      .journal(`-u thugshells-${program} --since @${failedAt - 5}`)
      .filter(({ message }) => message.includes(`THUGSHELLS_${variable}=soon`));
    expect(reasons.length).toBeGreaterThan(0);
    board.configure({ [variable]: undefined });
    board.container.output(`systemctl start thugshells-${program}`);
  },
);
