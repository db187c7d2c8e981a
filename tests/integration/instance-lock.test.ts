import { mkdirSync, statSync, writeFileSync } from 'node:fs';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { AgentPair } from '../support/agent-pair.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';

let agents: AgentPair;
beforeEach(() => {
  agents = new AgentPair({ REMOTE_URL: 'http://127.0.0.1:9/api/v1/import', COLLECTORS: 'load' });
});
afterEach(() => agents.remove());

test('instance lock: noise in both lock files keeps neither program from its work, and lets no second one in', async () => {
  const noise = Buffer.alloc(4096, 0x5a);
  for (const role of ['collector', 'uploader']) writeFileSync(`${agents.database}.${role}-lock`, noise);
  const collector = agents.start('collector');
  const uploader = agents.start('uploader');
  await until('both work', () => uploader.endpoint() !== undefined && readBooks(agents.database).collected > 0);
  expect(statSync(`${agents.database}.collector-lock`).size).toBe(0);
  for (const program of ['collector', 'uploader'] as const) {
    const second = agents.start(program);
    expect(await second.ended).toEqual({ code: 75, signal: null });
  }
  expect([collector.isRunning, uploader.isRunning]).toEqual([true, true]);
  expect((await collector.stop()).code).toBe(0);
});

test('instance lock: what cannot be one ends a program with the file and what to do', async () => {
  for (const program of ['collector', 'uploader'] as const) {
    const path = `${agents.database}.${program}-lock`;
    mkdirSync(path);
    const agent = agents.start(program);
    expect(await agent.ended).toEqual({ code: 1, signal: null });
    expect(agent.log().find(({ level }) => level === 'error')).toMatchObject({
      error: `cannot take the instance lock ${path}: it is not a regular file`,
      error_code: 'DATABASE_UNUSABLE',
      hint: `remove ${path}`,
    });
  }
});
