import { findProgram, readVersion } from '../../deploy/scripts/programs.ts';

/** What VictoriaMetrics does differs between Debian 12's, of 2022, and that of today. */
export type Generation = 'debian' | 'current';

/** What is expected of both, or of each. */
export type PerGeneration<T> = T | Readonly<Record<Generation, T>>;

/** Later ones drop series that exceed limits of labels, which 1.79 cuts; Debian 12 has 1.79. */
const FIRST_CURRENT_MINOR = 100;

/** Finds out which generation the tests run against. */
export async function findGeneration(): Promise<Generation> {
  const version = await readVersion(await findProgram('victoria-metrics'));
  return Number(/^1\.(\d+)\./.exec(version)?.[1]) >= FIRST_CURRENT_MINOR ? 'current' : 'debian';
}

/** Returns what is expected of one generation. */
export function expectedOf<T extends number | string>(expected: PerGeneration<T>, generation: Generation): T {
  return typeof expected === 'object' ? expected[generation] : expected;
}
