// Longer than a test should be: each thing that a folder of text files can hold is a case.
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { beforeEach, describe, expect, test } from '@jest/globals';

import { TextFiles } from '../../../../collector/src/inputs/text-files.ts';
import { MAX_TEXTFILE_AGE_MS, TextfileCollector } from '../../../../collector/src/inputs/textfile.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { NOW } from '../../../support/collector/collector-parts.ts';
import { createConverter } from '../../../support/collector/made-target.ts';
import { collectOnce, formatReadings, type CollectResult } from '../../../support/collector/collect-once.ts';

const folder = useTemporaryFolder();
const OWN = /^textfile\./;
let directory: string;

beforeEach(() => {
  directory = folder.path('textfiles');
  mkdirSync(directory);
});

function sourceOf({ maxReadings = 2_000, at = directory } = {}): TextfileCollector {
  const converter = createConverter({ maxAgeMs: MAX_TEXTFILE_AGE_MS });
  return new TextfileCollector({ files: new TextFiles(at), converter, maxReadings });
}

function write(name: string, text: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function valueOf({ readings }: CollectResult, name: string): unknown {
  return readings.find(({ series }) => series.name === name)?.value;
}

describe('text files', () => {
  test('are read in the order of their names, with their times, and keep the names that they give', async () => {
    const later = write('b.prom', '# TYPE pump_cycles_total counter\npump_cycles_total{pump="1"} 7\n');
    const first = write('a.prom', 'water:level 3.5\n# TYPE lid histogram\nlid_bucket{le="+Inf"} 2\nlid_sum 1\n');
    write('a.prom.1234', 'half 1');
    write('README.md', 'not metrics');
    utimesSync(first, 1_600_000_000, 1_600_000_000.25);
    utimesSync(later, 1_600_000_001, 1_600_000_001);
    const { readings, failure } = await collectOnce(sourceOf());
    expect(failure).toBe('');
    expect(formatReadings(readings)).toEqual([
      'textfile.scrape_error 0',
      `textfile.mtime_seconds{file="${first}"} 1600000000.25`,
      `textfile.mtime_seconds{file="${later}"} 1600000001`,
      'water:level 3.5',
      'lid_bucket{le="+Inf"} 2',
      'lid_sum 1',
      'pump_cycles_total{pump="1"} 7',
    ]);
    expect(readings.slice(3).map(({ series }) => series.kind)).toEqual([
      'untyped',
      'histogram',
      'histogram',
      'counter',
    ]);
  });

  test('may be OpenMetrics, and links to files elsewhere', async () => {
    writeFileSync(folder.path('elsewhere.txt'), '# TYPE opened counter\nopened_total 5 # {a="b"} 1\n# EOF\n');
    symlinkSync(folder.path('elsewhere.txt'), join(directory, 'opened.prom'));
    const { readings, failure } = await collectOnce(sourceOf());
    expect(failure).toBe('');
    expect(formatReadings(readings, OWN)).toEqual(['opened_total 5']);
    expect(readings.at(-1)?.series.kind).toBe('counter');
  });

  test('that are not there are no failure', async () => {
    expect(formatReadings((await collectOnce(sourceOf())).readings)).toEqual(['textfile.scrape_error 0']);
  });
});

describe('a file that cannot be used fails alone, by its name', () => {
  const cases: [what: string, make: (path: string) => void, failure: string][] = [
    ['does not parse', (path) => writeFileSync(path, 'fine 1\nbad{ 2\n'), 'line 2: expected a label name'],
    [
      'is cut short',
      (path) => writeFileSync(path, 'fine 1\nbad 2'),
      'line 2: no line feed at the end of the last line: the text is truncated',
    ],
    [
      'is cut short and OpenMetrics',
      (path) => writeFileSync(path, 'fine 1\nbad 2\n# EOF\nmore 2\n# EOF\n'),
      'line 4: text after # EOF',
    ],
    [
      'was filled with zeros by a power cut',
      (path) => writeFileSync(path, Buffer.alloc(512)),
      'line 1: no line feed at the end of the last line: the text is truncated',
    ],
    [
      'is no UTF-8',
      (path) => writeFileSync(path, Buffer.from('fine 1\nname{a="\xff"} 1\n', 'latin1')),
      'line 2: not UTF-8',
    ],
    [
      'is a binary',
      (path) => writeFileSync(path, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff, 0xfe, 10])),
      'line 1: not UTF-8',
    ],
    ['is a directory', (path) => mkdirSync(path), 'not a regular file'],
    ['is a FIFO that nobody writes to', (path) => execFileSync('mkfifo', [path]), 'not a regular file'],
    ['is a device that never ends', (path) => symlinkSync('/dev/zero', path), 'not a regular file'],
    [
      'is a file of a gigabyte',
      (path) => {
        writeFileSync(path, 'a 1\n');
        truncateSync(path, 1024 ** 3);
      },
      '1073741824 bytes, the limit is 4194304',
    ],
    [
      'has samples of last week',
      (path) => writeFileSync(path, `old 1 ${NOW - 604_800_000}\nnew 1 ${NOW - 1_000}\n`),
      '1 samples have a timestamp more than 5 minutes from now, first old',
    ],
    [
      'has times in seconds',
      (path) => writeFileSync(path, `old 1 ${NOW / 1000}\n`),
      '1 samples have a timestamp more than 5 minutes from now, first old',
    ],
  ];

  test.each(cases)('that %s', async (_what, make, failure) => {
    const path = join(directory, 'bad.prom');
    make(path);
    write('good.prom', 'good 1\n');
    const startedAt = performance.now();
    const told = await collectOnce(sourceOf());
    expect(told.failure.replace(/^cannot (?:parse|read) /, '')).toBe(`${path}: ${failure}`);
    expect(told.hint).toMatch(/^[a-z]+ /);
    expect(formatReadings(told.readings, OWN)).toEqual([
      ...(failure.includes('first old') && _what.includes('week') ? ['new 1'] : []),
      'good 1',
    ]);
    expect(valueOf(told, 'textfile.scrape_error')).toBe(1);
    // Far below what reading a gigabyte or waiting for a writer would take.
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  test('that is a socket', async () => {
    const server = createServer().listen(join(directory, 'bad.prom')).unref();
    await new Promise((resolve) => server.once('listening', resolve));
    expect((await collectOnce(sourceOf())).failure).toBe(`cannot read ${directory}/bad.prom: not a regular file`);
    await new Promise((resolve) => server.close(resolve));
  });

  test('that links to itself', async () => {
    symlinkSync('loop.prom', join(directory, 'loop.prom'));
    expect((await collectOnce(sourceOf())).failure).toMatch(/^cannot read \S+\/loop\.prom: .*ELOOP[^;]*$/);
  });

  test('while many are bad, only the first few are named', async () => {
    for (let index = 10; index < 30; index++) write(`${index}.prom`, 'bad\n');
    const { failure } = await collectOnce(sourceOf());
    expect(failure.match(/\.prom: line 1/g)).toHaveLength(5);
    expect(failure).toContain('; and 15 more');
  });
});

describe('a directory', () => {
  test('that cannot be read is named', async () => {
    const { failure, hint } = await collectOnce(sourceOf({ at: folder.path('none') }));
    expect(failure).toMatch(/^cannot read \S+\/none: .*ENOENT/);
    expect(hint).toContain('THUGSHELLS_TEXTFILE_DIR');
  });

  test('of 10,000 files has the first 500 read, and the others counted', async () => {
    for (let index = 0; index < 10_000; index++)
      write(`${String(index).padStart(5, '0')}.prom`, `sample{file="${index}"} 1\n`);
    const startedAt = performance.now();
    const { readings, failure } = await collectOnce(sourceOf());
    expect(failure).toBe('9500 files left out, the limit is 500');
    const told = formatReadings(readings, OWN);
    expect([told.length, told[0], told.at(-1)]).toEqual([500, 'sample{file="0"} 1', 'sample{file="499"} 1']);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  test('of large files is read up to 16 MiB', async () => {
    const comment = `# ${'x'.repeat(1_000)}\n`.repeat(4_000);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) write(`${name}.prom`, `${comment}sample_${name} 1\n`);
    const { readings, failure } = await collectOnce(sourceOf());
    expect(formatReadings(readings, OWN)).toEqual(['sample_a 1', 'sample_b 1', 'sample_c 1', 'sample_d 1']);
    expect(failure).toMatch(/e\.prom: \d+ bytes, the limit is \d+; .*f\.prom/);
  });

  test('with more samples than the limit returns the first, and reports how many are left out', async () => {
    write('a.prom', Array.from({ length: 30 }, (_, index) => `a${index} 1\n`).join(''));
    write('b.prom', 'b1 1\nb2 1\n');
    const { readings, failure } = await collectOnce(sourceOf({ maxReadings: 20 }));
    expect(formatReadings(readings, OWN)).toHaveLength(20);
    const more = 'increase THUGSHELLS_SCRAPE_MAX_SERIES and THUGSHELLS_MAX_SERIES';
    expect(failure).toBe(
      `${directory}/a.prom: 10 samples over the limit; ${more}; ${directory}/b.prom: 2 samples over the limit; ${more}`,
    );
  });

  test('that is none is named with what to do', async () => {
    const { failure, hint } = await collectOnce(sourceOf({ at: write('file', '') }));
    expect(failure).toMatch(/^cannot read \S+\/file: .*ENOTDIR/);
    expect(hint).toContain("let the collector's user read");
  });
});

describe('files that change while they are read', () => {
  test('by a rename are read as the old or the new one, never as half of each', async () => {
    const texts = ['a', 'b'].map((which) =>
      Array.from({ length: 3_000 }, (_, index) => `version{index="${index}"} ${which === 'a' ? 1 : 2}\n`).join(''),
    );
    write('x.prom', texts[0]!);
    let isDone = false;
    const writer = (async () => {
      for (let turn = 0; !isDone; turn++) {
        renameSync(write('x.prom.new', texts[turn % 2]!), join(directory, 'x.prom'));
        await delay(0);
      }
    })();
    for (let turn = 0; turn < 30; turn++) {
      const { readings, failure } = await collectOnce(sourceOf({ maxReadings: 10_000 }));
      expect(failure).toBe('');
      const values = readings.filter(({ series }) => series.name === 'version').map(({ value }) => value);
      expect([values.length, new Set(values).size]).toEqual([3_000, 1]);
    }
    isDone = true;
    await writer;
  });

  test('in place give no line that nobody wrote, and harm no other file', async () => {
    const path = write('x.prom', 'a 1\n'.repeat(10));
    write('y.prom', 'good 1\n');
    let isDone = false;
    const writer = (async () => {
      for (let turn = 0; !isDone; turn++) {
        writeFileSync(path, 'b 12345678\n'.repeat(turn % 2_000));
        await delay(0);
      }
    })();
    for (let turn = 0; turn < 30; turn++) {
      const { readings } = await collectOnce(sourceOf());
      const values = new Set(formatReadings(readings, OWN));
      for (const text of values) expect(['a 1', 'b 12345678', 'good 1']).toContain(text);
      expect(values).toContain('good 1');
    }
    isDone = true;
    await writer;
  });

  test('by going away are passed over', async () => {
    for (let index = 0; index < 200; index++) write(`${index}.prom`, `sample{file="${index}"} 1\n`);
    const reading = collectOnce(sourceOf());
    for (const name of readdirSync(directory).slice(100)) rmSync(join(directory, name), { force: true });
    expect((await reading).failure).toBe('');
  });
});
