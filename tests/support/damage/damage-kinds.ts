import { SeededRandom } from '../../soak/random.ts';
import { PAGE_BYTES, readPageRows } from './sample-pages.ts';
import type { TrialDatabase } from './trial-database.ts';

/** A way to damage a database file: changes the bytes, or returns fewer of them, and says what it did. */
export type DamageKind = (trial: DamagedFile) => string;

/** A file that is being damaged. */
export interface DamagedFile {
  bytes: Buffer;
  readonly database: TrialDatabase;
  readonly random: SeededRandom;
}

/** Every kind of damage by its name. */
export const damageKinds: Readonly<Record<string, DamageKind>> = {
  'id of a row': changeIds,
  'random bytes': ({ bytes, random }) =>
    changeBytes(bytes, random, { from: 0, to: bytes.length }, count(random, 1, 12)),
  'bytes of the samples': (file) => changeBytesOf(file, 'samples'),
  'bytes of the index': (file) => changeBytesOf(file, 'samples_identity'),
  'pages overwritten': overwritePages,
  'pages overwritten in a row': overwriteStretch,
  'file cut': cut,
  'pages swapped': swapPages,
  'sector zeroed': zeroSector,
  'interior pages': damageInterior,
  books: (file) => damageTables(file, ['collector_state', 'uploader_state'], 1),
  'both sides of the books': (file) => damageTables(file, ['collector_state', 'uploader_state'], 2),
  'every copy of the books': (file) => damageTables(file, ['collector_state', 'uploader_state', 'books_copy'], 3),
  'settled ranges': (file) => damageTables(file, ['settled', 'provisional', 'rejected'], 1),
  series: (file) => damageTables(file, ['series', 'series_copy', 'sqlite_autoindex_series_1'], 1),
  'ledger and state': (file) => damageTables(file, ['losses', 'epochs', 'sessions', 'storage_state'], 2),
  'first page': ({ bytes, random }) => changeBytes(bytes, random, { from: 0, to: PAGE_BYTES }, count(random, 1, 40)),
  'books and a stretch of pages': (file) =>
    `${damageTables(file, ['collector_state', 'uploader_state'], 1)}; ${overwriteStretch(file)}`,
  'settled ranges and a stretch of pages': (file) =>
    `${damageTables(file, ['settled', 'provisional'], 1)}; ${overwriteStretch(file)}`,
  'every copy of the books and pages': (file) =>
    `${damageTables(file, ['collector_state', 'uploader_state', 'books_copy'], 3)}; ${overwritePages(file)}`,
};

function count(random: SeededRandom, least: number, most: number): number {
  return Math.floor(random.between(least, most + 1));
}

/** Two bytes of each of some rows' ids. */
function changeIds({ bytes, database, random }: DamagedFile): string {
  const pages = new Set(database.pages.byName.get('samples'));
  const rows = readPageRows(bytes).filter(({ page }) => pages.has(page));
  const changed: string[] = [];
  for (let rest = count(random, 1, 3); rest > 0; rest--) {
    const { from, rowId } = random.oneOf(rows);
    for (const at of [from + 1, from + 2]) bytes[at] = count(random, 0, 255);
    changed.push(String(rowId));
  }
  return `bytes of ids ${changed.join(', ')}`;
}

function changeBytes(
  bytes: Buffer,
  random: SeededRandom,
  { from, to }: { readonly from: number; readonly to: number },
  times: number,
): string {
  const places: number[] = [];
  for (let rest = times; rest > 0; rest--) {
    const at = count(random, from, to - 1);
    bytes[at] = count(random, 0, 255);
    places.push(at);
  }
  return `bytes ${places.join(', ')}`;
}

function changeBytesOf({ bytes, database, random }: DamagedFile, name: string): string {
  const pages = database.pages.byName.get(name)!;
  const changed: string[] = [];
  for (let rest = count(random, 1, 6); rest > 0; rest--) {
    const from = (random.oneOf(pages) - 1) * PAGE_BYTES;
    changed.push(changeBytes(bytes, random, { from, to: from + PAGE_BYTES }, 1));
  }
  return changed.join('; ');
}

