// Longer than a test should be: each malformed kernel file is a case, with its reason.
import { describe, expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';
import fc from 'fast-check';
import type { KernelCollectorName } from '@thugshells/shared/metrics/collector-names.ts';

import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { COLLECTORS, type CollectorOptions } from '../../../../collector/src/collectors/table.ts';
import { indexByIdentity, readRecorded, TextKernel } from '../../../support/collector/text-kernel.ts';

/** Everything is reported, so that nothing malformed hides behind a filter. */
const OPTIONS: CollectorOptions = {
  networkInclude: [],
  networkExclude: [],
  networkMaxInterfaces: 1000,
  diskInclude: [],
  diskExclude: [],
  diskSectorBytes: 512,
  filesystemInclude: [],
  filesystemExclude: [],
  services: ['encoder.service'],
  processes: ['encoder'],
};

/** The files that a fault may be in, and the collector that reads each. */
const FILES = {
  cpu: ['cpu', 'stat'],
  memory: ['memory', 'meminfo'],
  disk: ['disk', 'diskstats'],
  network: ['network', 'net/dev'],
  load: ['load', 'loadavg'],
  uptime: ['load', 'uptime'],
  pressure: ['pressure', 'pressure/memory'],
  'cpu pressure': ['pressure', 'pressure/cpu'],
  mounts: ['filesystem', 'self/mountinfo'],
} as const satisfies Readonly<Record<string, readonly [KernelCollectorName, string]>>;
type FileName = keyof typeof FILES;
const names = Object.keys(FILES) as FileName[];

/** Everything as it was recorded, every mount among it. */
function recordedBoard(): TextKernel {
  const paths = [...Object.values(FILES).map(([, path]) => path), 'pressure/io'];
  const kernel = new TextKernel(
    Object.fromEntries(paths.map((path) => [`proc/${path}`, readRecorded(`proc/${path}`)])),
  );
  kernel.statfs = async () => ({ sizeBytes: 4096, availableBytes: 1024, files: 10, filesFree: 5 });
  return kernel;
}

/** What a collector reads of `text` after a first scrape of the recording, when it has counters to compare with. */
async function readAfterRecording(name: FileName, text: string): Promise<Record<string, number | string>> {
  const [collectorName, path] = FILES[name];
  const kernel = recordedBoard();
  const collector = COLLECTORS[collectorName].create({ kernel, options: OPTIONS });
  await collector.collect({ monotonicMs: 0 });
  kernel.files.set(`proc/${path}`, text);
  return indexByIdentity(await collector.collect({ monotonicMs: 10_000 }));
}

const stat = 'cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nctxt 1\n';
const meminfo = 'MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable: 5 kB\nSwapTotal: 4 kB\nSwapFree: 1 kB\n';
const diskstats = ' 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n 8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n';
const header =
  'Inter-| Receive | Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n';
const netDev = `${header}  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n`;

const loadavg = '0.10 0.20 0.30 1/80 4242\n';
const uptime = '100.25 200.50\n';
const pressure = 'some avg10=0.00 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n';
const mounts =
  '22 1 8:1 / / rw,noatime shared:1 - ext4 /dev/sda1 rw\n23 22 8:2 / /my\\040disk rw - vfat /dev/sda2 rw\n';

const GOOD: Readonly<Record<FileName, string>> = {
  cpu: stat,
  memory: meminfo,
  disk: diskstats,
  network: netDev,
  load: loadavg,
  uptime,
  pressure,
  'cpu pressure': pressure,
  mounts,
};

test.each(names)('%s is accepted in the text that the following ones spoil', async (name) => {
  const kernel = recordedBoard();
  kernel.files.set(`proc/${FILES[name][1]}`, GOOD[name]);
  await expect(
    COLLECTORS[FILES[name][0]].create({ kernel, options: OPTIONS }).collect({ monotonicMs: 0 }),
  ).resolves.toBeDefined();
});

/** A file, what is wrong, the text, and what the message must name besides the file. */
const malformedTexts: readonly (readonly [FileName, string, string, string])[] = [
  // That of diskstats is one of a container that has no device of its own.
  ...names.filter((name) => name !== 'disk').map((name) => [name, 'an empty file', '', 'empty'] as const),
  ...names.map((name) => [name, 'a file without its last newline', GOOD[name].trimEnd(), 'truncated'] as const),
  ...names.map((name) => [name, 'a blank file', '\n', ''] as const),
  ['cpu', 'a line cut in the middle', 'cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3\nctxt 1\n', 'line 2'],
  ['cpu', 'a line with a name only', 'cpu\n', 'line 1'],
  ['cpu', 'no line of all cores', stat.replace('cpu  ', 'xpu  '), '"cpu"'],
  ['cpu', 'a field that is no number', stat.replace('cpu0 1 2', 'cpu0 1 two'), 'line 2: "two"'],
  ['cpu', 'a negative number', stat.replace('cpu0 1', 'cpu0 -1'), 'line 2: "-1"'],
  ['cpu', 'a fraction', stat.replace('cpu0 1', 'cpu0 1.5'), 'line 2: "1.5"'],
  ['cpu', 'a field of guests that is no number', stat.replaceAll('9 10\n', '9 x\n'), 'line 1: "x"'],
  ['cpu', 'a core without a number', stat.replace('cpu0', 'cpux'), 'line 2: "cpux"'],
  ['cpu', 'a core twice', stat + stat.slice(stat.indexOf('cpu0')), 'line 4'],
  ['cpu', 'a number longer than any counter', stat.replace('cpu0 1', `cpu0 ${'9'.repeat(400)}`), 'line 2'],
  ...['MemTotal', 'SwapTotal', 'SwapFree'].map(
    (line) => ['memory', `no ${line}`, meminfo.replace(new RegExp(`${line}.*\n`), ''), line] as const,
  ),
  ['memory', 'neither available nor buffered memory', meminfo.replace(/MemAvailable.*\n/, ''), 'Buffers'],
  ['memory', 'a line cut in the middle', 'MemTotal: 9 kB\nMemAvailable:\nSwapTotal: 4 kB\nSwapFree: 1 kB\n', 'line 2'],
  ['memory', 'an amount that is no number', meminfo.replace(' 9 kB', ' nine kB'), 'line 1: "nine"'],
  ['memory', 'an amount without unit', meminfo.replace(' 9 kB', ' 9'), 'line 1'],
  ['memory', 'an amount in another unit', meminfo.replace(' 9 kB', ' 9 MB'), 'line 1'],
  ['memory', 'an amount with more behind it', meminfo.replace(' 9 kB', ' 9 kB 10 kB'), 'line 1'],
  ['memory', 'a line twice', `${meminfo}MemTotal: 9 kB\n`, 'line 6'],
  ['memory', 'more available than there is', meminfo.replace(' 5 kB', ' 10 kB'), 'available'],
  ['memory', 'more swap free than there is', meminfo.replace('SwapFree: 1', 'SwapFree: 5'), 'swap'],
  ['disk', 'a line cut in the middle', ` 8 0 sda 1 2 3 4 5 6\n${diskstats.split('\n')[1]}\n`, 'line 1'],
  ['disk', 'a line without counters', `${diskstats} 8 2 sda2\n`, 'line 3'],
  ['disk', 'a blank line', `${diskstats}\n`, 'line 3'],
  ['disk', 'a field that is no number', diskstats.replace('sda1 1 2', 'sda1 1 two'), 'line 2: "two"'],
  ['disk', 'a negative number', diskstats.replace('sda1 1', 'sda1 -1'), 'line 2: "-1"'],
  ['disk', 'a device without its numbers', ' 8 sda 1 2 3 4 5 6 7 8 9 10 11\n', 'line 1: "sda"'],
  ['disk', 'a device twice', diskstats + diskstats, 'line 3'],
  ['network', 'no header', netDev.replace(header, ''), 'line 2'],
  ['network', 'one header line', header.split('\n').slice(0, 1).join('\n') + '\n', 'line 2'],
  ['network', 'columns in another order', netDev.replace('|bytes packets', '|packets bytes'), 'line 2'],
  ['network', 'a line cut in the middle', `${header}  eth0: 1 2 3 4 5 6 7 8\n`, 'line 3'],
  ['network', 'a name without counters', `${header}  eth0:\n`, 'line 3'],
  ['network', 'counters without a name', `${header}  : 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n`, 'line 3'],
  ['network', 'a line without a colon', `${header}  eth0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n`, 'line 3'],
  ['network', 'a field that is no number', netDev.replace(': 1 2', ': 1 two'), 'line 3: "two"'],
  ['network', 'an interface twice', netDev + netDev.split('\n')[2] + '\n', 'line 4'],
  ['load', 'two averages only', '0.10 0.20\n', 'line 1'],
  ['load', 'a second line', loadavg + loadavg, 'not a single line'],
  ...['0', '0.1', '0.100', '-0.10', '.10', '1e1', 'nan', '0,10'].map(
    (average) =>
      ['load', `an average that reads ${average}`, loadavg.replace('0.20', average), `line 1: "${average}"`] as const,
  ),
  ['uptime', 'one number only', '100.25\n', 'line 1'],
  ['uptime', 'a whole number', '100 200.50\n', 'line 1: "100"'],
  ['uptime', 'a negative number', '-100.25 200.50\n', 'line 1: "-100.25"'],
  ['pressure', 'no line some', pressure.replace(/^some.*\n/, ''), 'no line some'],
  ['pressure', 'no line full', pressure.replace(/full.*\n/, ''), 'no line full'],
  ['cpu pressure', 'no line some', pressure.replace(/^some.*\n/, ''), 'no line some'],
  ['pressure', 'a line of another kind', pressure.replace('full', 'most'), 'line 2'],
  ['pressure', 'a line twice', pressure + pressure, 'line 3'],
  ['pressure', 'a line without total', pressure.replace(' total=3', ''), 'line 2: no total'],
  ['pressure', 'a total that is no number', pressure.replace('total=3', 'total=3.5'), 'line 2: "3.5"'],
  ['pressure', 'a total without number', pressure.replace('total=3', 'total='), 'line 2: ""'],
  ['mounts', 'a line cut in the middle', mounts.replace(' - ext4 /dev/sda1 rw', ''), 'line 1: no file system type'],
  ['mounts', 'a separator without a type', mounts.replace(' - ext4 /dev/sda1 rw', ' -'), 'line 1: no file system type'],
  ['mounts', 'a device without its minor', mounts.replace('8:2', '8'), 'line 2: "8"'],
  ['mounts', 'an id that is no number', mounts.replace('23 22', 'x 22'), 'line 2: "x"'],
  ['mounts', 'a parent that is no number', mounts.replace('23 22', '23 -1'), 'line 2: "-1"'],
  ['mounts', 'a mountpoint that is no path', mounts.replace('/my', 'my'), 'line 2: "my'],
  ['mounts', 'half an escape', mounts.replace('040', '04 '), 'line 2: "/my\\\\04"'],
  ['mounts', 'an escape of no character', mounts.replace('040', '940'), 'line 2'],
  ['mounts', 'a blank line', `${mounts}\n`, 'line 3'],
];

describe('a malformed file is refused by name and line', () => {
  test.each(malformedTexts)('%s: %s (A-27)', async (name, _what, text, named) => {
    const error = await readAfterRecording(name, text).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ code: 'KERNEL_FILE_MALFORMED', hint: expect.any(String) });
    expect((error as AgentError).message).toMatch(new RegExp(`^cannot parse /proc/${FILES[name][1]}: `));
    expect((error as AgentError).message).toContain(named);
  });
});

