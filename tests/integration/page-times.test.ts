import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';

import { launchChromium } from '../support/browser.ts';
import { until } from '../support/until.ts';
import { PAGE_STATES, PageServer } from '../support/uploader/page-states.ts';

describe('times of the status page:', () => {
  const server = new PageServer(PAGE_STATES['collector dead']);
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
    await server.listen();
  }, 120_000);
  afterAll(async () => {
    await browser.close();
    await server.remove();
  });

  // The time is 2023-11-14 22:13:17 UTC, which is the next day there.
  test.each([
    ['has no date on its day', '2023-11-14T22:13:20Z', '03:43:17 GMT+5:30'],
    ['has no date later on its day, when another one has begun in UTC', '2023-11-15T18:29:00Z', '03:43:17 GMT+5:30'],
    ['has a date on the next day', '2023-11-15T18:31:00Z', '2023-11-15 03:43:17 GMT+5:30'],
    ['has a date on the day before, which is its own in UTC', '2023-11-14T18:29:00Z', '2023-11-15 03:43:17 GMT+5:30'],
  ])(
    'one of them %s, in the zone of the reader',
    async (_, now, text) => {
      const context = await browser.newContext({ timezoneId: 'Asia/Kolkata' });
      const page = await context.newPage();
      await page.clock.setFixedTime(now);
      await page.goto(server.url);
      const time = page.locator('#journal tbody tr:first-child time').first();
      await until('the script has run', async () => (await time.textContent())?.endsWith('UTC') === false);
      expect(await time.textContent()).toBe(text);
      await context.close();
    },
    60_000,
  );
});
