import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { freePort } from '../support/free-port.ts';
import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { runToEnd } from '../support/agent-process.ts';
import { until } from '../support/until.ts';

interface JournalLine {
  readonly at: string;
  readonly program: string;
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly times: number;
}

let agents: AgentPair;
let textfiles: string;

beforeEach(async () => {
  const port = await freePort();
  agents = new AgentPair({ REMOTE_URL: `http://127.0.0.1:${port}/api/v1/import`, RETRY_ATTEMPTS: '2' });
  textfiles = join(agents.folder, 'textfiles');
  mkdirSync(textfiles);
});
afterEach(() => agents.remove());

async function read(url: string): Promise<string> {
  return (await fetch(url, { headers: { connection: 'close' } })).text();
}

/** Waits for a line of the journal that the uploader shows. */
async function waitForLine(endpoint: string, program: string, message: RegExp): Promise<JournalLine> {
  return until(`a line of the ${program}`, async () => {
    const { journal } = JSON.parse(await read(new URL('/status.json', endpoint).href)) as { journal: JournalLine[] };
    return journal.find((line) => line.program === program && message.test(line.message));
  });
}

/** Starts a collector that cannot read a text file. */
function startFailing(more: Readonly<Record<string, string>> = {}): ReturnType<AgentPair['start']> {
  writeFileSync(join(textfiles, 'a.prom'), 'pump_litres not-a-number\n');
  return agents.start('collector', { THUGSHELLS_TEXTFILE_DIR: textfiles, ...more });
}

describe('journal: on the page, in its JSON and by status', () => {
  test('has the warnings of both programs, and those of a collector that was killed', async () => {
    const collector = startFailing();
    const uploader = agents.start('uploader');
    const endpoint = await endpointOf(uploader);
    const failing = await waitForLine(endpoint, 'collector', /collector failing/);
    expect(failing).toMatchObject({ level: 'warn', times: expect.any(Number) });
    expect(JSON.stringify(failing.fields)).toContain('a.prom');
    const away = await waitForLine(endpoint, 'uploader', /upload/);
    expect(JSON.stringify(away.fields)).toContain('ECONNREFUSED');

    await collector.kill('SIGKILL');
    expect(await waitForLine(endpoint, 'collector', /collector failing/)).toMatchObject({ fields: failing.fields });
    const page = await read(endpoint);
    expect(page).toContain(`collector: <b>${failing.message}</b>`);
    expect(page).toContain(`uploader: <b>${away.message}</b>`);
    const running = await runToEnd('uploader', agents.environment, ['status']);
    expect(running.stdout).toMatch(/^Journal$/m);
    expect(running.stdout).toMatch(/ uploader warning: upload/);
    await uploader.stop();
    const stopped = await runToEnd('uploader', agents.environment, ['status']);
    expect(stopped.stdout).toMatch(/ collector warning: collector failing/);
    expect(stopped.stdout).not.toMatch(/ uploader warning:/);

    // The next collector has no such file, and goes on with what the last one logged.
    agents.start('collector');
    const again = await endpointOf(agents.start('uploader'));
    expect(await waitForLine(again, 'collector', /collector failing/)).toMatchObject({ fields: failing.fields });
  }, 120_000);

  test('has the exception that ended the collector', async () => {
    const throwing = 'process.on("SIGWINCH", () => { throw new Error("provoked") })';
    const module = `data:text/javascript,${encodeURIComponent(throwing)}`;
    const collector = startFailing({ NODE_OPTIONS: `--import=${module}` });
    const endpoint = await endpointOf(agents.start('uploader'));
    await waitForLine(endpoint, 'collector', /collector failing/);
    collector.signal('SIGWINCH');
    expect((await collector.ended).code).toBe(1);
    expect(await waitForLine(endpoint, 'collector', /uncaught exception/)).toMatchObject({
      level: 'error',
      fields: { error: 'provoked' },
    });
  }, 60_000);
});
