import { fileURLToPath } from 'node:url';

/**
 * Returns the path of a file that comes with the programs, such as `migrations`.
 *
 * This source and the bundles that hold it (`collector/dist/*.js`, `uploader/dist/*.js`) stand two folders below the
 * root alike, in a clone and in the package.
 *
 * @param path from the root
 */
export function resolveProgramPath(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
