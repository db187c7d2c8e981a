import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page, Route } from 'playwright-core';

import { launchChromium } from '../support/browser.ts';
import { until } from '../support/until.ts';
import { PAGE_STATES, PageServer, type PageState, type PageStateName } from '../support/uploader/page-states.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Pictures of all states are written to this folder, for people to look at. */
const PICTURES = process.env['PAGE_PICTURES'];
const VIEWS = [390, 1280].flatMap((width) => (['light', 'dark'] as const).map((scheme) => ({ width, scheme })));

/** What the page says at its top, and what it must not say. */
const SAID: Readonly<Record<PageStateName, RegExp>> = {
  starting: /^starting waiting for the collector/,
  ok: /^ok delivering, last success 7 s ago$/,
  'backlog draining': /^degraded uploader: delivering a backlog of 34,120 samples, 1 min 15 s left; nothing to do$/,
  'receiver away': /^degraded uploader: .*connect ECONNREFUSED/,
  'credentials refused': /^error uploader: receiver rejects uploads: HTTP 401/,
  'collector dead': /^error collector: no heartbeat for 5 min Next, run systemctl status thugshells-collector$/,
  'clock wrong': /^degraded time: 4,321 samples held/,
  stale: /^ok delivering, last success 7 s ago$/,
  young: /^degraded uploader: .*connect ECONNREFUSED/,
  '72 h': /^ok delivering, last success 7 s ago$/,
};

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
}, 120_000);
afterAll(() => browser.close());

/** Returns the text of an element, with single spaces. */
async function read(page: Page, selector: string): Promise<string> {
  return ((await page.textContent(selector)) ?? '').replace(/\s+/g, ' ').trim();
}

/** Returns what axe finds, contrast included. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>('axe.run()');
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** Words that are broken over two lines: each is one text without a space, in more boxes than one. */
const BROKEN_WORDS = `[...document.querySelectorAll('td, th, dt, dd, h1, h2, p, b, strong, span, small, code')].flatMap((element) =>
  [...element.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).flatMap((text) =>
    [...text.data.matchAll(/[A-Za-z]{3,}/g)].flatMap(({ 0: word, index }) => {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      return range.getClientRects().length > 1 ? [word] : [];
    })))`;

/** The texts of the value axis of each plot. */
const VALUE_TICKS = `[...document.querySelectorAll('#plots svg')].map((svg) =>
  [...svg.querySelectorAll('text[text-anchor=end]')].map(({ textContent }) => textContent))`;

describe('status page, plots:', () => {
  let server: PageServer;
  let page: Page;
  beforeAll(async () => {
    server = new PageServer(PAGE_STATES['72 h']);
    await server.listen();
    page = await browser.newPage({ viewport: { width: 1280, height: 844 } });
    await page.goto(server.url);
    await page.waitForSelector('#plots svg');
  }, 120_000);
  afterAll(async () => {
    await page.close();
    await server.remove();
  });
  const captions = () => page.locator('#plots figcaption').allTextContents();

  test('have value axes whose ticks differ', async () => {
    const axes = await page.evaluate<string[][]>(VALUE_TICKS);
    expect(axes.length).toBeGreaterThan(6);
    for (const ticks of axes) expect([ticks.length > 1, new Set(ticks).size]).toEqual([true, ticks.length]);
  }, 60_000);

  test('have disk space in the units of the table of file systems, and memory in powers of 1,024', async () => {
    const texts = (await captions()).join('\n');
    expect(texts).toMatch(/free on \/ [\d.]+ GB/);
    expect(texts).toMatch(/used [\d.]+ GiB/);
  }, 60_000);

  test('are all read at the time of the pointer, and by arrow keys', async () => {
    const last = await captions();
    await page
      .locator('#plots svg')
      .first()
      .hover({ position: { x: 150, y: 60 } });
    await until('the time is shown', async () => /^2023-11-14 [\d:]{8} UTC$/.test(await read(page, '#plots-time')));
    const readThere = await captions();
    expect(readThere.filter((text, index) => text === last[index] && !text.startsWith('Free'))).toEqual([]);
    expect(await page.locator('#plots .crosshair[visibility=visible]').count()).toBe(last.length);
    await page.mouse.move(0, 0);
    await until('the last values are shown', async () => (await read(page, '#plots-time')) === '');
    await page.focus('#plots');
    await page.keyboard.press('ArrowLeft');
    const at = await read(page, '#plots-time');
    expect(at).not.toBe('');
    await page.keyboard.press('ArrowLeft');
    expect((await read(page, '#plots-time')) < at).toBe(true);
    await page.keyboard.press('Escape');
    expect(await captions()).toEqual(last);
  }, 60_000);

  test('show the parts of what has parts, and longer ranges with minimum and maximum', async () => {
    await page.getByRole('button', { name: 'CPU by core' }).click();
    await until('four cores', async () => /core 0.*core 3/.test((await captions())[0]!));
    await page.getByRole('button', { name: 'CPU by core' }).press('Enter');
    await until('all at once', async () => (await captions())[0]!.includes('used'));
    await page.getByLabel('72 h').check();
    await until('three days', async () => (await read(page, '#plots')).includes('11-13'), 30_000);
    expect(await page.locator('#plots .band').first().getAttribute('d')).toMatch(/^M[\d. L]+Z/);
  }, 120_000);

  test('show the range that was chosen last, also if one that was chosen before arrives later', async () => {
    const held: Route[] = [];
    await page.route(/hours=24/, (route) => void held.push(route));
    await page.getByLabel('24 h').check();
    await until('a day is asked for', () => held.length > 0);
    await page.getByLabel('1 h', { exact: true }).check();
    await until('an hour', async () => !/11-1[34]/.test(await read(page, '#plots')));
    const late = page.waitForResponse(/hours=24/);
    for (const route of held) await route.continue();
    await (await late).finished();
    await page.evaluate("fetch('/assets/icon.svg').then((response) => response.text())");
    expect(await read(page, '#plots')).not.toMatch(/11-1[34]/);
  }, 60_000);
});

