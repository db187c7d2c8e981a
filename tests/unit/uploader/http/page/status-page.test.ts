import { describe, expect, test } from '@jest/globals';

import { evaluateHealth } from '../../../../../uploader/src/health/rules.ts';
import { HealthMonitor } from '../../../../../uploader/src/health/monitor.ts';
import type { Snapshot } from '../../../../../uploader/src/telemetry/snapshot.ts';
import type { DeviceStatus } from '../../../../../uploader/src/health/device-status.ts';
import { statusPage } from '../../../../../uploader/src/http/page/status-page.ts';
import { LogRecord } from '../../../../support/uploader/log-record.ts';
import {
  collectorRow,
  DRAINING,
  JOURNALS,
  LIMITS,
  NOW,
  snapshot,
  storage,
} from '../../../../support/uploader/made-snapshot.ts';

const nasty = `<script>alert("x")</script>&'`;

function statusWith(changes: Partial<Snapshot> = {}, deviceId = 'board-1'): DeviceStatus {
  const snapshots = { take: () => snapshot(changes) };
  return new HealthMonitor({
    logger: new LogRecord(),
    snapshots,
    limits: LIMITS,
    version: '1.2.3',
    deviceId,
    configurationWarnings: [],
    remoteUrl: 'https://device:secret@metrics.example:8428/api/v1/import',
  }).status();
}

describe('device status:', () => {
  test('has the messages of the worst components, without those that are implied', () => {
    expect(statusWith().reason).toBe('all components are ok');
    const gone = { heartbeatAgeMs: 1e6, collectors: [collectorRow('cpu', { lastScrapeAgeMs: 1e6 })], skewMs: 60_000 };
    expect(statusWith(gone).reason).toBe(
      'collector: no heartbeat for 16 min 40 s; run: systemctl status thugshells-collector',
    );
    expect(
      statusWith({ collectors: [collectorRow('cpu', { status: 'failing', message: 'EACCES' }), collectorRow('load')] })
        .reason,
    ).toBe('collector.cpu: EACCES; run: journalctl -u thugshells-collector');
  });

  test('has bytes per day once they are known', () => {
    expect(statusWith().per_day).toEqual({});
    expect(statusWith({ sentPerDay: 12.4 }).per_day).toEqual({ sent_bytes: 12 });
    expect(statusWith(DRAINING).per_day).toEqual({ sent_bytes: 9e6, written_bytes: 64e6 });
    // What one of the two programs writes is not what the device writes.
    expect(statusWith({ ...DRAINING, writtenPerDay: undefined }).per_day).toEqual({ sent_bytes: 9e6 });
    expect(statusWith({ ...DRAINING, storage }).per_day).toEqual({ sent_bytes: 9e6 });
  });

  test('has the health report unchanged', () => {
    expect(statusWith(DRAINING).components['time']).toMatchObject(
      evaluateHealth(snapshot(DRAINING), LIMITS).components['time']!,
    );
  });
});

