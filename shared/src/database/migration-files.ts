import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { resolveProgramPath } from '../program-root.ts';

/** One statement of a migration. */
export interface MigrationStatement {
  readonly sql: string;
  /** The table whose ids it is run over in slices: the TABLE of `:first_of_TABLE` and `:last_of_TABLE`. */
  readonly sliced: string | undefined;
  /** Its share of the time among all statements, for many rows. */
  readonly weight: number;
}

/** One file of migrations/. */
export interface Migration {
  readonly version: number;
  readonly file: string;
  readonly statements: readonly MigrationStatement[];
}

const migrationsFolder = resolveProgramPath('migrations');

/** Reads the files of migrations/, oldest first. */
export function readMigrations(): Migration[] {
  return readdirSync(migrationsFolder)
    .filter((file) => /^\d{4}-.*\.sql$/.test(file))
    .sort()
    .map((file) => ({
      version: Number(file.slice(0, 4)),
      file,
      statements: parseStatements(readFileSync(join(migrationsFolder, file), 'utf8')),
    }));
}

/** Splits a file into statements. Each ends with a semicolon at the end of a line. */
function parseStatements(text: string): MigrationStatement[] {
  return text
    .split(/;[ \t]*\n/)
    .map(parseStatement)
    .filter(({ sql }) => sql !== '');
}

function parseStatement(text: string): MigrationStatement {
  const comments = /^(\s|--.*(\n|$))*/.exec(text)![0];
  // Without comments, so that an error shows the statement itself.
  const sql = text.slice(comments.length).trimEnd();
  const sliced = /:first_of_(\w+)/.exec(sql)?.[1];
  const weight = /^-- weight (\d+)$/m.exec(comments)?.[1];
  return { sql, sliced, weight: Number(weight ?? (sliced === undefined ? 0 : 1)) };
}
