import { Credentials } from '../../../uploader/src/transport/credentials.ts';

/** Transport options for a direct connection without credentials. */
export const directConnection = { credentials: createCredentials({}), proxyFor: (): string => '' };

/** Creates credentials from files. */
export function createCredentials(files: Partial<ConstructorParameters<typeof Credentials>[0]>): Credentials {
  return new Credentials({ remoteTokenFile: '', remoteCaFile: '', remoteCertFile: '', remoteKeyFile: '', ...files });
}
