import type { HealthReport } from './health-monitor.js';

/** How often the page asks again. */
const REFRESH_SECONDS = 5;

const style = `
:root { color-scheme: light dark; font: 16px/1.4 system-ui, sans-serif; }
body { margin: 1rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8886; padding: .4rem .5rem; text-align: left; vertical-align: top; }
.ok { color: light-dark(#176b2c, #6fd58a); } .degraded { color: light-dark(#7a5200, #f0b94a); }
.error { color: light-dark(#a3161a, #ff8f8f); }
`;

/** The health report as a page for people; it needs no script. */
export function statusPage(report: HealthReport): string {
  const { status, device_id: deviceId, timestamp, version, components } = report;
  const rows = Object.entries(components).map(
    ([name, component]) =>
      `<tr><th scope="row">${escape(name)}</th><td class="${component.status}">${component.status}</td>` +
      `<td>${escape(component.message)}</td><td>${escape(component.since)}</td></tr>`,
  );
  const books = components['storage']?.details ?? {};
  const counts = ['collected', 'delivered', 'pending', 'rejected', 'dropped'].map(
    (name) => `<tr><th scope="row">${name}</th><td>${Number(books[name] ?? 0)}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>${escape(deviceId)}: ${status}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escape(deviceId)} is <span class="${status}">${status}</span></h1>
<h2>Components</h2>
<table><thead><tr><th scope="col">component</th><th scope="col">status</th><th scope="col">message</th><th scope="col">since</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>
<h2>Samples</h2>
<table><tbody>${counts.join('\n')}</tbody></table>
<p>Thugshells ${escape(version)}, ${escape(timestamp)}. The same for programs: <a href="/health">/health</a>, <a href="/metrics">/metrics</a>.</p>
</main>
</body>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
