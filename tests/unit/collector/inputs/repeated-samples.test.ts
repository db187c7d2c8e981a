import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from '@jest/globals';

import { TextFiles } from '../../../../collector/src/inputs/text-files.ts';
import { TextfileCollector } from '../../../../collector/src/inputs/textfile.ts';
import { findReservedName } from '../../../../collector/src/store/writing/agent-names.ts';
import { collectOnce, formatReadings } from '../../../support/collector/collect-once.ts';
import { NOW } from '../../../support/collector/collector-parts.ts';
import {
  createConverter,
  createPageClient,
  createTarget,
  createTargetCollector,
} from '../../../support/collector/made-target.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

/** Series that a text has more than once, and series that cannot be stored: a text file is at fault, a page is not. */

const folder = useTemporaryFolder();
const OWN = /^(textfile|scrape)\.|^up$/;
const MINUTE = 60_000;
let directory: string;

beforeEach(() => {
  directory = folder.path('textfiles');
  mkdirSync(directory);
});

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Collects the text files of the folder; the outcome has the samples and the value of textfile.scrape_error. */
async function collectFiles() {
  const converter = createConverter({ findReserved: findReservedName });
  const collector = new TextfileCollector({ files: new TextFiles(directory), converter, maxReadings: 100 });
  const { readings, failure, hint } = await collectOnce(collector);
  const scrapeError = readings.find(({ series }) => series.name === 'textfile.scrape_error')?.value;
  return { samples: formatReadings(readings, OWN), failure, hint, scrapeError };
}

/** Collects a page of a scrape target. */
async function collectPage(text: string, { maxReadings = 100 } = {}) {
  const collector = createTargetCollector(createTarget({ labels: { job: 'node' } }), {
    client: createPageClient(text),
    clock: new FakeClock(NOW),
    maxReadings,
    findReserved: findReservedName,
  });
  const { readings, failure } = await collectOnce(collector);
  return { samples: formatReadings(readings, OWN), failure, leftOut: collector.leftOut };
}

describe('text files: a series that is there more than once', () => {
  test('text files: the first of equal series is kept, and the file is named and at fault', async () => {
    const path = write('bad.prom', 'pump{id="1"} 1\nlid 2\npump{id="1"} 3\npump{ id = "1", } 4\n');
    write('good.prom', 'good 1\n');
    expect(await collectFiles()).toEqual({
      samples: ['pump{id="1"} 1', 'lid 2', 'good 1'],
      failure: `${path}: 2 samples of a series that it has already, first pump{"id":"1"}`,
      hint: 'write each series once, and in one file',
      scrapeError: 1,
    });
  });

  test('text files: a series that another file has too costs the later file that sample alone', async () => {
    const first = write('a.prom', 'pump 1\n');
    const path = write('b.prom', 'pump 2\nlid 3\n');
    expect(await collectFiles()).toMatchObject({
      samples: ['pump 1', 'lid 3'],
      failure: `${path}: 1 samples of a series that ${first} has already, first pump`,
      scrapeError: 1,
    });
  });

  test('text files: a label with an empty value makes no other series, and another label does', async () => {
    write('bad.prom', 'pump 1\npump{id=""} 2\npump{id="2"} 3\n');
    const { samples, failure } = await collectFiles();
    expect(samples).toEqual(['pump 1', 'pump{id="2"} 3']);
    expect(failure).toMatch(/: 1 samples of a series that it has already, first pump$/);
  });
});

describe('text files: samples that cannot be stored', () => {
  test('text files: a name of the agent’s own costs its samples, and the file is named and at fault', async () => {
    const path = write('bad.prom', 'up 1\nfine 2\ncpu_usage_percent 3\ncpu_usage_percent{core="1"} 4\n');
    write('good.prom', 'good 1\n');
    expect(await collectFiles()).toEqual({
      samples: ['fine 2', 'good 1'],
      failure: `${path}: 3 samples of reserved names, first up: up is a name of the agent's own series`,
      hint: 'rename them where the file is written',
      scrapeError: 1,
    });
  });

  test('text files: a value that is not finite is no fault of the file', async () => {
    write('nan.prom', 'quantile{quantile="0.9"} NaN\n');
    expect(await collectFiles()).toMatchObject({ failure: '', scrapeError: 0 });
  });
});