/** Changes of a text; positions are shares of its length, so that they move with it. */
const place = fc.double({ min: 0, max: 1, noNaN: true });
const piece = fc.oneof(
  fc.string({ maxLength: 4, unit: 'binary' }),
  fc.constantFrom(
    '\n',
    ' ',
    ':',
    '-',
    '.',
    'e',
    '\0',
    '\r',
    'NaN',
    '9'.repeat(30),
    '99999999999999999999',
    'cpu',
    ' kB',
  ),
);
type Change = (text: string) => string;

const otherDigit = fc.tuple(place, fc.nat(9)).map(([from, digit]): Change => (text) => {
  const start = Math.floor(from * text.length);
  return text.slice(0, start) + text.slice(start).replace(/[0-9]/, String(digit));
});
const otherPiece = fc.tuple(place, place, piece).map(([from, length, inserted]): Change => (text) => {
  const start = Math.floor(from * text.length);
  return text.slice(0, start) + inserted + text.slice(start + Math.floor((length * text.length) / 50));
});
const cut = place.map(
  (from): Change =>
    (text) =>
      text.slice(0, Math.floor(from * text.length)),
);
const change = fc.oneof(
  { arbitrary: otherDigit, weight: 3 },
  { arbitrary: otherPiece, weight: 3 },
  { arbitrary: cut, weight: 1 },
);

