import { stripVTControlCharacters } from 'node:util';

import { describe, expect, test } from '@jest/globals';

import type { DeviceStatus } from '../../../../uploader/src/health/device-status.ts';
import { HealthMonitor } from '../../../../uploader/src/health/monitor.ts';
import { statusText } from '../../../../uploader/src/health/status-text.ts';
import { statusPage } from '../../../../uploader/src/http/page/status-page.ts';
import type { Snapshot } from '../../../../uploader/src/telemetry/snapshot.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { collectorRow, DRAINING, JOURNALS, LIMITS, snapshot } from '../../../support/uploader/made-snapshot.ts';

function statusWith(changes: Partial<Snapshot> = {}, deviceId = 'board-1'): DeviceStatus {
  const snapshots = { take: () => snapshot(changes) };
  const device = { version: '1.2.3', deviceId, configurationWarnings: [] };
  return new HealthMonitor({ logger: new LogRecord(), snapshots, limits: LIMITS, ...device }).status();
}

/** Returns the titles of the sections and their lines. */
function parseSections(text: string): Readonly<Record<string, readonly string[]>> {
  const parts = text.trimEnd().split('\n\n').slice(1);
  const sections = parts.map((part): [string, string[]] => {
    const [title = '', ...lines] = part.split('\n');
    return [title, lines];
  });
  return Object.fromEntries(sections);
}

describe('status text:', () => {
  const text = statusText(statusWith(DRAINING), false);

  test('begins with the state, its reason, version and uptime', () => {
    expect(text).toMatch(/^board-1 is degraded: .*\n2023-11-14 22:13:20 UTC, version 1\.2\.3, uploader up /);
    expect(text).not.toContain('\u001b');
  });

  test('says starting in place of a state that is not known yet', () => {
    expect(statusText({ ...statusWith(), status: 'error', starting: true }, false)).toMatch(/^board-1 is starting: /);
  });

  test('has sections of the status page, by the same titles', () => {
    const titles = [...statusPage(statusWith()).matchAll(/<h2[^>]*>([^<]*)</g)].map(([, title]) => title);
    const sections = Object.keys(parseSections(text));
    expect(sections).toHaveLength(6);
    expect(titles).toEqual(expect.arrayContaining(sections));
  });

  test('shows samples, the journal, uploads, collectors, clock and disk', () => {
    const sections = parseSections(text);
    expect(sections['Samples']).toEqual([
      '  books        1,234,567 collected = 1,200,000 delivered + 34,000 pending + 500 rejected + 67 dropped',
      '  backlog      oldest pending sample 1 h 2 min old, 12 held, [####################----] 83 %, 1 min 15 s left',
    ]);
    expect(sections['Last uploads']).toEqual([
      '  22:13:19  2,500 samples, 12 kB, partial',
      '  2023-11-13 22:13:20  failed 7 times: HTTP 503',
    ]);
    expect(sections['Journal']).toEqual([
      '  22:13:17  uploader warning: database replaced, reopening',
      '  22:09:20  collector warning: collector failing',
      '            collector=textfile error=a.prom: line 3: no value',
      '  2023-11-13 22:13:20  collector error: cannot store samples, buffering (341 times since 2023-11-13 21:13:20)',
      '                       error=database or disk is full error_code=SQLITE_FULL count=1234',
      '                       hint: free space on the disk',
    ]);
    expect(sections['Clock and disk']).toEqual([
      expect.stringMatching(/^ {2}clock {8}7\.5 s behind, compared with the receiver$/),
      '  per day      9.0 MB sent, 64 MB written to disk, at the rate of the last day',
      expect.stringMatching(/^ {2}database {5}\d.*B, and \d.*B WAL$/),
    ]);
    expect(sections['Collectors']).toContainEqual(
      expect.stringMatching(/^ {2}cpu +\d\d:\d\d:\d\d +\S+ ms {2}scraping$/),
    );
  });

  test('shows the newest five lines of the journal, also of those of one millisecond the last one first', () => {
    const uploader = Array.from({ length: 6 }, (_, id) => ({ ...JOURNALS.uploader[0]!, id, message: `event ${id}` }));
    const { Journal: lines } = parseSections(statusText(statusWith({ journals: { collector: [], uploader } }), false));
    expect(lines).toEqual([5, 4, 3, 2, 1].map((id) => `  22:13:17  uploader warning: event ${id}`));
  });

  test('separates a long name of a scrape target from its time', () => {
    const collectors = [collectorRow('scrape:node/127.0.0.1:9100')];
    expect(parseSections(statusText(statusWith({ collectors }), false))['Collectors']).toEqual([
      expect.stringMatching(/^ {2}scrape:node\/127\.0\.0\.1:9100 \d\d:\d\d:\d\d /),
    ]);
  });

  test('says what has not happened yet', () => {
    const sections = parseSections(statusText(statusWith({ uploads: [], collectors: [] }), false));
    expect([sections['Journal'], sections['Last uploads'], sections['Collectors']]).toEqual([
      ['  no warnings or errors'],
      ['  no uploads yet'],
      ['  no collector has stored samples yet'],
    ]);
  });

  test('has the same text with colored states and bold titles', () => {
    const status = statusWith({ ...DRAINING, collectors: [collectorRow('cpu')] });
    const colored = statusText(status, true);
    expect(colored).toContain('\u001b[33mdegraded');
    expect(colored).toContain('\u001b[31mfailed\u001b');
    expect(colored).toContain('\u001b[1mLast uploads\u001b');
    expect(stripVTControlCharacters(colored)).toBe(statusText(status, false));
  });
});
