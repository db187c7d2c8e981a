import { PAGE_SIZE } from '@thugshells/shared/database/open.ts';

/** SQLite's file format, section 1.6: the types of b-tree pages. */
export const TABLE_LEAF = 0x0d;
export const INDEX_LEAF = 0x0a;
export const INDEX_INTERIOR = 0x02;
export const INTERIOR: readonly (number | undefined)[] = [INDEX_INTERIOR, 0x05];

/** Section 1.3.2: the sizes that a page may have. */
const PAGE_SIZES: readonly number[] = [512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768];
/** Pages that are looked at to find their size, and the share of them that has to look like pages. */
const TRIED_PAGES = 256;
const MIN_SHARE = 0.2;
/** At twice the size of the pages, nearly as many places begin as a page does: the smallest of such sizes is right. */
const NEARLY = 0.8;

/**
 * Finds the size of a file's pages: the stored one if it is ours, else the one at which most pages begin as pages do, since
 * the header may be what is damaged.
 *
 * @param stored as the headers have it
 * @param readByte reads the byte at a place of the file
 */
export function findPageSize(stored: readonly number[], fileBytes: number, readByte: (at: number) => number): number {
  const claimed = stored.find((size) => PAGE_SIZES.includes(size));
  if (claimed === PAGE_SIZE) return PAGE_SIZE;
  const shares = PAGE_SIZES.map((size) => shareOfPages(size, fileBytes, readByte));
  const most = Math.max(...shares);
  return most < MIN_SHARE ? (claimed ?? PAGE_SIZE) : PAGE_SIZES[shares.findIndex((share) => share >= most * NEARLY)]!;
}

/** How many of some places that are multiples of a size hold the type of a page; the first page begins with a header. */
function shareOfPages(size: number, fileBytes: number, readByte: (at: number) => number): number {
  const pages = Math.floor(fileBytes / size);
  const step = Math.max(1, Math.floor(pages / TRIED_PAGES));
  const count = Math.max(0, Math.floor((pages - 1) / step));
  const types = Array.from({ length: count }, (_, index) => readByte((1 + index * step) * size));
  return types.filter((type) => [TABLE_LEAF, INDEX_LEAF, ...INTERIOR].includes(type)).length / Math.max(1, count);
}