function isSound(identity: string, value: number | string): boolean {
  return Number.isFinite(value) && Number(value) >= 0 && (Number(value) <= 100 || !identity.includes('percent'));
}

describe('a spoilt recording gives finite readings or is refused', () => {
  test.each(names)('%s', async (name) => {
    const good = readRecorded(`proc-later/${FILES[name][1]}`);
    const seen = { read: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const spoilt = changes.reduce((text, spoil) => spoil(text), good);
        fc.pre(spoilt !== '');
        try {
          const readings = await readAfterRecording(name, spoilt);
          const wrong = Object.entries(readings).filter(([identity, value]) => !isSound(identity, value));
          expect(wrong).toEqual([]);
          seen.read += 1;
        } catch (error) {
          if (!(error instanceof AgentError)) throw error;
          expect(error.code).toBe('KERNEL_FILE_MALFORMED');
          const others = Object.entries(indexByIdentity(extractReadings(error)));
          expect(others.filter(([identity, value]) => !isSound(identity, value))).toEqual([]);
          seen.refused += 1;
        }
      }),
      { numRuns: 1000 },
    );
    // Both happen, or the property says nothing.
    expect(seen.read).toBeGreaterThan(50);
    expect(seen.refused).toBeGreaterThan(50);
  });

  test.each(names)('%s, cut anywhere, unless at the end of a line', async (name) => {
    const good = readRecorded(`proc-later/${FILES[name][1]}`);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: good.length - 1 }), async (length) => {
        fc.pre(good[length - 1] !== '\n');
        await expect(readAfterRecording(name, good.slice(0, length))).rejects.toMatchObject({
          code: 'KERNEL_FILE_MALFORMED',
        });
      }),
    );
  });
});
