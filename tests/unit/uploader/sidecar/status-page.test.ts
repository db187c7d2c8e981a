import { describe, expect, test } from '@jest/globals';

import type { HealthReport } from '../../../../uploader/src/sidecar/health-monitor.js';
import { statusPage } from '../../../../uploader/src/sidecar/status-page.js';

const nasty = `<script>alert("x")</script>&'`;

function report(changes: Partial<HealthReport> = {}): HealthReport {
  const since = '2023-11-14T22:13:20.000Z';
  const details = { collected: 12_345, delivered: 12_000, pending: 345, rejected: 0, dropped: 0 };
  const components = {
    storage: { status: 'ok' as const, message: 'storing', details, since },
    uploader: { status: 'degraded' as const, message: 'HTTP 200 from something else', details: {}, since },
  };
  return { status: 'degraded', timestamp: since, version: '1.2.3', uptime_seconds: 9, device_id: 'board-1', components, ...changes };
}

describe('the status page', () => {
  test('shows the state, each component with its message, and the books', () => {
    const page = statusPage(report());
    expect(page).toContain('<h1>board-1 is <span class="degraded">degraded</span></h1>');
    expect(page).toContain('<th scope="row">uploader</th><td class="degraded">degraded</td><td>HTTP 200 from something else</td><td>2023-11-14T22:13:20.000Z</td>');
    for (const [name, count] of [['collected', 12_345], ['delivered', 12_000], ['pending', 345], ['rejected', 0], ['dropped', 0]]) {
      expect(page).toContain(`<th scope="row">${name}</th><td>${count}</td>`);
    }
  });

  test('escapes whatever a portal, a configuration or a kernel may have put into it', () => {
    const component = { status: 'error' as const, message: nasty, details: { pending: nasty }, since: nasty };
    const page = statusPage(report({ device_id: nasty, version: nasty, timestamp: nasty, components: { [nasty]: component, storage: component } }));
    expect(page).not.toContain('<script');
    expect(page).not.toContain(nasty);
    expect(page).toContain('&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;&#38;&#39;');
  });

  test('needs no script and nothing from elsewhere', () => {
    expect(statusPage(report())).not.toMatch(/<script|src=|https?:/);
  });
});
