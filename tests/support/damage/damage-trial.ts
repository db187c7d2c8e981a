// Longer than a file should be: one trial, and each way in which its result can be wrong.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { SeededRandom } from '../../soak/random.ts';
import { storeOn } from '../collector/collector-parts.ts';
import { FakeClock } from '../fake-clock.ts';
import { damageKinds, type DamagedFile } from './damage-kinds.ts';
import { readIndexEntries, readPageRows, type PageRow } from './sample-pages.ts';
import { readSamples, type StoredSample, type TrialDatabase } from './trial-database.ts';

/** What a trial came to. */
export interface TrialResult {
  readonly seed: number;
  readonly kind: string;
  readonly what: string;
  /** What is wrong, in words; empty where nothing is. */
  readonly wrong: readonly string[];
  /** Pending samples before, those that had to survive, and those that did. */
  readonly pending: number;
  readonly readable: number;
  readonly survived: number;
  /** What the books say of it. */
  readonly dropped: number;
  readonly isEstimated: boolean;
  /** Samples of which bytes of the value were changed in the file: neither SQLite nor anybody else can know. */
  readonly changedValues: number;
}

/** The books as the view has them; `estimated` once the view knows it. */
interface BooksRow {
  readonly collected: number;
  readonly delivered: number;
  readonly pending: number;
  readonly rejected: number;
  readonly dropped: number;
  readonly in_ledger: number;
  readonly balanced: number | null;
  readonly estimated?: number;
}

