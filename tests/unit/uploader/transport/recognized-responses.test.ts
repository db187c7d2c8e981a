import { describe, expect, test } from '@jest/globals';

import { findRecognized, findRemedy } from '../../../../uploader/src/transport/recognized-responses.ts';
import { toOutcome } from '../../../../uploader/src/transport/response-outcome.ts';
import { toFailureReason } from '../../../../uploader/src/transport/failure-reasons.ts';

/** The page of nginx 1.22 with a status that it made. */
const nginxPage = (title: string): string =>
  `<html>\r\n<head><title>400 ${title}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>${title}</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n`;
const FROM = 'remoteAddr: "127.0.0.1:55884", X-Forwarded-For: "10.0.0.1"; requestURI: /api/v1/imporrt; ';

/** As the programs of Debian 12 and of 2026 respond. */
const responses: readonly (readonly [what: string, status: number, body: string, step: string, variable: string])[] = [
  [
    'a token that vmauth 1.79 does not know',
    400,
    'cannot find the provided auth token "***" in config',
    'authentication',
    'REMOTE_TOKEN_FILE',
  ],
  ['no token, to vmauth 1.79', 401, 'missing `Authorization` request header', 'authentication', 'REMOTE_TOKEN_FILE'],
  ['no token, to vmauth 1.151', 401, "missing 'Authorization' request header", 'authentication', 'REMOTE_TOKEN_FILE'],
  ['a token that vmauth 1.151 does not know', 401, 'Unauthorized', 'authentication', 'REMOTE_TOKEN_FILE'],
  [
    'a path that vmauth 1.79 does not know',
    400,
    `${FROM}cannot determine targetURL: missing route for "/api/v1/imporrt"`,
    'path',
    'REMOTE_URL',
  ],
  [
    'a path that vmauth 1.151 does not know',
    400,
    'user bearer_token:hash:B66502C72308AE0B missing route for "/api/v1/imporrt"',
    'path',
    'REMOTE_URL',
  ],
  [
    'a path that VictoriaMetrics 1.79 does not know',
    400,
    `${FROM}unsupported path requested: "/api/v1/imporrt"`,
    'path',
    'REMOTE_URL',
  ],
  [
    'a path that VictoriaMetrics 1.151 does not know',
    400,
    'unsupported path requested: "/api/v1/imporrt"',
    'path',
    'REMOTE_URL',
  ],
  [
    'a path without -http.pathPrefix',
    400,
    'missing -http.pathPrefix="/pre" in the requested path "/api/v1/import"',
    'path',
    'REMOTE_URL',
  ],
  [
    'a path without a tenant, to vminsert',
    400,
    'cannot find {authToken} in "/insert/x"; expecting /{prefix}/{authToken}/{suffix} format',
    'path',
    'REMOTE_URL',
  ],
  [
    'remote write to a Prometheus without it',
    404,
    'remote write receiver needs to be enabled with --web.enable-remote-write-receiver',
    'path',
    '',
  ],
  [
    'plain HTTP to a program of Go with TLS',
    400,
    'Client sent an HTTP request to an HTTPS server.\n',
    'tls',
    'REMOTE_URL',
  ],
  [
    'plain HTTP to an nginx with TLS',
    400,
    nginxPage('The plain HTTP request was sent to HTTPS port'),
    'tls',
    'REMOTE_URL',
  ],
  [
    'no certificate, to an nginx that requires one',
    400,
    nginxPage('No required SSL certificate was sent'),
    'authentication',
    'REMOTE_CERT_FILE',
  ],
  [
    'a certificate that nginx does not accept',
    400,
    nginxPage('The SSL certificate error'),
    'authentication',
    'REMOTE_CERT_FILE',
  ],
];

describe('recognized response: holds every sample and names the variable after', () => {
  test.each(responses)('%s', (...[, status, body, step, variable]) => {
    const { kind, reason } = toOutcome({ status, body }, 50) as { kind: string; reason: string };
    expect(kind).toBe('hold');
    expect(reason).toContain(variable === '' ? 'start it with' : `THUGSHELLS_${variable}`);
    expect(findRecognized(reason)?.step).toBe(step);
    expect(reason).toContain(`; ${findRemedy(reason)}`);
  });
});

test.each(responses)(
  'recognized response: %s is a rejection of samples if the words stand in a label of one',
  (...[, , body]) => {
    const rejection = `out of bounds: series={job="${body}"}, timestamp=1`;
    expect(toOutcome({ status: 400, body: rejection }, 50).kind).toBe('rejected');
    const page = `<html><head><title>400</title></head><body>${'x'.repeat(300)}${body}</body></html>`;
    expect(toOutcome({ status: 400, body: page }, 50).kind).toBe('rejected');
  },
);

describe('recognized response: a redirect', () => {
  const requestUrl = 'http://vm.example:8428/api/v1/import?key=***';
  const stepOf = (location: string): string | undefined => {
    const { kind, reason } = toOutcome({ status: 308, body: '', location, requestUrl }, 50) as {
      kind: string;
      reason: string;
    };
    expect(kind).toBe('hold');
    return findRecognized(reason)?.step;
  };

  test.each([
    ['to https at the same host', 'https://vm.example/api/v1/import', 'tls'],
    ['to another path', '/api/v1/import/', 'path'],
    ['to the login of a portal', 'https://login.example/?from=vm.example', 'receiver'],
    ['to what is no address', 'http://[', undefined],
  ])('%s', (_, location, step) => expect(stepOf(location)).toBe(step));
});

test('recognized response: the remedy of a failed connection is found in its reason, and none in other words', () => {
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID'])
    expect(findRemedy(toFailureReason(Object.assign(new Error('own words'), { code })))).toMatch(/check|renew/);
  for (const reason of ['', 'HTTP 503', 'the connection was closed before a response came (ECONNRESET)'])
    expect(findRemedy(reason)).toBeUndefined();
});
