/** Which versions of receivers and peers tests run against: as a line of a log, and as a table in a document. */
import { repositoryPeersDir } from '../../deploy/scripts/peer-modules.ts';
import { findProgram, PROGRAMS, readVersion } from '../../deploy/scripts/programs.ts';

/** Programs of which one version speaks for the others of its package. */
const SHOWN = ['victoria-metrics', 'prometheus', 'node_exporter'];

const BEGIN = '<!-- tested versions: written by npm test and npm run test:generations -->';
const END = '<!-- end of tested versions -->';
const COLUMNS = ['today', 'debian'];
const HEAD = '| program | of today (`npm run peers`) | Debian 12 |\n|---|---|---|';

/**
 * Finds the programs that tests run against.
 *
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {Promise<{ line: string, versions: Record<string, string>, arePeers: boolean }>} a line for the log, the
 *   versions by program, and whether npm run peers built all of them
 */
export async function findVersions(env) {
  const found = await Promise.all(
    SHOWN.map(async (name) => {
      const binary = await findProgram(name, { env });
      return { name: PROGRAMS[name].names[0], binary, version: await readVersion(binary) };
    }),
  );
  return {
    line: found.map(({ name, binary, version }) => `${name} ${version} (${binary})`).join(', '),
    versions: Object.fromEntries(found.map(({ name, version }) => [name, version])),
    arePeers: found.every(({ binary }) => binary.startsWith(`${repositoryPeersDir}/`)),
  };
}

/**
 * Returns a document with these versions in a column of its table; the other column is left as it is.
 *
 * @param {string} text
 * @param {'today' | 'debian'} column
 * @param {Readonly<Record<string, string>>} versions
 */
export function withVersions(text, column, versions) {
  const [before, rest] = text.split(BEGIN);
  const [table, after] = rest?.split(END) ?? [];
  if (after === undefined) throw new Error(`the document lacks the lines ${BEGIN} and ${END}`);
  const known = Object.fromEntries(
    [...table.matchAll(/^\| (\S+) \| (\S*) \| (\S*) \|$/gm)].map(([, name, ...cells]) => [name, cells]),
  );
  const rows = Object.entries(versions).map(([name, version]) => {
    const cells = COLUMNS.map((each, index) => (each === column ? version : (known[name]?.[index] ?? '')));
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  return `${before}${BEGIN}\n${HEAD}\n${rows.join('\n')}\n${END}${after}`;
}
