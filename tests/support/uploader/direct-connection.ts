import { Credentials } from '../../../uploader/src/transport/credentials.ts';

/** The way to a receiver that asks for no credentials, past any proxy. */
export const straight = { credentials: credentialsOf({}), proxyFor: (): string => '' };

/** Credentials from these files. */
export function credentialsOf(files: Partial<ConstructorParameters<typeof Credentials>[0]>): Credentials {
  return new Credentials({ remoteTokenFile: '', remoteCaFile: '', remoteCertFile: '', remoteKeyFile: '', ...files });
}
