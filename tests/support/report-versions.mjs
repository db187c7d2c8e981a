import { findProgram, PROGRAMS, readVersion } from './programs.mjs';

/** Programs of which one version speaks for the others of its package. */
const SHOWN = ['victoria-metrics', 'prometheus', 'node_exporter'];

/**
 * Finds the programs that tests run against, and returns their versions as a line of a log.
 *
 * @param {Readonly<Record<string, string | undefined>>} env
 */
export async function reportVersions(env) {
  const found = await Promise.all(
    SHOWN.map(async (name) => {
      const binary = await findProgram(name, { env });
      return `${PROGRAMS[name].names[0]} ${await readVersion(binary)} (${binary})`;
    }),
  );
  return found.join(', ');
}
