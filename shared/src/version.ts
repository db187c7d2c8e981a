import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The version in package.json. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** When this program was built, Unix milliseconds: before it no clock can be right. */
export function builtAtMs(): number {
  return Math.floor(statSync(fileURLToPath(import.meta.url)).mtimeMs);
}