/** Fills a page with noise, ones, zeros, or what stands on another one. */
function overwritePage({ bytes, database, random }: DamagedFile, page: number): string {
  const at = (page - 1) * PAGE_BYTES;
  const how = random.oneOf(['noise', 'ones', 'zeros', 'another page', 'half of noise'] as const);
  const half = how === 'half of noise' ? PAGE_BYTES / 2 : 0;
  if (how === 'another page') {
    const other = count(random, 0, database.pages.count - 1) * PAGE_BYTES;
    bytes.copy(bytes, at, other, other + PAGE_BYTES);
  } else if (how === 'ones' || how === 'zeros') bytes.fill(how === 'ones' ? 255 : 0, at, at + PAGE_BYTES);
  else for (let each = at + half; each < at + PAGE_BYTES; each++) bytes[each] = count(random, 0, 255);
  return `page ${page}: ${how}`;
}

function overwritePages(file: DamagedFile): string {
  const { database, random } = file;
  const done: string[] = [];
  for (let rest = count(random, 1, 10); rest > 0; rest--)
    done.push(overwritePage(file, count(random, 1, database.pages.count)));
  return done.join(', ');
}

function overwriteStretch(file: DamagedFile): string {
  const { database, random } = file;
  const length = count(random, 2, 40);
  const first = count(random, 1, Math.max(1, database.pages.count - length));
  const how = new SeededRandom(count(random, 0, 2 ** 30));
  const done = Array.from({ length }, (_, index) =>
    overwritePage({ ...file, random: new SeededRandom(how.next() * 2 ** 30) }, first + index),
  );
  return `${length} pages from ${first} on (${done[0]})`;
}

function cut(file: DamagedFile): string {
  const { bytes, random } = file;
  const whole = random.oneOf([true, false]);
  const bytesLeft = count(random, 2 * PAGE_BYTES, bytes.length - 1);
  const left = whole ? bytesLeft - (bytesLeft % PAGE_BYTES) : bytesLeft;
  file.bytes = bytes.subarray(0, left);
  return `cut from ${bytes.length} to ${left} bytes`;
}

function swapPages({ bytes, database, random }: DamagedFile): string {
  const done: string[] = [];
  for (let rest = count(random, 1, 6); rest > 0; rest--) {
    const [one, other] = [count(random, 1, database.pages.count - 1), count(random, 1, database.pages.count - 1)];
    const kept = Buffer.from(bytes.subarray(one * PAGE_BYTES, (one + 1) * PAGE_BYTES));
    bytes.copy(bytes, one * PAGE_BYTES, other * PAGE_BYTES, (other + 1) * PAGE_BYTES);
    kept.copy(bytes, other * PAGE_BYTES);
    done.push(`${one + 1} with ${other + 1}`);
  }
  return `pages ${done.join(', ')}`;
}

function zeroSector({ bytes, random }: DamagedFile): string {
  const sector = random.oneOf([512, 4096]);
  const at = count(random, 0, Math.floor(bytes.length / sector) - 1) * sector;
  bytes.fill(0, at, at + sector);
  return `${sector} bytes at ${at}`;
}

function damageInterior(file: DamagedFile): string {
  const { bytes, database, random } = file;
  const page = random.oneOf(database.pages.interior);
  if (random.next() < 0.3) return overwritePage(file, page);
  const from = (page - 1) * PAGE_BYTES;
  return `page ${page}: ${changeBytes(bytes, random, { from, to: from + PAGE_BYTES }, count(random, 1, 20))}`;
}

/** Damages so many of these tables' pages, whole or some bytes of what is at their end, where the rows are. */
function damageTables(file: DamagedFile, names: readonly string[], tables: number): string {
  const { bytes, database, random } = file;
  const known = names.filter((name) => database.pages.byName.has(name));
  const first = count(random, 0, known.length - 1);
  const chosen = Array.from(
    { length: Math.min(tables, known.length) },
    (_, index) => known[(first + index) % known.length]!,
  );
  const done = chosen.map((name) => {
    const page = random.oneOf(database.pages.byName.get(name)!);
    if (random.next() < 0.5) return `${name}, ${overwritePage(file, page)}`;
    const to = page * PAGE_BYTES;
    return `${name}, page ${page}: ${changeBytes(bytes, random, { from: to - 48, to }, count(random, 1, 6))}`;
  });
  return done.join('; ');
}