/** Damages a copy of one of the databases as the seed says, has the store recover it, and compares. */
export async function runDamageTrial(
  seed: number,
  databases: readonly TrialDatabase[],
  folder: string,
): Promise<TrialResult> {
  const random = new SeededRandom(seed);
  const database = random.oneOf(databases);
  const kinds = Object.keys(damageKinds);
  const kind = kinds[seed % kinds.length]!;
  const file: DamagedFile = { bytes: Buffer.from(database.bytes), database, random };
  const what = `${database.name}; ${damageKinds[kind]!(file)}`;
  const home = join(folder, `trial-${seed}`);
  mkdirSync(home);
  try {
    const path = join(home, 'metrics.db');
    writeFileSync(path, file.bytes);
    const wrong = await recover(path, database);
    return { seed, kind, what, ...compare(path, file, wrong) };
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** Starts the collector's store on the file, and lets it copy to the end. */
async function recover(path: string, { nowMs }: TrialDatabase): Promise<string[]> {
  try {
    const { store, clock } = storeOn(path, { clock: new FakeClock(nowMs) });
    const stop = new AbortController();
    const running = store.run(stop.signal);
    await clock.advance(2_000);
    stop.abort();
    await running;
    store.close();
    return [];
  } catch (error) {
    return [`the store failed: ${(error as Error).stack?.split('\n', 3).join(' ')}`];
  }
}

function compare(
  path: string,
  file: DamagedFile,
  failures: readonly string[],
): Omit<TrialResult, 'seed' | 'kind' | 'what'> {
  try {
    return compareContents(path, file, failures);
  } catch (error) {
    const nothing = { pending: 0, readable: 0, survived: 0, changedValues: 0, isEstimated: false, dropped: 0 };
    return { wrong: [...failures, `cannot be read afterwards: ${(error as Error).stack}`], ...nothing };
  }
}

function compareContents(
  path: string,
  file: DamagedFile,
  failures: readonly string[],
): Omit<TrialResult, 'seed' | 'kind' | 'what'> {
  const database = openDatabase(path, { readonly: true });
  try {
    const books = database.prepare<[], BooksRow>('SELECT * FROM books').get()!;
    const found = compareSamples(readSamples(database), file);
    const wrong = [...failures, ...found.wrong, ...wrongIn(books, found, file.database.dropped), ...stateOf(database)];
    const { pending, readable, survived, changedValues } = found;
    const isEstimated = (books.estimated ?? 0) > 0;
    return {
      wrong,
      pending,
      readable,
      survived,
      changedValues,
      isEstimated,
      dropped: books.dropped - file.database.dropped,
    };
  } finally {
    database.close();
  }
}

function stateOf(database: Database): string[] {
  const integrity = database.pragma('integrity_check(1)', { simple: true });
  const left = database.prepare<[], number>('SELECT COUNT(*) FROM salvage').pluck().get()!;
  return [
    ...(integrity === 'ok' ? [] : [`integrity: ${String(integrity)}`]),
    ...(left === 0 ? [] : ['the salvage has not ended']),
  ];
}

/** What became of the samples. */
interface SampleComparison {
  readonly wrong: readonly string[];
  readonly pending: number;
  readonly readable: number;
  readonly survived: number;
  /** Provisional samples that are gone: they may be booked as dropped, or as delivered. */
  readonly provisionalGone: number;
  readonly pendingNow: number;
  readonly changedValues: number;
}

function compareSamples(survivors: readonly StoredSample[], file: DamagedFile): SampleComparison {
  const { samples, deleted } = file.database;
  const stored = new Map([...deleted, ...samples].map((sample) => [sample.key, sample]));
  const now = new Map(survivors.map((sample) => [sample.key, sample]));
  const changed = changedRows(file);
  const differing = survivors.filter(({ key, value }) => !Object.is(stored.get(key)?.value, value));
  const invented = differing.filter(({ key }) => !changed.has(stored.get(key)?.id ?? 0));
  const intact = intactIds(file);
  const pending = samples.filter(({ state }) => state === 0);
  const isKept = ({ key, state }: StoredSample): boolean => {
    const survivor = now.get(key);
    return survivor !== undefined && (state !== 0 || survivor.state === 0);
  };
  const missing = samples.filter((sample) => intact.has(sample.id) && !isKept(sample));
  return {
    wrong: [
      ...(invented.length > 0 ? [`${invented.length} invented, such as ${JSON.stringify(invented[0])}`] : []),
      ...(missing.length > 0
        ? [`${missing.length} of ${intact.size} readable rows lost, such as ${JSON.stringify(missing[0])}`]
        : []),
    ],
    pending: pending.length,
    readable: pending.filter(({ id }) => intact.has(id)).length,
    survived: pending.filter(isKept).length,
    provisionalGone: samples.filter((sample) => sample.isProvisional && !isKept(sample)).length,
    pendingNow: survivors.filter(({ state }) => state === 0).length,
    changedValues: differing.length - invented.length,
  };
}

/**
 * Ids of the rows that stand, whole and true, on a leaf page of the damaged file, and whose series' name does too; not those
 * for which nothing vouches.
 */
function intactIds({ bytes, database }: DamagedFile): Set<number> {
  const names = new Map<number, string>();
  for (const row of readPageRows(database.bytes).filter(isSeries)) names.set(Number(row.rowId), textOf(row));
  const rows = readPageRows(bytes);
  const isNamed = (row: PageRow): boolean => isSeries(row) && names.get(Number(row.rowId)) === textOf(row);
  const named = new Set(rows.filter(isNamed).map(({ rowId }) => Number(rowId)));
  const stored = new Map(database.samples.map((sample) => [sample.id, sample]));
  const isTrue = ({ rowId, columns }: PageRow): boolean => {
    const sample = stored.get(Number(rowId));
    if (sample === undefined || columns.length !== 4 || !named.has(sample.seriesId)) return false;
    const [id, seriesId, storedMs, value] = columns;
    const isIdentity = id === null && seriesId === BigInt(sample.seriesId) && storedMs === BigInt(sample.storedMs);
    return isIdentity && isSame(value, sample.value);
  };
  const whole = rows.filter(isTrue);
  return new Set(whole.filter(findVouchers(whole, bytes)).map(({ rowId }) => Number(rowId)));
}

/**
 * Returns whether anything vouches for a row's time: the index's entry, a row of the same time beside it, or the rows with the
 * ids next to its own, if the index has no other entry for it. Without any of them it might as well be a row that was changed.
 */
function findVouchers(whole: readonly PageRow[], bytes: Uint8Array): (row: PageRow) => boolean {
  const timeOf = (row: PageRow | undefined): unknown => row?.columns[2];
  const places = new Map(whole.map((row) => [`${row.page} ${row.cell}`, row]));
  const ids = new Set(whole.map(({ rowId }) => rowId));
  const all = readIndexEntries(bytes);
  const entries = new Set(all.map((columns) => columns.join(' ')));
  const indexed = new Set(all.map((columns) => columns[2]));
  return (row) => {
    const { page, cell, rowId, columns } = row;
    const beside = [cell - 1, cell + 1].map((each) => places.get(`${page} ${each}`));
    return (
      entries.has([columns[2], columns[1], rowId].join(' ')) ||
      beside.some((each) => timeOf(each) === columns[2]) ||
      (ids.has(rowId - 1n) && ids.has(rowId + 1n) && !indexed.has(rowId))
    );
  };
}

/** Ids of the rows of which a byte was changed; those that had been deleted, and still stand on a page, among them. */
function changedRows({ bytes, database }: DamagedFile): Set<number> {
  const rows = readPageRows(database.bytes).filter(({ columns }) => columns.length === 4);
  const isChanged = ({ from, to }: PageRow): boolean =>
    !database.bytes.subarray(from, to).equals(bytes.subarray(from, to));
  return new Set(rows.filter(isChanged).map(({ rowId }) => Number(rowId)));
}

function isSeries({ columns }: PageRow): boolean {
  return columns.length === 7 && columns[1] instanceof Uint8Array && columns[1].length === 32;
}

function textOf({ columns }: PageRow): string {
  return columns
    .map((column) => (column instanceof Uint8Array ? Buffer.from(column).toString('hex') : String(column)))
    .join(' ');
}

function isSame(value: PageRow['columns'][number] | undefined, stored: number | string): boolean {
  return typeof value === 'bigint' ? Number(value) === stored : value === stored;
}

function wrongIn(
  books: BooksRow,
  { pending, survived, provisionalGone, pendingNow }: SampleComparison,
  droppedBefore: number,
): string[] {
  const { collected, delivered, rejected, dropped, balanced, in_ledger: inLedger, estimated = 0 } = books;
  const gone = pending - survived;
  const booked = dropped - droppedBefore;
  const said = JSON.stringify(books);
  const wrong: string[] = [];
  if (collected !== delivered + pendingNow + rejected + dropped || dropped !== inLedger)
    wrong.push(`the books do not add up: ${said}`);
  if (booked < gone) wrong.push(`${gone} gone, ${booked} of them booked: ${said}`);
  if (booked > gone + provisionalGone && estimated === 0)
    wrong.push(`${gone} gone, ${booked} booked, not as an estimate: ${said}`);
  if ((balanced === 1) !== (estimated === 0))
    wrong.push(`balanced is ${balanced} with ${estimated} estimated: ${said}`);
  if (Object.values(books).some((count) => (count ?? 0) < 0)) wrong.push(`a negative count: ${said}`);
  return wrong;
}

/** Returns a table: for each kind of damage, how many trials there were and what they came to. */
export function summarizeTrials(results: readonly TrialResult[]): string {
  const sum = (of: readonly TrialResult[], value: (result: TrialResult) => number): number =>
    of.reduce((total, result) => total + value(result), 0);
  const lines = Object.keys(damageKinds).map((kind) => {
    const of = results.filter((result) => result.kind === kind);
    const lost = sum(of, ({ readable, survived }) => Math.max(0, readable - survived));
    const over = sum(of, ({ pending, survived, dropped }) => dropped - (pending - survived));
    return [
      kind.padEnd(40),
      `${of.length} trials`.padEnd(12),
      `${of.filter(({ wrong }) => wrong.length > 0).length} failed`.padEnd(12),
      `${lost} readable lost`.padEnd(24),
      `${of.filter(({ isEstimated }) => isEstimated).length} estimated, ${over} too many`.padEnd(36),
      `${sum(of, ({ changedValues }) => changedValues)} values changed`,
    ].join('');
  });
  return lines.join('\n');
}
