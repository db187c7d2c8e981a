import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { startReceiver, type Receiver } from '../receiver/src/server.ts';
import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { runToEnd } from '../support/agent-process.ts';
import { Terminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const UPLOADER = fileURLToPath(new URL('../../uploader/dist/main.js', import.meta.url));
/** A control sequence that colors (ECMA-48, SGR). */
const COLOR = /\p{Cc}\[\d+m/u;

let receiver: Receiver;
let agents: AgentPair;
let terminal: Terminal | undefined;

beforeEach(async () => {
  receiver = await startReceiver();
  agents = new AgentPair({ REMOTE_URL: `${receiver.url}/api/v1/import` });
});
afterEach(async () => {
  await terminal?.close();
  terminal = undefined;
  await agents.remove();
  await receiver.stop();
});

/** Runs a command of the uploader on a terminal. */
function run(args: string, environment: Readonly<Record<string, string>> = {}): Terminal {
  return new Terminal(`'${process.execPath}' '${UPLOADER}' ${args}`, { ...agents.environment, ...environment });
}

async function isCreated(): Promise<void> {
  await until(
    'the collector has created the database',
    async () => (await runToEnd('uploader', agents.environment, ['status'])).stdout !== '',
  );
}

test('status on a terminal: has colors, and none if NO_COLOR is set', async () => {
  agents.start('collector');
  await isCreated();
  for (const { environment, isColored } of [
    { environment: {}, isColored: true },
    { environment: { NO_COLOR: '' }, isColored: true },
    { environment: { NO_COLOR: '1' }, isColored: false },
    { environment: { TERM: 'dumb' }, isColored: false },
  ]) {
    terminal = run('status', environment);
    await terminal.ended;
    expect(terminal.text).toContain('Components');
    expect(COLOR.test(terminal.text)).toBe(isColored);
  }
});

test('status --watch: waits for the database, follows the uploader as it comes and goes, and Ctrl-C ends it with 0', async () => {
  const watching = (terminal = run('status --watch'));
  await watching.shows(/cannot open the database/);
  agents.start('collector');
  const uploader = agents.start('uploader');
  await endpointOf(uploader);
  await watching.shows(/board-1.* is .*ok.*all components are ok/s);
  await uploader.stop();
  await watching.shows(/uploader not running/);
  expect(COLOR.test(watching.text)).toBe(true);
  watching.type('\u0003');
  expect(await watching.ended).toBe(0);
  expect(watching.text.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
  expect(watching.text.trimEnd().endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
}, 120_000);

test('status --watch: ends with 0 on SIGTERM, and leaves the terminal as it was', async () => {
  const watching = (terminal = run('status --watch'));
  await watching.shows(/Ctrl-C ends this/);
  watching.signal('SIGTERM');
  expect(await watching.ended).toBe(0);
  expect(watching.text.trimEnd().endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
});

test('status --watch: refuses an output that is no terminal, with exit code 2', async () => {
  const { code, stderr } = await runToEnd('uploader', agents.environment, ['status', '--watch']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('standard output has to be a terminal')]);
});
