import { expect, test } from '@jest/globals';

import { findBeside } from '../../../../uploader/src/transport/receiver-address.ts';

test.each([
  ['http://127.0.0.1:8428/api/v1/import', 'http://127.0.0.1:8428/metrics'],
  ['https://example.org/vm/api/v1/import?extra_label=a%3Db', 'https://example.org/vm/metrics'],
  ['https://ann:secret@example.org/vm/api/v1/import/', 'https://ann:secret@example.org/vm/metrics'],
  [
    'http://vminsert:8480/insert/0/prometheus/api/v1/import/prometheus',
    'http://vminsert:8480/insert/0/prometheus/metrics',
  ],
  ['http://prometheus:9090/api/v1/write', 'http://prometheus:9090/metrics'],
  ['http://mimir/api/v1/push', 'http://mimir/metrics'],
  ['http://example.org/own/path', 'http://example.org/own/metrics'],
  ['http://example.org', 'http://example.org/metrics'],
])('receiver address: what stands beside %s is %s', (remoteUrl, beside) => {
  expect(findBeside(remoteUrl, 'metrics').href).toBe(beside);
});
