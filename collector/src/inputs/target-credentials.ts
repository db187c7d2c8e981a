import { openForeignFile } from '@thugshells/shared/database/foreign-files.ts';
import type { ScrapeTarget } from '@thugshells/shared/config/scrape-target-list.ts';
import { AgentError, toErrorMessage } from '@thugshells/shared/errors.ts';

/** What a request to a target takes from files. */
export interface TargetCredentials {
  /** The header Authorization; undefined without one. */
  readonly authorization: string | undefined;
  /** Texts that no message may have. */
  readonly secrets: readonly string[];
  /** Options of node:tls. */
  readonly tls: {
    readonly ca?: Buffer | undefined;
    readonly cert?: Buffer | undefined;
    readonly key?: Buffer | undefined;
    readonly servername?: string | undefined;
    readonly rejectUnauthorized: boolean;
  };
}

/** A bundle of all authorities has 220 KB. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Reads the files of a target; for each request, so that a renewed one is used at once.
 *
 * @throws AgentError SCRAPE_FAILED that names the file
 */
export async function readTargetCredentials({ authentication, tls }: ScrapeTarget): Promise<TargetCredentials> {
  const [ca, cert, key] = await Promise.all([tls?.caFile, tls?.certFile, tls?.keyFile].map(readIfNamed));
  const secret = (await readIfNamed(authentication?.file))?.toString('utf8').trim() ?? '';
  return {
    ...toAuthorization(authentication, secret),
    tls: { ca, cert, key, servername: tls?.serverName, rejectUnauthorized: tls?.isVerified ?? true },
  };
}

function toAuthorization(
  authentication: ScrapeTarget['authentication'],
  secret: string,
): Pick<TargetCredentials, 'authorization' | 'secrets'> {
  if (authentication === undefined) return { authorization: undefined, secrets: [] };
  const { scheme, username = '' } = authentication;
  const credentials = scheme === 'Basic' ? Buffer.from(`${username}:${secret}`).toString('base64') : secret;
  return { authorization: `${scheme} ${credentials}`, secrets: [secret, credentials].filter((each) => each !== '') };
}

async function readIfNamed(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    const file = await openForeignFile(path, (found) => {
      if (!found.isFile()) throw new Error('not a regular file');
    });
    try {
      const { size } = await file.stat();
      if (size > MAX_FILE_BYTES) throw new Error(`${size} bytes, the limit is ${MAX_FILE_BYTES}`);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new AgentError(`cannot read ${path}: ${toErrorMessage(error)}`, {
      code: 'SCRAPE_FAILED',
      hint: `let the collector's user read ${path}, or correct its name in THUGSHELLS_SCRAPE_CONFIG`,
      cause: error,
    });
  }
}
