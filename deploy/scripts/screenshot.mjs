/**
 * Writes docs/status-page.png: the status page of a simulated device after an hour, in a real Chromium, down to its journal.
 * The hour is made at once: the collectors read the simulated kernel at the pace of a clock that runs ahead.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { prepare, root } from './prepare.mjs';

await prepare();
const { chromium } = await import('playwright-core');
const { COLLECTORS } = await import('../../collector/src/collectors/table.ts');
const { KERNEL_COLLECTOR_NAMES } = await import('../../shared/src/metrics/collector-names.ts');
const { loadCollectorConfig } = await import('../../shared/src/config/collector-config.ts');
const { SimulatedKernel } = await import('../../collector/src/kernel/simulated-kernel.ts');
const { Store } = await import('../../collector/src/store/store.ts');
const { divideSpace } = await import('../../collector/src/store/space/limits.ts');
const { Journal } = await import('../../shared/src/logging/journal.ts');
const { createCounters } = await import('../../shared/src/state/collector-status.ts');

const HOUR_MS = 3_600_000;
const INTERVAL_MS = 15_000;
const folder = mkdtempSync(join(tmpdir(), 'screenshot-'));
const dbPath = join(folder, 'metrics.db');
const deviceId = 'device-12';

/** An hour of samples, stored as the collector stores them. */
async function makeHour() {
  let passedMs = 0;
  const begunMs = Date.now() - HOUR_MS;
  const clock = {
    now: () => begunMs + passedMs,
    monotonic: () => passedMs,
    sinceBoot: () => passedMs + 1e6,
    sleep: async () => undefined,
  };
  const { values: config } = loadCollectorConfig({ THUGSHELLS_KERNEL: 'simulated', THUGSHELLS_DEVICE_ID: deviceId });
  const silent = { error: console.error, warn: () => undefined, info: () => undefined, debug: () => undefined };
  const metadata = { version: '', bootId: undefined, kernel: '', host: deviceId };
  const store = new Store({
    ...config,
    dbPath,
    clock,
    logger: silent,
    journal: new Journal(clock),
    limits: divideSpace(config),
    builtAtMs: 0,
    labels: { simulated: 'true' },
    readWrittenBytes: () => 0,
    session: { id: 'hour', startedAtMs: begunMs, metadata },
    checkWorkerFile: join(root, 'collector', 'src', 'store', 'recovery', 'integrity-worker.ts'),
  });
  store.open();
  const kernel = new SimulatedKernel({ elapsedMs: () => passedMs });
  const collectors = KERNEL_COLLECTOR_NAMES.filter((name) => config.collectors.includes(name)).map((name) =>
    COLLECTORS[name].create({ kernel, options: config, build: '' }),
  );
  for (; passedMs < HOUR_MS; passedMs += INTERVAL_MS) {
    const at = { wallMs: clock.now(), monotonicMs: passedMs, sinceBootMs: clock.sinceBoot() };
    for (const collector of collectors) {
      const readings = await collector.collect({ monotonicMs: passedMs }).catch(() => []);
      const { samples } = store.admit(readings, at);
      store.add({
        at,
        samples,
        status: {
          collector: collector.name,
          status: 'ok',
          message: '',
          sinceMs: begunMs,
          intervalMs: INTERVAL_MS,
          lastScrapeMs: at.wallMs,
          durationMs: 1,
          ...createCounters(),
        },
      });
    }
  }
  store.close();
}

const children = [];

/** Starts a program and waits for a line that it logs. */
async function start(args, pattern, env = {}) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const found = pattern.exec(line);
    if (found === null) continue;
    child.stdout.resume();
    return found[1];
  }
  throw new Error(`${args[0]} ended before it logged ${pattern}`);
}

try {
  await makeHour();
  const receiver = await start(['tests/receiver/src/main.ts', '--port', '0'], /(http:\/\/[\d.]+:\d+)/);
  const env = {
    THUGSHELLS_DB_PATH: dbPath,
    THUGSHELLS_DEVICE_ID: deviceId,
    THUGSHELLS_REMOTE_URL: `${receiver}/api/v1/import`,
    THUGSHELLS_KERNEL: 'simulated',
    THUGSHELLS_INTERVAL: '5s',
    THUGSHELLS_UPLOAD_INTERVAL: '5s',
    THUGSHELLS_HEALTH_PORT: '0',
    THUGSHELLS_LOG_FORMAT: 'json',
    THUGSHELLS_LOG_LEVEL: 'info',
  };
  await start(['collector/dist/main.js'], /"msg":"(collector started)"/, env);
  const endpoint = await start(['uploader/dist/main.js'], /"endpoint":"(http:[^"]+)"/, env);
  await sleep(70_000);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const page = await browser.newPage({ viewport: { width: 1080, height: 640 }, colorScheme: 'light' });
  await page.goto(endpoint);
  await page.waitForSelector('#plots svg');
  await sleep(1_000);
  const height = await page.evaluate(
    `document.getElementById('journal-title').parentElement.getBoundingClientRect().bottom + 16`,
  );
  const clip = { x: 0, y: 0, width: 1080, height };
  await page.screenshot({ path: join(root, 'docs', 'status-page.png'), fullPage: true, clip });
  await browser.close();
  console.log('docs/status-page.png');
} finally {
  for (const child of children.reverse()) {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'close');
  }
  rmSync(folder, { recursive: true });
}
