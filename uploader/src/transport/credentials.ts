import { toErrorMessage } from '@thugshells/shared/errors.ts';

import { ReloadingFile } from './reloading-file.ts';

export interface CredentialsOptions {
  /** File that holds the bearer token; empty for none, as with the others. */
  readonly remoteTokenFile: string;
  /** Certificates of the authorities that are trusted instead of the system's, in PEM. */
  readonly remoteCaFile: string;
  /** Client certificate and key of this device, in PEM. */
  readonly remoteCertFile: string;
  readonly remoteKeyFile: string;
  /** $CREDENTIALS_DIRECTORY, where systemd puts a unit's credentials; empty for none. */
  readonly credentialsDirectory?: string;
}

/** Certificates and key of a TLS connection; absent parts have the defaults. */
export interface TlsMaterial {
  readonly certificateAuthority?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** Where container engines put secrets. */
const CONTAINER_SECRETS = '/run/secrets';
/** What RFC 6750 allows in a bearer token. */
const TOKEN = /^[\w.~+/=:-]+$/;

/** The device's credentials and the authorities it trusts, read from files that may change while the uploader runs. */
export class Credentials {
  readonly #token: ReloadingFile | undefined;
  readonly #certificateAuthority: ReloadingFile | undefined;
  readonly #certificate: ReloadingFile | undefined;
  readonly #key: ReloadingFile | undefined;
  #sent: readonly string[] = [];

  constructor({
    remoteTokenFile,
    remoteCaFile,
    remoteCertFile,
    remoteKeyFile,
    credentialsDirectory = '',
  }: CredentialsOptions) {
    const exemptFolders = [CONTAINER_SECRETS, credentialsDirectory].filter((folder) => folder !== '');
    const createFile = (variable: string, path: string, isSecret = false): ReloadingFile | undefined =>
      path === ''
        ? undefined
        : new ReloadingFile({ variable: `THUGSHELLS_${variable}`, path, isSecret, exemptFolders });
    this.#token = createFile('REMOTE_TOKEN_FILE', remoteTokenFile, true);
    this.#certificateAuthority = createFile('REMOTE_CA_FILE', remoteCaFile);
    this.#certificate = createFile('REMOTE_CERT_FILE', remoteCertFile);
    this.#key = createFile('REMOTE_KEY_FILE', remoteKeyFile, true);
  }

  /**
   * Returns the Authorization header with the token; no header without a token file.
   *
   * @throws AgentError FILE_UNUSABLE
   */
  authorization(): { readonly authorization?: string } {
    if (this.#token === undefined) return {};
    const token = this.#token.read().trim();
    if (!TOKEN.test(token))
      throw this.#token.unusable(token === '' ? 'is empty' : 'holds something that cannot be a bearer token');
    if (token !== this.#sent[0]) this.#sent = [token, ...this.#sent.slice(0, 1)];
    return { authorization: `Bearer ${token}` };
  }

  /** Returns the tokens that a receiver may repeat: the one that was sent last, and the one before it. */
  get secrets(): readonly string[] {
    return this.#sent;
  }

  /** Reads the certificates and the key. @throws AgentError FILE_UNUSABLE */
  tls(): TlsMaterial {
    return {
      ...(this.#certificateAuthority && { certificateAuthority: this.#certificateAuthority.read() }),
      ...(this.#certificate && { certificate: this.#certificate.read() }),
      ...(this.#key && { key: this.#key.read() }),
    };
  }

  /** Returns what is wrong with the files now, one sentence per file. */
  problems(): string[] {
    return [
      () => this.authorization(),
      ...[this.#certificateAuthority, this.#certificate, this.#key].map((file) => () => file?.read()),
    ].flatMap((read) => {
      try {
        read();
        return [];
      } catch (error) {
        return [toErrorMessage(error)];
      }
    });
  }
}
