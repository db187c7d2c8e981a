import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SCHEMA_VERSION } from '@thugshells/shared/database/schema-version.ts';

import { builtHere, type Runner } from './agent-process.ts';

/** Migrations that no program has: each changes a table that every sample passes through. */
const MADE_UP = [
  `ALTER TABLE samples ADD COLUMN quality INTEGER;
CREATE INDEX samples_by_series ON samples (series_id, timestamp_ms);
`,
  `ALTER TABLE uploader_state ADD COLUMN made_up TEXT;
DROP INDEX samples_by_series;
`,
];

/**
 * Makes a tree with the built programs as a later version would bring them: with as many made-up migrations as asked for.
 *
 * @param later 0 for the programs as they are
 * @returns what runs the programs of the tree
 */
export function makeProgram(folder: string, later: number): Runner {
  const version = SCHEMA_VERSION + later;
  const root = join(folder, `program-${version}`);
  mkdirSync(root);
  for (const part of ['collector/dist', 'uploader/dist', 'migrations', 'package.json'])
    cpSync(join(builtHere.folder, part), join(root, part), { recursive: true });
  symlinkSync(join(builtHere.folder, 'node_modules'), join(root, 'node_modules'));
  for (const [index, sql] of MADE_UP.slice(0, later).entries()) {
    writeFileSync(join(root, 'migrations', `${String(SCHEMA_VERSION + index + 1).padStart(4, '0')}-made-up.sql`), sql);
  }
  for (const program of ['collector', 'uploader']) {
    const dist = join(root, program, 'dist');
    for (const name of readdirSync(dist).filter((file) => file.endsWith('.js')))
      raiseVersion(join(dist, name), version, name === 'program.js');
  }
  return { ...builtHere, folder: root };
}

/** Changes the schema version that a bundle knows. */
function raiseVersion(file: string, version: number, isRequired: boolean): void {
  const text = readFileSync(file, 'utf8');
  const declaration = new RegExp(`SCHEMA_VERSION ?= ?${SCHEMA_VERSION}\\b`);
  if (isRequired && !declaration.test(text))
    throw new Error(`${file} does not declare its schema version as this test expects`);
  writeFileSync(file, text.replace(declaration, `SCHEMA_VERSION=${version}`));
}
