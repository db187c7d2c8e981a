import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

/**
 * Words that were replaced by those of Prometheus, SQLite and systemd: `device` for board and box, `error` for trouble,
 * `report`, `log` and `return` for tell, say and hear. They are not to come back into sources, texts or comments.
 */
const LEFT_OUT = [
  /\b(boards?|box(es)?)\b/,
  /\b(doors?|rooms?|walls?|houses?)\b/,
  /\b(troubles?|fares|blam(e|es|ed)|patience|caretakers?)\b/,
  /\bheal(s|ed|ing)?\b/,
  /\b(mak(e|es|ing)|made) (way|room)\b/,
  /\b(give|gives|given|gave|giving) up\b/,
  /\b(take|takes|taken|took) back\b/,
  /\b(send|sends|sent) anew\b/,
  /\bworks? again\b/,
  /\bcannot be looked after\b/,
  /\b(way out|other side)\b/,
  /\b(tell|tells|told|telling)\b/,
  /\b(say|says|said|saying)\b/,
  /\b(hear|hears|heard)\b/,
];

/** What contains such a word and stays: terms of CSS, SVG and clocks, the hardware, a domain, names of alerts, and columns. */
const ALLOWED = [
  /Raspberry Pi board/g,
  /alert: Board/g,
  /fritz\\\.box/g,
  /'board_(name|vendor)'/g,
  /\btrouble(_since)? (=|AS)/g,
  /'trouble(_since)?'/g,
  /(border|content)-box|box-(sizing|shadow)|viewBox/g,
  /wall[- ]clock|wall(Clock|Ms)/gi,
];

interface WordFinding {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** Returns a text's lines with a word that is left out; `isTold` and `tell_x` count like `told` and `tell`. */
function findWords(file: string, text: string): WordFinding[] {
  return text.split('\n').flatMap((original, index) => {
    const line = ALLOWED.reduce((rest, allowed) => rest.replace(allowed, ''), original);
    const words = line
      .replace(/([a-z])([A-Z])/g, '$1 $2')
      .replaceAll('_', ' ')
      .toLowerCase();
    return LEFT_OUT.some((pattern) => pattern.test(words)) ? [{ file, line: index + 1, text: original.trim() }] : [];
  });
}

function findInRepository(): WordFinding[] {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const files = globSync(['{collector,uploader,shared}/src/**/*.ts', 'uploader/page/*', 'deploy/**/*.*'], {
    cwd: root,
  });
  return files.sort().flatMap((file) => findWords(file, readFileSync(`${root}/${file}`, 'utf8')));
}

describe('vocabulary:', () => {
  test.each(['the box fares well', 'no room', 'it made way', 'isTold', '// says nothing', 'tell_it', 'given up'])(
    'finds a left-out word in %p',
    (text) => expect(findWords('a.ts', text)).toHaveLength(1),
  );

  test.each([
    'the device is degraded',
    'a threshold',
    'box-sizing: border-box',
    'the wall clock',
    'at.wallMs',
    'Raspberry Pi board',
    'essays',
    'boarding',
  ])('accepts %p', (text) => expect(findWords('a.ts', text)).toEqual([]));

  test('sources and texts have no left-out words', () => {
    expect(findInRepository().map(({ file, line, text }) => `${file}:${line}: ${text}`)).toEqual([]);
  });
});
