import { describe, expect, test } from '@jest/globals';

import { loadCollectorConfig } from '../../../../shared/src/config/collector-config.ts';

function load(variables: Record<string, string>) {
  return loadCollectorConfig(
    Object.fromEntries(Object.entries(variables).map(([name, value]) => [`THUGSHELLS_${name}`, value])),
  ).values;
}

describe('targets', () => {
  test('are names and addresses of this machine', () => {
    const text =
      'node=http://127.0.0.1:9100/metrics\n  app-2=http://localhost:8080/path?module=x  six=http://[::1]:1/ far=http://127.255.0.9/metrics auth=http://user:p@localhost/';
    const { scrapeTargets } = load({ SCRAPE_TARGETS: text });
    expect(scrapeTargets.map(({ url, labels }) => [labels['job'], labels['instance'], url])).toEqual([
      ['node', '127.0.0.1:9100', 'http://127.0.0.1:9100/metrics'],
      ['app-2', 'localhost:8080', 'http://localhost:8080/path?module=x'],
      ['six', '[::1]:1', 'http://[::1]:1/'],
      ['far', '127.255.0.9:80', 'http://127.255.0.9/metrics'],
      ['auth', 'localhost:80', 'http://user:p@localhost/'],
    ]);
    expect(scrapeTargets.map(({ name, labels }) => name === labels['job'])).not.toContain(false);
  });

  test.each([
    'http://127.0.0.1:9100/metrics',
    'node=',
    '=http://127.0.0.1/',
    'node=127.0.0.1:9100',
    'node=https://127.0.0.1/',
    'node=http://192.0.2.1/metrics',
    'node=http://example.com/',
    'node=http://localhost.example.com/',
    'node=http://0.0.0.0:9100/',
    'node=http://[::]/',
    'node=http://[::ffff:192.0.2.1]/',
    'node=http://169.254.169.254/',
    'a=http://localhost/ a=http://localhost/2',
    'no:de=http://localhost/',
    'node=http://127.0.0.1:99999/',
    'node=file:///etc/passwd',
    Array.from({ length: 33 }, (_, index) => `t${index}=http://localhost/`).join(' '),
  ])('are not %s', (text) => {
    expect(() => load({ SCRAPE_TARGETS: text })).toThrow(
      /THUGSHELLS_SCRAPE_TARGETS=.*: must be name=http:\/\/127\.0\.0\.1:9100\/metrics.*addresses of this machine only/s,
    );
  });

  test('that cannot be used are reported without their passwords', () => {
    expect(() => load({ SCRAPE_TARGETS: 'node=http://user:secret@example.com/' })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    );
  });
});

describe('the collectors of others’ samples', () => {
  test('run where their variable is set', () => {
    expect(load({}).collectors).not.toContain('textfile');
    expect(load({ TEXTFILE_DIR: '/var/lib/x' }).collectors.slice(-2)).toEqual(['self', 'textfile']);
    expect(load({ SCRAPE_TARGETS: 'a=http://localhost/', TEXTFILE_DIR: '/x' }).collectors.slice(-2)).toEqual([
      'textfile',
      'scrape',
    ]);
    expect(load({ SCRAPE_TARGETS: '  ', TEXTFILE_DIR: '' }).collectors).toEqual(load({}).collectors);
  });

  test('may be left out, and may not be asked for without it', () => {
    expect(load({ TEXTFILE_DIR: '/x', COLLECTORS: 'cpu' }).collectors).toEqual(['cpu']);
    expect(() => load({ COLLECTORS: 'cpu textfile scrape' })).toThrow(
      'THUGSHELLS_COLLECTORS names textfile, and THUGSHELLS_TEXTFILE_DIR is not set\n  THUGSHELLS_COLLECTORS names scrape, and THUGSHELLS_SCRAPE_TARGETS or THUGSHELLS_SCRAPE_CONFIG is not set',
    );
  });
});
