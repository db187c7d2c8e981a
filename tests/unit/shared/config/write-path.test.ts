import { expect, test } from '@jest/globals';

import { findPathProblem, isKnownWritePath } from '../../../../shared/src/config/write-path.ts';

const at = (path: string): string => `https://vm.example${path}`;

test.each(['/api/v1/import', '//api/v1/import', '/vm/api/v1/import', '/insert/42:7/prometheus/api/v1/import'])(
  'write path: %s is known for JSON lines',
  (path) => expect(isKnownWritePath({ remoteUrl: at(path), remoteProtocol: 'victoriametrics' })).toBe(true),
);

test.each([
  '/api/v1/write',
  '/api/v1/push',
  '/api/prom/push',
  '/api/v1/receive',
  '/workspaces/ws-1/api/v1/remote_write',
])('write path: %s is known for remote write', (path) =>
  expect(isKnownWritePath({ remoteUrl: at(path), remoteProtocol: 'remote-write' })).toBe(true),
);

test.each([
  '/',
  '',
  '/api/v1/imporrt',
  '/api/v1/import/',
  '/api/v1/Import',
  '/api/v1',
  '/api/v1/import/prometheus',
  '/write',
])('write path: %s is not known for JSON lines', (path) =>
  expect(isKnownWritePath({ remoteUrl: at(path), remoteProtocol: 'victoriametrics' })).toBe(false),
);

test.each([
  '/api/v1/import/prometheus',
  '/insert/0/prometheus/api/v1/import/csv',
  '/write',
  '/influx/write',
  '/api/put',
])('write path: JSON lines sent to %s may be accepted and dropped', (path) =>
  expect(findPathProblem({ remoteUrl: at(path), remoteProtocol: 'victoriametrics' })).toMatchObject({
    message: expect.stringContaining(path),
    hint: expect.stringContaining('/api/v1/import'),
  }),
);

test.each(['/api/v1/import', '/own/path/of/a/gateway', '/'])(
  'write path: nothing is known to be wrong with %s',
  (path) => expect(findPathProblem({ remoteUrl: at(path), remoteProtocol: 'victoriametrics' })).toBeUndefined(),
);
