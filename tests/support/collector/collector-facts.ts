import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { COLLECTOR_NAMES, type KernelCollectorName } from '@thugshells/shared/metrics/collector-names.ts';

import type { Collector } from '../../../collector/src/collectors/collector.ts';
import { extractReadings } from '../../../collector/src/collectors/readers/partial-result.ts';
import { COLLECTORS } from '../../../collector/src/collectors/table.ts';
import type { KernelSource } from '../../../collector/src/kernel/kernel-files.ts';
import { SimulatedKernel } from '../../../collector/src/kernel/simulated-kernel.ts';
import { OWN_NAMES } from '../../../collector/src/store/writing/agent-names.ts';
import type { CollectorFacts } from './collector-steps.ts';
import { CorruptibleDevice, REPORT_EVERYTHING } from './corrupt-kernel-files.ts';
import { parseCollectorTable } from './series-document.ts';
import { RECORDED_DEVICES, RecordedKernel } from './text-kernel.ts';

const root = join(import.meta.dirname, '../../..');
const readFile = (path: string) => readFileSync(join(root, path), 'utf8');

const OPTIONS = { ...REPORT_EVERYTHING, diskSectorBytes: 'sysfs' } as const;
const BETWEEN_MS = 10_000;

/** Finds in the sources, tests and documents what there is of a collector; `device` is complete, not corrupted. */
export async function gatherFacts(name: KernelCollectorName, device: CorruptibleDevice): Promise<CollectorFacts> {
  const { readFiles, series } = await readDevice(name, device);
  const files = ['collector/src/collectors/*.ts', 'tests/unit/collector/collectors/*.test.ts'];
  const references = ['docs/configuration.md', 'deploy/systemd/thugshells.env'];
  return {
    name,
    names: COLLECTOR_NAMES,
    files: globSync(files, { cwd: root }),
    tableNames: Object.keys(COLLECTORS),
    declaredSeries: COLLECTORS[name].series.map((declaration) => declaration.name),
    ownNames: OWN_NAMES,
    readFiles,
    recordedFiles: readRecordedFiles(),
    deviceSeries: series,
    goldenSeries: readGoldenSeries(),
    simulatedSeries: await readSimulation(name),
    documentedSeries: parseCollectorTable(readFile('docs/collectors.md')).get(name) ?? [],
    references: Object.fromEntries(references.map((path) => [path, readFile(path)])),
  };
}

async function readDevice(name: KernelCollectorName, device: CorruptibleDevice) {
  let kernel = new RecordedKernel('', 'x86-board', device.folder);
  const readFiles = new Set<string>();
  const spy: KernelSource = {
    proc: (path) => {
      readFiles.add(`proc/${path}`);
      return kernel.proc(path);
    },
    sys: (path) => {
      readFiles.add(`sys/${path}`);
      return kernel.sys(path);
    },
    procEntries: (path) => kernel.procEntries(path),
    procEntryCount: (path) => kernel.procEntryCount(path),
    sysEntries: (path) => kernel.sysEntries(path),
    sysLink: (path) => kernel.sysLink(path),
    sysInode: (path) => kernel.sysInode(path),
    statfs: (path, kind) => kernel.statfs(path, kind),
    get host() {
      return {
        text: (path: string) => {
          readFiles.add(`host/${path}`);
          return kernel.host.text(path);
        },
        link: (path: string) => kernel.host.link(path),
        ageMs: (path: string) => kernel.host.ageMs(path),
      };
    },
  };
  const collector = COLLECTORS[name].create({ kernel: spy, options: OPTIONS });
  const first = await collectNames(collector, 0);
  kernel = new RecordedKernel('-later', 'x86-board', device.folder);
  const second = await collectNames(collector, BETWEEN_MS);
  return { readFiles: [...readFiles], series: [...new Set([...first, ...second])] };
}

async function readSimulation(name: KernelCollectorName): Promise<string[]> {
  let elapsedMs = 0;
  const kernel = new SimulatedKernel({ elapsedMs: () => elapsedMs });
  const collector = COLLECTORS[name].create({ kernel, options: OPTIONS });
  await collectNames(collector, elapsedMs);
  elapsedMs = BETWEEN_MS;
  return collectNames(collector, elapsedMs);
}

/** Names of the series that a collector returns, also of those sources that it can read beside one that it cannot. */
async function collectNames(collector: Collector, monotonicMs: number): Promise<string[]> {
  const readings = await collector.collect({ monotonicMs }).catch(extractReadings);
  return readings.map(({ series }) => series.name);
}

/** The lists at the top of record.sh, as patterns of a shell. */
function readRecordedFiles(): string[] {
  const script = readFile('tests/fixtures/record.sh');
  const readList = (root: string) =>
    (new RegExp(`^${root}_files='([^']+)'`, 'm').exec(script)?.[1] ?? '').split(/\s+/).filter((word) => word !== '');
  return ['proc', 'sys', 'host'].flatMap((folder) => readList(folder).map((pattern) => `${folder}/${pattern}`));
}

function readGoldenSeries(): string[] {
  const lines = RECORDED_DEVICES.flatMap((device) => readFile(`tests/golden/${device}.jsonl`).trim().split('\n'));
  const names = lines.map((line) => (JSON.parse(line) as { metric: { __name__: string } }).metric.__name__);
  return [...new Set(names.map((name) => name.replace(/_info$/, '')))];
}
