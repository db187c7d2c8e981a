import { startPlainServer } from './plain-server.ts';
import { startHaproxy, startNginx, startTinyproxy } from './proxies.ts';
import type { PathScenario } from './path-run.ts';

/** Twice within one replay window. */
const KILLS = { killsAtSeconds: [8, 20] };

/** Receivers and proxies of the field, as they end connections; uploads come each 2 s. */
export const PATHS: readonly PathScenario[] = [
  { name: 'VictoriaMetrics' },
  { name: 'HTTP/1.0', start: (port) => startPlainServer(port, { version: '1.0', closes: true }) },
  {
    name: 'Connection: close, x',
    start: (port) => startPlainServer(port, { headers: { Connection: 'close, x' }, closes: true }),
  },
  {
    name: 'Keep-Alive: timeout=1',
    start: (port) => startPlainServer(port, { headers: { 'Keep-Alive': 'timeout=1' } }),
  },
  { name: 'HEAD without a length', start: (port) => startPlainServer(port, { omitsHeadLength: true }) },
  { name: 'unannounced close', start: (port) => startPlainServer(port, { closes: true }) },
  { name: 'tinyproxy', start: () => startTinyproxy(), isForwardProxy: true },
  { name: 'nginx, keepalive_timeout 1s', start: (port) => startNginx(port, { keepaliveTimeout: '1s' }) },
  { name: 'HAProxy, http-keep-alive 1s', start: (port) => startHaproxy(port, '1s') },
  {
    name: 'nginx, limit_req 1r/s',
    start: (port) => startNginx(port, { requestsPerSecond: 1 }),
    // An upload is one request, and each second one comes too soon.
    variables: { UPLOAD_INTERVAL: '700ms', CHUNK_METRICS: '500' },
  },
];

/** The same with a receiver that is killed, most of them twice, and down for 6 s each time. */
export const KILLED: readonly PathScenario[] = [
  { name: 'VictoriaMetrics', ...KILLS },
  { name: 'VictoriaMetrics that is back at once', ...KILLS, downMs: 0 },
  { name: 'nginx', start: (port) => startNginx(port, {}), ...KILLS },
  { name: 'nginx with a prefix', start: (port) => startNginx(port, { prefix: '/vm/' }), prefix: '/vm', ...KILLS },
  {
    // Its uptime cannot be read: the first restart loses nothing.
    name: 'nginx without the receiver’s metrics, once',
    start: (port) => startNginx(port, { prefix: '/vm/', hidesMetrics: true }),
    prefix: '/vm',
    killsAtSeconds: [8],
  },
  { name: 'HAProxy', start: (port) => startHaproxy(port, '10s'), ...KILLS },
  { name: 'HTTP/1.0', start: (port) => startPlainServer(port, { version: '1.0', closes: true }), ...KILLS },
  { name: 'tinyproxy', start: () => startTinyproxy(), isForwardProxy: true, ...KILLS },
];