describe('text files: a name without a file', () => {
  test('text files: a link to nothing is named and at fault', async () => {
    const path = join(directory, 'nothing.prom');
    symlinkSync('gone', path);
    write('good.prom', 'good 1\n');
    expect(await collectFiles()).toEqual({
      samples: ['good 1'],
      failure: `cannot read ${path}: it is a link to a file that does not exist`,
      hint: 'remove the link, or create the file that it names',
      scrapeError: 1,
    });
  });

  test('text files: a name that is not UTF-8 is named and at fault', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/caf`), Buffer.from([0xe9]), Buffer.from('.prom')]), 'a 1\n');
    write('good.prom', 'good 1\n');
    expect(await collectFiles()).toMatchObject({
      samples: ['good 1'],
      failure: `cannot read ${directory}/caf\ufffd.prom: its name is not UTF-8`,
      scrapeError: 1,
    });
  });
});

describe('scrape target: a series that is there more than once', () => {
  test('scrape target: keeps the first, does not fail, and reports how many are left out', async () => {
    expect(await collectPage('a 1\nb{c="d",e="f"} 2\na 3\na 4\nb{e="f",c="d"} 5\n')).toEqual({
      samples: ['a{job="node"} 1', 'b{c="d",e="f",job="node"} 2'],
      failure: '',
      leftOut: [
        {
          event: 'repeated samples dropped',
          count: 3,
          reason: 'scrape target node: 3 samples of a series that the page has already, first a',
        },
      ],
    });
    expect((await collectPage('a 1\n')).leftOut).toEqual([]);
  });

  test('scrape target: of several times of one series the newest is kept', async () => {
    const at = (minutes: number) => NOW - minutes * MINUTE;
    const text = `a 1 ${at(3)}\na 2 ${at(1)}\na 3 ${at(2)}\nb 4 ${at(1)}\nb 5\nb 6 ${at(2)}\n`;
    expect(await collectPage(text)).toMatchObject({
      samples: ['a{job="node"} 2', 'b{job="node"} 5'],
      failure: '',
      leftOut: [{ count: 4 }],
    });
  });

  test('exposition: an old sample of a series that has a newer one is not taken for a stale series', async () => {
    const at = (minutes: number) => NOW - minutes * MINUTE;
    const convert = async (text: string) => {
      const converter = createConverter({ maxAgeMs: 5 * MINUTE });
      const { errors, repeated } = await converter.convert([Buffer.from(text)], { format: 'prometheus' }, 100);
      return [repeated.count, errors.map(({ message }) => message)];
    };
    expect(await convert(`a 1 ${at(60)}\na 2 ${at(30)}\na 3 ${at(1)}\na 4 ${at(90)}\n`)).toEqual([3, []]);
    expect(await convert(`a 1 ${at(60)}\na 2 ${at(1)}\nb 3 ${at(60)}\n`)).toEqual([
      1,
      ['1 samples have a timestamp more than 5 minutes from now, first b'],
    ]);
  });

  test('scrape target: repeated samples take no place of other series', async () => {
    const { samples, failure } = await collectPage(`${'a 1\n'.repeat(50)}b 2\n`, { maxReadings: 2 });
    expect([samples, failure]).toEqual([['a{job="node"} 1', 'b{job="node"} 2'], '']);
  });
});

describe('scrape target: names of the agent', () => {
  test('scrape target: samples of a name of the agent are left out, and the page is no failure', async () => {
    const reason = "scrape target node: 2 samples of reserved names, first up: up is a name of the agent's own series";
    expect(await collectPage('a 1\nup 1\nload_average_1m{x="y"} 2\n')).toEqual({
      samples: ['a{job="node"} 1'],
      failure: '',
      leftOut: [{ event: 'samples of reserved names dropped', count: 2, reason }],
    });
  });

  test('scrape target: a foreign device_id and the label that it is exported as are one series', async () => {
    expect(await collectPage('a{device_id="x"} 1\na{exported_device_id="x"} 2\n')).toMatchObject({
      samples: ['a{device_id="x",job="node"} 1'],
      leftOut: [{ count: 1 }],
    });
  });
});
