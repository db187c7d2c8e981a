import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { findAnchors } from '../../support/document-anchors.ts';
import { documents } from '../../support/promql.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const DOCUMENTS = [
  ...documents(),
  ...readdirSync(root).filter((name) => name.endsWith('.md') && name !== 'README.md' && name !== 'CONTRIBUTING.md'),
];
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
/** What stands in a block or between backquotes is no link. */
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
const GENERATED = /<!-- [\w-]+: written by [\s\S]*?<!-- end of [^>]*-->/g;

/** Returns what is wrong with the relative links of a document. */
function findBrokenLinks(file: string): string[] {
  const links = [...withoutCode(read(file)).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
  return links.flatMap(([link, path = '', anchor]) => {
    const target = path === '' ? file : join(dirname(file), path);
    if (!existsSync(join(root, target))) return [`${link}: there is no ${target}`];
    if (anchor === undefined || findAnchors(read(target)).includes(anchor)) return [];
    return [`${link}: ${target} has no such heading`];
  });
}

describe('documents:', () => {
  test.each(DOCUMENTS)('every link of %s leads to a file and a heading', (file) => {
    expect(findBrokenLinks(file)).toEqual([]);
  });

  test.each(DOCUMENTS.filter((file) => file !== 'CHANGELOG.md'))('%s is short enough to be read', (file) => {
    const lines = read(file).replace(GENERATED, '').split('\n').length;
    expect(lines).toBeLessThanOrEqual(file === 'README.md' ? 200 : 400);
  });

  test('each document of docs/ is named in the README or in a document that is', () => {
    const named = DOCUMENTS.map(withoutLinksToItself).join('\n');
    const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
    expect(docs.filter((name) => !named.includes(`${name})`) && !named.includes(`${name}#`))).toEqual([]);
  });

  test.each(DOCUMENTS)('every npm script that %s names exists', (file) => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const names = [...read(file).matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name);
    expect(names.filter((name) => !(name in scripts))).toEqual([]);
  });
});

function withoutLinksToItself(file: string): string {
  return read(file).replaceAll(file.split('/').at(-1) as string, '');
}
