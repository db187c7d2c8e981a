import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { startReceiver, type Receiver } from '../receiver/src/server.ts';
import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { faultsOf } from '../support/log-schema.ts';
import { until } from '../support/until.ts';

let receiver: Receiver;
let agents: AgentPair;

beforeEach(async () => {
  receiver = await startReceiver();
  agents = new AgentPair({ REMOTE_URL: `${receiver.url}/api/v1/import`, CPU_INTERVAL: '200ms' });
});
afterEach(async () => {
  await agents.remove();
  await receiver.stop();
});

test('the schema finds what is wrong with a line', () => {
  const line = {
    time: '2023-11-14T22:13:20.000Z',
    level: 'info',
    msg: 'scrape',
    session_id: '01a20c43-9b79-76bf-9688-a44d80ee792b',
    count: 7,
  };
  expect(faultsOf(JSON.stringify(line))).toEqual([]);
  const wrong = [
    { time: 'now' },
    { level: 'verbose' },
    { msg: '' },
    { session_id: 'x' },
    { count: '7' },
    { camelCase: 1 },
    { nested: {} },
    { error_code: 'not a code' },
    { stack: 5 },
  ];
  for (const change of wrong) expect(faultsOf(JSON.stringify({ ...line, ...change }))).toHaveLength(1);
  expect(faultsOf('Segmentation fault')).toHaveLength(1);
  expect(faultsOf(JSON.stringify(Object.fromEntries(Object.entries(line).reverse())))).toHaveLength(1);
});

test('every line of a run with faults, restarts and a change of level is whole JSON of known fields; each trouble is told once (A-44)', async () => {
  const collector = agents.start('collector');
  const uploader = agents.start('uploader');
  await endpointOf(uploader);
  await until('something is uploaded', () => uploader.told('uploaded').length > 0, 60_000);
  expect(uploader.log().some(({ level }) => level === 'debug')).toBe(false);

  uploader.signal('SIGUSR2');
  collector.signal('SIGUSR2');
  await until(
    'chunks and scrapes are told',
    () => uploader.told('chunk sent').length > 2 && collector.told('scrape').length > 2,
    60_000,
  );
  receiver.setFaults({ status: 503, alsoHealth: true });
  await until(
    'several posts have failed',
    () => uploader.told('chunk sent').filter(({ outcome }) => outcome === 'retry').length > 4,
    60_000,
  );
  receiver.setFaults([]);
  await until('it goes on', () => uploader.told('receiver recovered').length > 0, 60_000);
  uploader.signal('SIGUSR2');
  await until('it says so', () => uploader.told('log level changed').length === 2, 60_000);
  const quiet = uploader.log().length;
  await until(
    'an upload is told',
    () =>
      uploader
        .log()
        .slice(quiet)
        .some(({ msg }) => msg === 'uploaded'),
    60_000,
  );
  expect(
    uploader
      .log()
      .slice(quiet)
      .filter(({ level }) => level === 'debug'),
  ).toEqual([]);

  await collector.stop();
  await uploader.stop();
  const lines = agents.lines();
  expect(lines.length).toBeGreaterThan(30);
  expect(lines.flatMap(faultsOf)).toEqual([]);
  expect(uploader.told('upload failed, will retry')).toHaveLength(1);
  expect(new Set(uploader.log().map(({ session_id: id }) => id)).size).toBe(1);
}, 240_000);
