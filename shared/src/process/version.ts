import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { resolveProgramPath } from '../program-root.ts';

/** The version in package.json. */
export function readVersion(): string {
  const text = readFileSync(resolveProgramPath('package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** When this program was built, Unix milliseconds: before it no clock can be right. */
export function readBuildTimeMs(): number {
  return Math.floor(statSync(fileURLToPath(import.meta.url)).mtimeMs);
}
