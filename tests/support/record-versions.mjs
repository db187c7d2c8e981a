import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { root } from '../../deploy/scripts/prepare.mjs';
import { withVersions } from './report-versions.ts';

const DOCUMENT = 'docs/remote-write.md';

/**
 * Writes the versions that every test of a run passed against into the receivers' document, unless it names them. On a
 * CI machine nobody would commit it, so that a document that names others is a failure there.
 *
 * @param {'today' | 'debian'} column
 * @param {Readonly<Record<string, string>>} versions
 * @returns {number} how many failures it logged
 */
export function recordVersions(column, versions) {
  const file = join(root, DOCUMENT);
  const text = readFileSync(file, 'utf8');
  const wanted = withVersions(text, column, versions);
  if (wanted === text) return 0;
  if (process.env['CI']) {
    console.log(
      `failed: ${DOCUMENT}: names other versions than those that the tests ran against; run the suite on another machine and commit what it writes`,
    );
    return 1;
  }
  writeFileSync(file, wanted);
  console.log(`wrote the versions that the tests ran against into ${DOCUMENT}; commit it`);
  return 0;
}
