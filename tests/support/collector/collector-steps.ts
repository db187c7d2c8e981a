import { toExportedName } from '@thugshells/shared/metrics/series.ts';

/** What adding a collector takes, as the list in docs/adding-a-collector.md has it, and what shows each step. */

/** What the repository has of one collector. Series are stored names, paths begin with `proc/`, `sys/` or `host/`. */
export interface CollectorFacts {
  readonly name: string;
  /** The names in shared/src/metrics/collector-names.ts. */
  readonly names: readonly string[];
  /** Files below collector/src/collectors and tests/unit/collector/collectors. */
  readonly files: readonly string[];
  /** Keys of the table COLLECTORS. */
  readonly tableNames: readonly string[];
  /** `series` of its entry in the table. */
  readonly declaredSeries: readonly string[];
  /** Names that series of text files and scrape targets may not have. */
  readonly ownNames: readonly string[];
  /** Files that it asked the kernel for, whether they were there or not. */
  readonly readFiles: readonly string[];
  /** Patterns of the files that tests/fixtures/record.sh copies. */
  readonly recordedFiles: readonly string[];
  /** Series that it returned of CorruptibleDevice, the device that has something for every collector. */
  readonly deviceSeries: readonly string[];
  /** Series in the golden files, as they are exported. */
  readonly goldenSeries: readonly string[];
  /** Series that it returned of the simulated kernel. */
  readonly simulatedSeries: readonly string[];
  /** Series in its rows of the table in docs/collectors.md. */
  readonly documentedSeries: readonly string[];
  /** docs/configuration.md and the environment file of the units, by path. */
  readonly references: Readonly<Record<string, string>>;
}

/** Series that no recorded device can have, and why. */
export const SERIES_OF_NO_DEVICE: Readonly<Record<string, string>> = {
  'filesystem.unreadable': 'no mount of a recording hangs',
  'filesystem.mounts_dropped_total': 'every mount of a recording may be entered',
  'filesystem.readonly_remounts_total': 'no mount of a recording becomes read-only',
  'collector.build': 'it is the version of the program',
  'system.clock_synchronized': 'it follows from when files were written, which no recording keeps',
};

/** Files that are read and not recorded: arguments of processes may have passwords in them. */
const PRIVATE_FILES = /^proc\/[0-9]+\/cmdline$/;

interface CollectorStep {
  readonly title: string;
  /** Returns what is missing, one sentence each. */
  readonly findGaps: (facts: CollectorFacts) => readonly string[];
}

/** In the order of docs/adding-a-collector.md. */
export const COLLECTOR_STEPS: readonly CollectorStep[] = [
  {
    title: 'Name',
    findGaps: ({ name, names }) =>
      names.includes(name) ? [] : [`shared/src/metrics/collector-names.ts does not name ${name}`],
  },
  { title: 'Collector', findGaps: ({ name, files }) => requireFile(files, `collector/src/collectors/${name}.ts`) },
  {
    title: 'Table',
    findGaps: ({ name, tableNames, ...facts }) => [
      ...(tableNames.includes(name) ? [] : [`COLLECTORS in collector/src/collectors/table.ts has no entry ${name}`]),
      ...without(facts.deviceSeries, facts.declaredSeries).map(
        (series) => `the entry ${name} in collector/src/collectors/table.ts does not list the series ${series}`,
      ),
      ...without(facts.declaredSeries, facts.ownNames).map(
        (series) => `OWN_NAMES in collector/src/store/writing/agent-names.ts lacks ${series}`,
      ),
    ],
  },
  {
    title: 'Unit test',
    findGaps: ({ name, files }) => requireFile(files, `tests/unit/collector/collectors/${name}.test.ts`),
  },
  {
    title: 'Recording',
    findGaps: ({ name, readFiles, recordedFiles }) =>
      readFiles
        .filter((file) => !PRIVATE_FILES.test(file) && !recordedFiles.some((pattern) => matchesPattern(file, pattern)))
        .map((file) => `tests/fixtures/record.sh does not copy /${file}, which ${name} reads`),
  },
  {
    title: 'Fixtures',
    findGaps: ({ name, declaredSeries, deviceSeries }) =>
      without(declaredSeries, [...deviceSeries, ...Object.keys(SERIES_OF_NO_DEVICE)]).map(
        (series) =>
          `no file of MORE_HARDWARE in tests/support/collector/corrupt-kernel-files.ts, or of x86-board, makes ${name} return ${series}`,
      ),
  },
  {
    title: 'Golden files',
    findGaps: ({ name, declaredSeries, goldenSeries }) =>
      declaredSeries.some((series) => goldenSeries.includes(toExportedName(series)))
        ? []
        : [
            `no file in tests/golden has a series of ${name}: no device in tests/fixtures has its files, or npm run golden did not run`,
          ],
  },
  {
    title: 'Simulated kernel',
    findGaps: ({ name, simulatedSeries }) =>
      simulatedSeries.length > 0 ? [] : [`collector/src/kernel/simulated-texts.ts has no file that ${name} reads`],
  },
  {
    title: 'Document',
    findGaps: ({ name, declaredSeries, documentedSeries }) => [
      ...without(declaredSeries, documentedSeries).map(
        (series) => `docs/collectors.md does not list ${series} among the series of ${name}`,
      ),
      ...without(documentedSeries, declaredSeries).map(
        (series) => `docs/collectors.md lists ${series}, which ${name} does not declare`,
      ),
    ],
  },
  {
    title: 'Variables',
    findGaps: ({ name, references }) =>
      Object.entries(references)
        .filter(([, text]) => !text.includes(`THUGSHELLS_${name.toUpperCase()}_INTERVAL`))
        .map(([path]) => `${path} lacks THUGSHELLS_${name.toUpperCase()}_INTERVAL`),
  },
];

/** Returns one sentence for everything that was forgotten of a collector, with the step of docs/adding-a-collector.md in it. */
export function findForgottenSteps(facts: CollectorFacts): string[] {
  return COLLECTOR_STEPS.flatMap(({ title, findGaps }, index) =>
    findGaps(facts).map((gap) => `docs/adding-a-collector.md, step ${index + 1} (${title}): ${gap}`),
  );
}

/** Returns the titles of the numbered steps in docs/adding-a-collector.md. */
export function parseStepTitles(document: string): string[] {
  return [...document.matchAll(/^[0-9]+\. \*\*([^*]+)\.\*\*/gm)].map(([, title = '']) => title);
}

function requireFile(files: readonly string[], path: string): string[] {
  return files.includes(path) ? [] : [`there is no file ${path}`];
}

function without(all: readonly string[], known: readonly string[]): string[] {
  return all.filter((one) => !known.includes(one));
}

/** As a shell matches a pattern: `*` stands for anything but a slash, and brackets for one of several characters. */
function matchesPattern(path: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.\\+?^${}()|]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^/]*')}$`).test(path);
}