describe('status page, journal:', () => {
  let server: PageServer;
  beforeAll(async () => {
    server = new PageServer(PAGE_STATES['collector dead']);
    await server.listen();
  }, 60_000);
  afterAll(() => server.remove());

  test('has times in the zone of the reader, also after it was fetched again', async () => {
    const context = await browser.newContext({ timezoneId: 'Asia/Kolkata' });
    const page = await context.newPage();
    await page.goto(server.url);
    const newest = async (): Promise<string> => read(page, '#journal tbody tr:first-child td:first-child');
    const text = '3 seconds ago2023-11-15 03:43:17 GMT+5:30';
    await until('the script has run', async () => (await newest()) === text);
    await page.evaluate(`document.querySelector('#journal').replaceChildren()`);
    await until('it is fetched again', async () => (await read(page, '#journal')) !== '');
    expect(await newest()).toBe(text);
    await context.close();
  }, 60_000);

  test('has times in UTC without scripts', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(server.url);
    expect(await read(page, '#journal tbody tr:first-child td:first-child')).toBe('3 seconds ago22:13:17 UTC');
    await context.close();
  }, 60_000);
});

describe.each(Object.entries(PAGE_STATES as Readonly<Record<PageStateName, PageState>>))(
  'status page, %s:',
  (name, state) => {
    let server: PageServer;
    beforeAll(async () => {
      server = new PageServer(state);
      await server.listen();
    }, 60_000);
    afterAll(() => server.remove());

    test('is readable at 390 and 1280 px, light and dark', async () => {
      const complaints: string[] = [];
      const pages = await Promise.all(
        VIEWS.map(async ({ width, scheme }) => {
          const context = await browser.newContext({ viewport: { width, height: 844 }, colorScheme: scheme });
          const page = await context.newPage();
          page.on('pageerror', (error) => complaints.push(error.message));
          page.on('request', (request) => request.url().startsWith(server.url) || complaints.push(request.url()));
          await page.goto(server.url);
          if (state.historyMs > 0) await page.waitForSelector('#plots svg');
          else await until('there is nothing to plot', async () => /^No samples/.test(await read(page, '#plots')));
          if (name === '72 h') {
            await page.getByLabel('72 h').check();
            await until('three days', async () => (await read(page, '#plots')).includes('11-13'), 30_000);
          }
          return { page, width, scheme };
        }),
      );
      if (state.becomesStale) {
        await server.end();
        for (const { page } of pages) await until('it says so', () => page.locator('#stale').isVisible(), 30_000);
      }
      for (const { page, width, scheme } of pages) {
        const where = `${width} px, ${scheme}`;
        expect([where, await read(page, '#overall')]).toEqual([
          where,
          expect.stringMatching(SAID[name as PageStateName]),
        ]);
        expect([where, await page.locator('#plots-range').isVisible()]).toEqual([where, state.historyMs > 0]);
        expect([where, await findings(page)]).toEqual([where, []]);
        expect([where, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([where, width]);
        expect([where, await page.evaluate(BROKEN_WORDS)]).toEqual([where, []]);
        if (PICTURES !== undefined) {
          mkdirSync(PICTURES, { recursive: true });
          const path = join(PICTURES, `${name.replaceAll(' ', '-')}-${width}-${scheme}.png`);
          await page.screenshot({ path, fullPage: true });
        }
        await page.context().close();
      }
      expect(complaints).toEqual([]);
    }, 120_000);
  },
);
