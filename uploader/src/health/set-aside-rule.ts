import { SCHEMA_VERSION } from '@thugshells/shared/database/schema-version.ts';

import type { SetAsideDatabase } from '../telemetry/collector-state-reader.ts';
import type { ComponentHealth } from './component-health.ts';

/** Lists the databases that were set aside and how to recover their samples; undefined if there is none. */
export function setAsideHealth(files: readonly SetAsideDatabase[]): ComponentHealth | undefined {
  if (files.length === 0) return undefined;
  const details = {
    set_aside_bytes: setAsideBytes(files),
    set_aside: files.map(({ file, schemaVersion, bytes }) => ({ file, schema_version: schemaVersion, bytes })),
  };
  return { status: 'degraded', reason: 'database_set_aside', message: files.map(describe).join('; '), details };
}

/** Sums their sizes, which do not count toward DB_MAX_SIZE. */
export function setAsideBytes(files: readonly SetAsideDatabase[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

function describe(each: SetAsideDatabase): string {
  return `${each.file} (schema ${each.schemaVersion}, ${each.bytes} bytes) ${remedy(each)}`;
}

function remedy({ schemaVersion, isBeingImported, isImportedHere }: SetAsideDatabase): string {
  if (isImportedHere) return 'is being imported';
  const version = isBeingImported
    ? 'the version that began to import it'
    : `a version that knows schema ${schemaVersion}`;
  if (isBeingImported || schemaVersion > SCHEMA_VERSION)
    return `is set aside: install ${version}, or move the file away to discard its samples`;
  return 'is set aside: restart the collector, which imports it (run: systemctl restart thugshells-collector)';
}
