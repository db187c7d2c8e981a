import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { KERNEL_COLLECTOR_NAMES, type KernelCollectorName } from '@thugshells/shared/metrics/collector-names.ts';

import {
  CorruptibleDevice,
  type CollectorOutcome,
  type OutcomesByCollector,
} from '../../../support/collector/corrupt-kernel-files.ts';
import { findRecording, readRecorded } from '../../../support/collector/text-kernel.ts';

/**
 * Every kernel file that is read, damaged in every way, on a board that has something for every source: the collector
 * that reads it fails or leaves out what it cannot know, the others read as if nothing were, and nothing is invented.
 */

const folder = mkdtempSync(join(tmpdir(), 'damaged-files-'));
const board = new CorruptibleDevice(folder);
const FILES = board.files();
const texts = new Map(FILES.map((file) => [file, board.text(file)]));
let sound: OutcomesByCollector;

beforeAll(async () => {
  sound = await board.read();
});
afterEach(() => {
  for (const [file, text] of texts) board.write(file, text);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Who reads a file. */
const READERS: readonly (readonly [pattern: RegExp, reader: KernelCollectorName])[] = [
  [/^proc-later\/stat$|\/cpufreq\/|\/thermal_throttle\/|\/topology\/|soc:firmware/, 'cpu'],
  [/^proc-later\/meminfo$/, 'memory'],
  [/^proc-later\/diskstats$|^sys\/block\/.*\/(life_time|pre_eol_info|logical_block_size)$/, 'disk'],
  [/^proc-later\/net\/dev$/, 'network'],
  [/^proc-later\/net\/(route|ipv6_route|wireless)$|^sys\/class\/net\//, 'link'],
  [/^sys\/class\/(?!net\/|power_supply\/)/, 'temperature'],
  [/^proc-later\/(loadavg|uptime|sys\/kernel\/(osrelease|random\/boot_id))$/, 'load'],
  [/^proc-later\/self\/mountinfo$/, 'filesystem'],
  [/^proc-later\/pressure\//, 'pressure'],
  [/\/(vmstat|entropy_avail|file-nr|nf_conntrack_\w+|softnet_stat|snmp|ioerr_cnt|errors_count)$/, 'resources'],
  [/^sys\/class\/power_supply\//, 'power'],
  [/^host\/|\/devicetree\/|\/kernel\/arch$|\/device\/(type|name|manfid|oemid|date|vendor|model)$/, 'system'],
  [/^sys\/fs\/cgroup\//, 'service'],
  [/^proc-later\/[0-9]+\//, 'process'],
];
/** A thing without its name goes by its place. */
const NAMES =
  /(?<!\/net\/[^/]+)\/(type|name|temp\d+_label|physical_package_id|manfid|oemid|date|vendor|device\/model)$/;
/** A process that has no such file any more has ended, which the counts show. */
const OF_PROCESS = /\/[0-9]+\/(stat|status|fd\/0)$/;
/** Asked for with DISK_SECTOR_BYTES=sysfs only, and of a processor that cools nothing, which is not told. */
const NOT_READ =
  /\/logical_block_size$|\/cgroup\.controllers$|cooling_device[0-3]\/|cpu[1-3]\/topology|\/[0-9]+\/(cmdline|fd)/;

/** By file, the line that a damage is done to, and the field in it: those that matter to its reader. */
const PLACES: readonly (readonly [file: RegExp, line: RegExp, field: RegExp])[] = [
  [/pressure\//, /^.*\n/, /(?<=total=)\d+/],
  [/net\/dev$/, /.*\n$/, /(?<=: *)\d+/],
  [/vmstat$/, /^oom_kill.*\n/m, /\d+/],
  [/net\/snmp$/, /.*\n$/, /\d+/],
  [/net\/wireless$/, /.*\n$/, /(?<=: \d+ +)\d+/],
  [/net\/route$/, /(?<=^.*\n).*\n/, /(?<=\t)\d+/],
  [/\/[0-9]+\/status$/, /^VmRSS.*\n/m, /[0-9]+/],
  [/\/memory\.events$/, /^oom_kill .*\n/m, /\d+/],
  [/\/uevent$/, /^INTERFACE.*\n/m, /(?<==).+/],
  [/\/(operstate|duplex|status)$/, /^.*\n/, /\w+/],
  [/^/, /^.*\n/, /\d[\d.]*/],
];
const placeOf = (file: string) => PLACES.find(([pattern]) => pattern.test(file))!;
const lineOf = (file: string) => placeOf(file)[1];
const fieldOf = (file: string) => placeOf(file)[2];

interface Damage {
  /** Files that it is done to; all unless told. */
  readonly doneTo?: RegExp;
  readonly doTo: (file: string, text: string) => void;
  /** Files of which the damage shows; nobody can see it in the others. All unless told. */
  readonly shows?: RegExp;
}
const DAMAGES: Readonly<Record<string, Damage>> = {
  // Without routes of IPv6 the file is empty; the one of IPv4 leads through the same interface.
  // A unit without I/O has none in its file.
  'is empty': {
    doneTo: /^(?!.*io\.stat$)/,
    doTo: (file) => board.write(file, ''),
    shows: /^(?!.*ipv6_route$)/,
  },
  // The kernel gives an attribute of sysfs whole; a cut one, which nothing but its newline would show, has not come from it.
  'is cut in the middle of its last line': {
    doneTo: /^proc/,
    doTo: (file, text) => board.write(file, text.slice(0, -Math.ceil((/.*\n$/.exec(text)?.[0].length ?? 0) / 2))),
  },
  'lacks a field': {
    doTo: (file, text) =>
      board.write(
        file,
        text.replace(lineOf(file), (line) => line.replace(/^(\s*\S+\s+)\S+[ \t]*/, '$1')),
      ),
    // Elsewhere there is one field in the line, or the second one is an average that nobody reads.
    shows:
      /\/(vmstat|file-nr|softnet_stat|snmp|stat|[0-9]+\/status|meminfo|diskstats|net\/(dev|route|ipv6_route|wireless)|loadavg|uptime|mountinfo|life_time|cgroup\.events|(cpu|io)\.stat|memory\.events)$/,
  },
  'has a field that is no number': {
    doTo: (file, text) =>
      board.write(
        file,
        text.replace(lineOf(file), (line) => line.replace(fieldOf(file), 'x')),
      ),
    // Release and type are texts: any will do.
    shows:
      /^(?!.*(osrelease|os-release|timezone|\/arch|\/model|(?<!\/net\/[^/]+)\/type|\/name|_label|physical_package_id|manfid|oemid|date|vendor)$)/,
  },
  'has a million lines': {
    // No more of them is written than is read before it is refused, at 4 MiB.
    doTo: (file, text) => {
      const line = lineOf(file).exec(text)?.[0] ?? '';
      board.write(file, line.repeat(Math.min(1_000_000, Math.ceil((5 * 1024 * 1024) / line.length))));
    },
  },
  'is a directory': { doTo: (file) => board.makeDirectory(file) },
  'cannot be read': { doTo: (file) => board.makeUnreadable(file) },
};

function readerOf(file: string): KernelCollectorName {
  const readers = READERS.filter(([pattern]) => pattern.test(file)).map(([, reader]) => reader);
  const step = 'docs/adding-a-collector.md, step 4';
  if (readers.length !== 1) throw new Error(`${readers.length} lines of READERS match ${file}, not one (${step})`);
  return readers[0] as KernelCollectorName;
}

/** The readings of `outcome` that are not those of the sound board. */
function inventedIn(outcome: CollectorOutcome, reader: KernelCollectorName): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(outcome.readings).filter(([identity, value]) => sound[reader].readings[identity] !== value),
  );
}

/** Files of which another reader has some series too, beside its own files. */
const SECOND_READERS: Readonly<Record<string, readonly [reader: KernelCollectorName, series: RegExp]>> = {
  'proc-later/stat': ['load', /switches|interrupts|processes/],
  'proc-later/loadavg': ['process', /^system\.threads/],
};

function expectOthersAsSound(read: OutcomesByCollector, file: string): void {
  const [second, shared] = SECOND_READERS[file] ?? [];
  const readers = [readerOf(file), second];
  for (const other of KERNEL_COLLECTOR_NAMES.filter((name) => !readers.includes(name)))
    expect({ [other]: read[other] }).toEqual({ [other]: sound[other] });
  if (second === undefined || shared === undefined) return;
  const own = (outcome: CollectorOutcome) =>
    Object.entries(outcome.readings).filter(([identity]) => !shared.test(identity));
  expect(own(read[second])).toEqual(own(sound[second]));
}

test('the intact device has readings of every collector and no error', () => {
  for (const name of KERNEL_COLLECTOR_NAMES) {
    expect([name, sound[name].failure]).toEqual([name, '']);
    expect(Object.keys(sound[name].readings).length).toBeGreaterThan(0);
  }
});

describe.each(Object.entries(DAMAGES))('a file that %s', (_, { doneTo = /^/, doTo, shows = /^/ }) => {
  test.each(FILES.filter((file) => doneTo.test(file)))('%s', async (file) => {
    const reader = readerOf(file);
    doTo(file, texts.get(file) as string);
    const read = await board.read();
    expectOthersAsSound(read, file);
    const { readings, failure } = read[reader];
    if (NOT_READ.test(file) || !shows.test(file)) {
      if (!/osrelease|os-release|timezone|arch|model|type|name|label|_id|manfid|oemid|date|vendor$/.test(file))
        expect(read[reader]).toEqual(sound[reader]);
      else expect([failure, Object.keys(readings).length]).toEqual(['', Object.keys(sound[reader].readings).length]);
    } else if (NAMES.test(file)) {
      expect([failure, Object.values(readings).sort()]).toEqual(['', Object.values(sound[reader].readings).sort()]);
    } else {
      expect(inventedIn(read[reader], reader)).toEqual({});
      const lost = Object.keys(sound[reader].readings).length - Object.keys(readings).length;
      expect(lost > 0 || failure !== '').toBe(true);
      // A sensor that does not answer is nothing unusual; whatever else fails is named.
      if (reader !== 'temperature') expect(failure).toContain(file.replace(/^(proc-later|sys|host)/, ''));
    }
  });
});

describe('a file that is another one at the second read', () => {
  const other = findRecording('raspberry-pi-3b');
  const proc = FILES.filter((file) => file.startsWith('proc-later/') && existsSync(join(other, file)));

  test.each(proc)('%s, of another device', async (file) => {
    board.write(file, readRecorded(file, 'raspberry-pi-3b'));
    const read = await board.read();
    const reader = readerOf(file);
    expectOthersAsSound(read, file);
    expect(read[reader].failure).toBe('');
    const numbers = Object.entries(read[reader].readings).filter(([, value]) => typeof value === 'number');
    expect(numbers.length).toBeGreaterThan(0);
    expect(
      numbers.filter(
        ([identity, value]) =>
          !Number.isFinite(value) || Number(value) < 0 || (identity.includes('percent') && Number(value) > 100),
      ),
    ).toEqual([]);
  });

  test.each(FILES)('%s, gone', async (file) => {
    board.remove(file);
    const reader = readerOf(file);
    const read = await board.read();
    expectOthersAsSound(read, file);
    if (!NAMES.test(file) && !OF_PROCESS.test(file)) expect(inventedIn(read[reader], reader)).toEqual({});
    // Absent, not failing: the collector as a whole where it has nothing else, or one of its sources.
    expect(read[reader].failure === '' || Object.keys(read[reader].readings).length === 0).toBe(true);
  });
});
