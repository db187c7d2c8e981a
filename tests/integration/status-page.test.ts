import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';

import { startReceiver, type Receiver } from '../receiver/src/server.ts';
import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { launchChromium } from '../support/browser.ts';
import { until } from '../support/until.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let browser: Browser;
let receiver: Receiver;
let agents: AgentPair;
let collector: AgentProcess;
let uploader: AgentProcess;
let endpoint: string;

beforeAll(async () => {
  browser = await launchChromium();
}, 120_000);
afterAll(() => browser.close());

async function startAgents(): Promise<void> {
  receiver = await startReceiver();
  agents = new AgentPair({ REMOTE_URL: `${receiver.url}/api/v1/import` });
  collector = agents.start('collector');
  uploader = agents.start('uploader');
  endpoint = await endpointOf(uploader);
  await until('something is uploaded', () => uploader.told('uploaded').length > 0);
}

async function stopAgents(): Promise<void> {
  await agents.remove();
  await receiver.stop();
}

/** The page in a window, and everything that the browser complained of. */
async function open(
  options: { width?: number; colorScheme?: 'light' | 'dark'; script?: boolean } = {},
): Promise<{ page: Page; complaints: string[] }> {
  const { width = 1280, colorScheme = 'light', script = true } = options;
  const context = await browser.newContext({
    viewport: { width, height: 844 },
    colorScheme,
    javaScriptEnabled: script,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
  page.on(
    'request',
    (request) =>
      new URL(request.url()).origin === new URL(endpoint).origin || complaints.push(`asked ${request.url()}`),
  );
  await page.goto(endpoint);
  return { page, complaints };
}

/** Returns the text of an element. */
const read = async (page: Page, selector: string): Promise<string> => (await page.textContent(selector)) ?? '';

async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<{
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
  }>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

describe('status page in a browser:', () => {
  beforeEach(startAgents, 120_000);
  afterEach(stopAgents);

  test('updates live, plots the last hour, and sends requests only to its device (A-39)', async () => {
    const { page, complaints } = await open();
    const delivered = async (): Promise<number> =>
      Number((await read(page, '#samples dl div:nth-child(2) dd')).replaceAll(',', ''));
    const before = await delivered();
    expect(before).toBeGreaterThan(0);
    await until('more is delivered, without a reload', async () => (await delivered()) > before);
    await page.waitForSelector('#plots svg', { timeout: 60_000 });
    await until(
      'the plots of what is collected',
      async () => {
        const titles = await page.locator('#plots figcaption b').allTextContents();
        return ['CPU', 'Memory', 'Load'].every((title) => titles.includes(title));
      },
      60_000,
    );
    const first = () => page.locator('#plots [role=img]').first().getAttribute('aria-label');
    expect(await first()).toMatch(/^CPU over time\. used: last \d/);
    // One that is drawn later than others, as it is where its first samples come later, has its place all the same.
    await page.evaluate("document.querySelector('#plots figure').remove()");
    expect(await first()).not.toMatch(/^CPU/);
    await page.setViewportSize({ width: 800, height: 800 });
    await until('it is drawn again, in its place', async () => (await first())?.startsWith('CPU') === true);
    expect(complaints).toEqual([]);
    await page.context().close();
  }, 120_000);

  test('shows that the collector has ended, and that it runs again', async () => {
    const { page } = await open();
    await collector.kill('SIGKILL');
    await until(
      'it says so',
      async () => /error.*collector: no heartbeat for/.test(await read(page, '#overall')),
      60_000,
    );
    expect(await page.locator('#overall').getAttribute('class')).toBe('overall error');
    expect(await page.title()).toBe('board-1: error');
    agents.start('collector');
    await until(
      'the device is ok again',
      async () => (await read(page, '#overall')).startsWith('ok delivering, last success '),
      60_000,
    );
    await page.context().close();
  }, 180_000);

  test('shows that it is out of date once the uploader does not respond', async () => {
    const { page } = await open();
    await uploader.kill('SIGKILL');
    await until(
      'it says so',
      async () =>
        (await page.locator('#stale').isVisible()) &&
        /^out of date no response from the uploader since [\d:]{8} \S+; [^]*If the device can be reached, run there systemctl status thugshells-uploader$/.test(
          await read(page, '#stale'),
        ),
      60_000,
    );
    expect(await page.locator('main').getAttribute('aria-busy')).toBe('true');
    expect(await page.title()).toBe('out of date: board-1: ok');
    await page.context().close();
  }, 120_000);
});

describe('status page while uploads fail:', () => {
  // All look at the same programs, which none of them changes.
  beforeAll(async () => {
    await startAgents();
    receiver.setFaults({ status: 503 });
  }, 120_000);
  afterAll(stopAgents);

  test.each([
    [390, 'light'],
    [390, 'dark'],
    [1280, 'light'],
    [1280, 'dark'],
  ] as const)(
    'at %d px, %s, has no serious accessibility finding and no sideways scrolling',
    async (width, colorScheme) => {
      const { page } = await open({ width, colorScheme });
      await until('a failure is shown', async () => (await read(page, '#uploads')).includes('HTTP 503'), 60_000);
      await page.waitForSelector('#plots svg', { timeout: 60_000 });
      expect(await seriousFindings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      await page.context().close();
    },
    120_000,
  );

  test('can be read without scripts', async () => {
    const { page } = await open({ script: false });
    expect(await read(page, '#overall')).toMatch(/^(ok|degraded) /);
    expect(await read(page, '#collectors')).toContain('memory');
    await page.context().close();
  });
});
