import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { ScrapeClient } from '../../../../collector/src/inputs/scrape-client.ts';
import { scrapeTargets } from '../../../../shared/src/config/scrape-target-list.ts';
import { createTarget } from '../../../support/collector/made-target.ts';

let server: Server;
let url: string;

beforeEach(async () => {
  // It repeats what it was sent.
  server = createServer(({ url: path, headers }, response) => {
    const basic = headers.authorization!.split(' ')[1]!;
    if (path!.startsWith('/redirect')) response.writeHead(302, { location: `/${basic}/s3cret${path}` }).end();
    else response.writeHead(200, { 'content-type': `text/html; ${basic} s3cret geheim` }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://ann:s3cret@127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

test.each([
  ['/redirect?key=geheim', 'redirected to /***/***/redirect?key=***, redirects are not followed'],
  ['/metrics?key=geheim', 'content type text/html; *** *** *** is not a text format'],
])('scrape client: masks the secrets of an address that its target repeats (%s)', async (path, message) => {
  const client = new ScrapeClient();
  const limits = { timeoutMs: 5_000, maxBytes: 1_000 };
  await expect(client.fetch(createTarget({ url: url + path }), limits, async () => undefined)).rejects.toThrow(message);
});

test('scrape targets: an address whose password has a raw % is refused with the remedy', () => {
  const text = 'one=http://ann:50%geheim@127.0.0.1:1/metrics';
  expect(scrapeTargets.parse(text)).toBeUndefined();
  expect(scrapeTargets.problem!(text)).toContain('write it as %25');
  expect(scrapeTargets.problem!('one=http://other-host/')).toBeUndefined();
});
