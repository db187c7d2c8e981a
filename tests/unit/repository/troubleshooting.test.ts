import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const journal = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8').split('\n## The journal\n')[1] ?? '';

/** Returns the messages of all warnings and errors that the programs log. */
function findEvents(): string[] {
  const files = globSync('{collector,uploader,shared}/src/**/*.ts', { cwd: root });
  const texts = files.map((file) => readFileSync(join(root, file), 'utf8'));
  const calls = texts.flatMap((text) => [
    ...text.matchAll(/ogger\??\.(?:warn|error)\(([^{;]*?)[,)]\s*(?:\{|to|fields|line|$)/gm),
    // Of recurring work, and of what a scrape leaves out; the message of a health state comes after its status or its reason.
    ...text.matchAll(/(?<!(?:status|reason): '\w+',\s+)\b(?:message|event): ('\w+ [^']+')/g),
    ...text.matchAll(/#warn\(\w+, ('[^']+')/g),
  ]);
  const messages = calls.flatMap(([, message = '']) =>
    [...message.matchAll(/'([^']+)'/g)].map(([, text = '']) => text),
  );
  return [...new Set(messages)].sort();
}

/** Returns the messages that the document lists. */
function listEvents(): string[] {
  const cells = [...journal.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell = '']) => cell);
  return cells
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text))
    .filter((text) => text !== 'msg')
    .sort();
}

test('troubleshooting: the document has each warning and error that the programs log, and no other', () => {
  const events = findEvents();
  expect(events).toContain('upload failed, will retry');
  expect(listEvents()).toEqual(events);
});