describe('status page:', () => {
  const page = statusPage(statusWith(DRAINING));

  test.each([
    ['the state', 'class="overall degraded" data-live role="status"><p><strong>degraded</strong>'],
    ['each problem', '<li>time: 12 samples held: the clock was before the build date of this program'],
    ['the next command', 'Next, run <code>timedatectl set-ntp true</code></p>'],
    ['the books', '<dt>delivered</dt><dd>1,200,000</dd>'],
    [
      'where samples go, without secrets',
      '<dd>https://***@metrics.<wbr>example:<wbr>8428/<wbr>api/<wbr>v1/<wbr>import',
    ],
    ['the last success', '<dt>Last success</dt><dd>20 s ago <small>22:13:00</small></dd>'],
    [
      'what is pending',
      '<dd>34,000 samples <small>oldest 1 h 2 min old, 12 held until the clock is right, space for 15 days</small></dd>',
    ],
    ['what was lost', '<dd>567 samples <small>500 rejected by the receiver, 67 dropped</small></dd>'],
    [
      'a drain’s progress and the time left',
      '<progress max="1" value="0.8349" aria-label="83 % of the backlog delivered, 1 min 15 s left">',
    ],
    [
      'the last uploads',
      '<td class="short">22:13:19</td><td class="number">2,500</td><td class="number">12 kB</td><td><span class="dot degraded">partial</span>',
    ],
    [
      'a failed one with its reason',
      '<td class="short">2023-11-13 22:13:20</td><td colspan="2" class="message">HTTP 503 <small>7 times</small></td>',
    ],
    ['each collector', '<th scope="row" class="short">load</th><td class="short">22:13:19 <small>2.0 ms</small></td>'],
    ['the clock', '<dd>7.5 s behind <small>compared with the receiver</small></dd>'],
    ['the disk’s budget', '<dt>Written per day</dt><dd>64 MB</dd>'],
    [
      'the warnings of both programs, the newest first, and how long ago',
      '<td>3 seconds ago<small><time datetime="2023-11-14T22:13:17.000Z" data-local>22:13:17 UTC</time></small></td><td class="message"><span class="dot degraded">warning</span> uploader: <b>database replaced, reopening</b></td></tr>\n<tr><td>4 minutes ago<small>',
    ],
    [
      'an error with its fields, its hint and how often',
      '<span class="dot error">error</span> collector: <b>cannot store samples, buffering</b><small>error=database or disk is full error_<wbr>code=SQLITE_<wbr>FULL count=1234</small><small>hint: free space on the disk</small><small>341 times since <time datetime="2023-11-13T21:13:20.000Z" data-local>2023-11-13 21:13:20 UTC</time></small>',
    ],
    ['each part since when it is so', '<small>since 22:13:20</small>'],
  ])('shows %s', (_, part) => {
    expect(page).toContain(part);
  });

  test('names a backlog beside an ok, and shows no progress without a speed', () => {
    const books = { ...snapshot().books, pending: 3_000 };
    const waiting = statusPage(statusWith({ books, drain: { done: 0, secondsLeft: undefined } }));
    expect(waiting).toContain('<strong>ok</strong> <span>delivering a backlog of 3,000 samples</span>');
    expect(waiting).toContain('<p>The backlog does not shrink at the moment.</p>');
    expect(waiting).not.toContain('<progress');
    const receiver = { ...snapshot().receiver, condition: 'away' as const, reason: 'HTTP 503' };
    expect(statusPage(statusWith({ books, receiver, drain: { done: 0, secondsLeft: undefined } }))).not.toContain(
      'shrink',
    );
  });

  test('names each command once, and none if there is nothing to do', () => {
    const gone = {
      heartbeatAgeMs: 300_000,
      collectors: ['cpu', 'load'].map((name) => collectorRow(name, { lastScrapeAgeMs: 300_000 })),
    };
    const whole = statusPage(statusWith(gone));
    expect(whole).toContain(
      '<span>collector: no heartbeat for 5 min</span></p>\n<p class="next">Next, run <code>systemctl',
    );
    expect(whole.match(/no scrape for 5 min/g)).toHaveLength(2);
    expect(whole).not.toContain('journalctl');
    const books = { ...snapshot().books, pending: 34_120 };
    const draining = statusPage(statusWith({ books, drain: { done: 0.8349, secondsLeft: 75 } }));
    expect(draining).toContain(
      'uploader: delivering a backlog of 34,120 samples, 1 min 15 s left; nothing to do</span>',
    );
    expect(draining).toContain('83 % of the backlog delivered, 1 min 15 s left');
    expect(draining).not.toContain('Next, run');
    const held = { count: 12, reason: 'the clock is wrong' };
    const wrong = statusPage(statusWith({ held }));
    expect(wrong).toContain(
      'held: the clock is wrong; set the clock, or set THUGSHELLS_<wbr>CLOCK_<wbr>SKEW_<wbr>POLICY=correct</span>',
    );
    expect(wrong).toContain('Next, run <code>timedatectl set-ntp true</code>');
    const receiver = { ...snapshot().receiver, condition: 'away' as const, reason: 'HTTP 503' };
    expect(statusPage(statusWith({ held, receiver }))).toContain(
      'Next, run <code>thugshells-uploader test</code>\n and <code>timedatectl set-ntp true</code></p>',
    );
  });

  test('says how long ago the last success of a device was that is ok', () => {
    expect(statusPage(statusWith())).toContain('<strong>ok</strong> <span>delivering, last success 20 s ago</span>');
    const receiver = { ...snapshot().receiver, lastDelivery: undefined };
    expect(statusPage(statusWith({ receiver }))).toContain('<span>all components are ok</span>');
  });

  describe('of programs that have just started', () => {
    const lastDelivery = undefined;
    const young = { uptimeSeconds: 4, startedAtMs: NOW - 4_000, uploads: [], lastDeliveryAgeMs: undefined };
    const unknown = { ...snapshot().receiver, condition: 'unknown' as const, lastDelivery };

    test('says starting until the collector has stored something', () => {
      const status = statusWith({ ...young, collectors: [], heartbeatMs: 0, receiver: unknown });
      expect([status.status, status.starting]).toEqual(['degraded', true]);
      expect(statusPage(status)).toContain(
        'class="overall starting" data-live role="status"><p><strong>starting</strong>',
      );
      expect(statusPage(status)).toContain('<title>board-1: starting</title>');
      expect(statusPage(status)).toContain('collector <span class="dot starting">starting</span>');
    });

    test('says starting until the first upload, with the reason if the receiver does not respond', () => {
      expect(statusPage(statusWith({ ...young, receiver: unknown }))).toContain('waiting for the first upload');
      expect(statusPage(statusWith({ ...young, receiver: unknown, skewFailure: 'getaddrinfo ENOTFOUND' }))).toContain(
        'no response from the receiver yet: getaddrinfo ENOTFOUND',
      );
    });

    test('shows a first upload that fails at once, with the next attempt', () => {
      const receiver = { condition: 'away' as const, reason: 'HTTP 503', sinceMs: NOW - 1_000, lastDelivery };
      const page = statusPage(statusWith({ ...young, receiver: { ...receiver, nextAttemptAtMs: NOW + 5_000 } }));
      expect(page).toContain('<strong>degraded</strong> <span>uploader: uploads fail: HTTP 503');
      expect(page).toContain('HTTP 503 <small>next attempt 22:13:25</small></td><td><span class="dot error">failing');
      expect(page).not.toContain('No uploads yet');
    });
  });

  test('says that there were no warnings, shows ten at most, and no age of a clock that was ahead', () => {
    expect(statusPage(statusWith())).toContain('<p class="quiet">No warnings or errors logged.</p>');
    const many = Array.from({ length: 20 }, (_, id) => ({
      ...JOURNALS.uploader[0]!,
      id,
      atMs: NOW + 1_000 * (id - 18),
    }));
    const page = statusPage(statusWith({ journals: { collector: [], uploader: many } }));
    expect(page.split('database replaced, reopening')).toHaveLength(11);
    expect(page).toContain('10 older in <a href="/status.json">');
    expect(page).toContain('<td><small><time datetime="2023-11-14T22:13:21.000Z" data-local>22:13:21 UTC</time>');
    expect(page).toContain('<td>0 seconds ago<small>');
  });

  test('says that bytes per day are not known yet', () => {
    expect(statusPage(statusWith())).toContain(
      '<dt>Sent per day</dt><dd>not known yet <small>known after half an hour</small></dd>',
    );
    expect(page).not.toContain('not known');
  });

  test('says that nothing was lost, and that nothing was delivered yet', () => {
    expect(page).toContain('<div class="degraded"><dt>Lost</dt>');
    expect(statusPage(statusWith())).toContain('<div class=""><dt>Lost</dt><dd>nothing</dd></div>');
    const receiver = { ...snapshot().receiver, lastDelivery: undefined };
    expect(statusPage(statusWith({ receiver }))).toContain('<dt>Last success</dt><dd>never</dd>');
  });

  test('escapes text of a receiver, a configuration or a kernel', () => {
    const receiver = { ...snapshot().receiver, condition: 'away' as const, reason: nasty };
    const uploads = [{ atMs: NOW, samples: 0, bytes: 0, outcome: 'failed' as const, reason: nasty, times: 1 }];
    const whole = statusPage(
      statusWith(
        {
          ...{ receiver, uploads, collectors: [collectorRow(nasty, { status: 'failing', message: nasty })] },
          journals: {
            collector: [],
            uploader: [{ ...JOURNALS.uploader[0]!, message: nasty, fields: { error: nasty, hint: nasty } }],
          },
        },
        nasty,
      ),
    );
    expect(whole).not.toContain('<script>');
    expect(whole).not.toContain(nasty);
    expect(whole.split('&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;&#38;&#39;').length).toBeGreaterThan(5);
  });

  test('refers to nothing outside this server', () => {
    expect(page.replace(/https:\/\/\*\*\*@[^ ]+?<\/dd>/, '')).not.toMatch(/https?:|\/\/[a-z]/);
  });
});
