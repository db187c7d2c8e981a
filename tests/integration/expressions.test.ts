import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { fillWithBoards, THIS_MACHINE } from '../support/boards-data.js';
import { alertRules, documents, expressionsOfDashboards, expressionsOfDocument, query, type Expression } from '../support/promql.js';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.js';

/** Every expression that the project shows to anybody, on what the real programs say of three boards. */

let server: VictoriaMetrics;

beforeAll(async () => {
  server = await startVictoriaMetrics();
  await fillWithBoards(server);
}, 600_000);
afterAll(() => server.stop());

/** Expressions without an answer; what does not parse throws. */
async function unanswered(expressions: readonly Expression[]): Promise<string[]> {
  const answers = await Promise.all(expressions.map(async ({ where, text }) => ({ where, text, values: await query(server.url, text) })));
  return answers.filter(({ values }) => values.length === 0).map(({ where, text }) => `${where}: ${text}`);
}

/** What a rule compares: the part before the comparison, which is there also while all is well. */
function compared(expression: string): string[] {
  return expression.split(' or ').map((part) => part.replace(/ (?:[<>]=?|==) (?:[\d.]+|\w+\(.*\))$/, ''));
}

describe('gives data:', () => {
  test('every expression of every panel', async () => {
    const expressions = expressionsOfDashboards();
    expect(expressions.length).toBeGreaterThan(80);
    expect(await unanswered(expressions)).toEqual([]);
  });

  test('what every rule compares, and every rule parses', async () => {
    const rules = alertRules();
    expect(rules.length).toBeGreaterThan(9);
    for (const { expression } of rules) await query(server.url, expression);
    const parts = rules.flatMap(({ name, expression }) => compared(expression).map((text) => ({ where: name, text })));
    expect(await unanswered(parts)).toEqual([]);
  });

  test('every expression of every document', async () => {
    const expressions = documents().flatMap(expressionsOfDocument);
    expect(expressions.length).toBeGreaterThan(10);
    expect(await unanswered(expressions)).toEqual([]);
  });
});

test('a panel’s list of boards is the boards', async () => {
  const response = await fetch(`${server.url}/api/v1/label/device_id/values?match[]=system_uptime_seconds`, { headers: { connection: 'close' } });
  expect(((await response.json()) as { data: string[] }).data).toEqual(expect.arrayContaining([THIS_MACHINE, 'raspberry-pi', 'x86-board']));
});

test('an expression of a series that nobody exports is found out', async () => {
  expect(await unanswered([{ where: 'here', text: 'rate(network_rx_byte_total[5m])' }])).toHaveLength(1);
});
