/** Which versions of receivers and peers tests run against: as a line of a log, and as a table in a document. */
import { repositoryPeersDir } from '../../deploy/scripts/peer-modules.ts';
import { findProgram, PROGRAMS, readVersion } from '../../deploy/scripts/programs.ts';

/** One program of each package: the others of a package have the same version. */
const SHOWN = ['victoria-metrics', 'prometheus', 'node_exporter'] as const;

/** The programs that tests run against. */
export interface FoundVersions {
  /** For the log. */
  readonly line: string;
  /** By program. */
  readonly versions: Readonly<Record<string, string>>;
  /** Whether npm run peers built all of them. */
  readonly arePeers: boolean;
}

const BEGIN = '<!-- tested versions: written by npm test and npm run test:generations -->';
const END = '<!-- end of tested versions -->';
const COLUMNS = ['today', 'debian'] as const;
const HEAD = '| program | of today (`npm run peers`) | Debian 12 |\n|---|---|---|';

/** Finds the programs that tests run against, and their versions. */
export async function findVersions(env: Readonly<Record<string, string | undefined>>): Promise<FoundVersions> {
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
 * @throws Error if the document lacks the lines around the table
 */
export function withVersions(
  text: string,
  column: (typeof COLUMNS)[number],
  versions: Readonly<Record<string, string>>,
): string {
  const [before = '', rest] = text.split(BEGIN);
  const [table = '', after] = rest?.split(END) ?? [];
  if (after === undefined) throw new Error(`the document lacks the lines ${BEGIN} and ${END}`);
  const known: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
    [...table.matchAll(/^\| (\S+) \| (\S*) \| (\S*) \|$/gm)].map(([, name, ...cells]) => [name!, cells] as const),
  );
  const rows = Object.entries(versions).map(([name, version]) => {
    const cells = COLUMNS.map((each, index) => (each === column ? version : (known[name]?.[index] ?? '')));
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  return `${before}${BEGIN}\n${HEAD}\n${rows.join('\n')}\n${END}${after}`;
}
