import { createServer, type Server } from 'node:http';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { ScrapeClient } from '../../../../collector/src/inputs/scrape-client.ts';
import { scrapeTargets, type ScrapeTarget } from '../../../../shared/src/config/scrape-target-list.ts';
import { createTarget } from '../../../support/collector/made-target.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
let server: Server;
let url: string;
let address: string;

beforeEach(async () => {
  // It repeats what it was sent.
  server = createServer(({ url: path, headers }, response) => {
    const basic = headers.authorization!.split(' ')[1]!;
    if (path!.startsWith('/redirect')) response.writeHead(302, { location: `/${basic}/s3cret${path}` }).end();
    else response.writeHead(200, { 'content-type': `text/html; ${basic} s3cret geheim` }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  url = `http://ann:s3cret@${address}`;
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

function fetchPage(target: Partial<ScrapeTarget>): Promise<unknown> {
  return new ScrapeClient().fetch(createTarget(target), { timeoutMs: 5_000, maxBytes: 1_000 }, async () => undefined);
}

test.each([
  ['/redirect?key=geheim', 'redirected to /***/***/redirect?key=***, redirects are not followed'],
  ['/metrics?key=geheim', 'content type text/html; *** *** *** is not a text format'],
])('scrape client: masks the secrets of an address that its target repeats (%s)', async (path, message) => {
  await expect(fetchPage({ url: url + path })).rejects.toThrow(message);
});

test.each([
  ['a password', { scheme: 'Basic', username: 'ann' }],
  ['a token', { scheme: 'Bearer' }],
])('scrape client: masks %s of a file that its target repeats', async (_what, authentication) => {
  const file = folder.path('secret');
  writeFileSync(file, 's3cret\n');
  await expect(
    fetchPage({ url: `http://${address}/redirect`, authentication: { ...authentication, file } }),
  ).rejects.toThrow('redirected to /***/***/redirect, redirects are not followed');
});

test('scrape client: a file of credentials that is none, or is too large, is named, and no request is sent', async () => {
  const requests: unknown[] = [];
  server.on('request', (request) => requests.push(request.url));
  const [directory, large] = [folder.path('directory'), folder.path('large')];
  mkdirSync(directory);
  writeFileSync(large, 'x'.repeat(1024 * 1024 + 1));
  for (const [file, cause] of [
    [directory, 'not a regular file'],
    [large, '1048577 bytes, the limit is 1048576'],
  ] as const)
    await expect(fetchPage({ url, authentication: { scheme: 'Bearer', file } })).rejects.toMatchObject({
      code: 'SCRAPE_FAILED',
      message: `cannot read ${file}: ${cause}`,
      hint: expect.stringContaining(`let the collector's user read ${file}`),
    });
  expect(requests).toEqual([]);
});

test('scrape targets: an address whose password has a raw % is refused with the remedy', () => {
  const text = 'one=http://ann:50%geheim@127.0.0.1:1/metrics';
  expect(scrapeTargets.parse(text)).toBeUndefined();
  expect(scrapeTargets.problem!(text)).toContain('write it as %25');
  expect(scrapeTargets.problem!('one=http://other-host/')).toBeUndefined();
});
