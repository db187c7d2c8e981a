import { toErrorMessage } from '@thugshells/shared/errors.ts';

import { ReloadingFile } from './reloading-file.ts';

export interface CredentialsOptions {
  /** File that holds the bearer token; empty for none, as with the others. */
  readonly remoteTokenFile: string;
  /** Certificates of the authorities that are trusted instead of the system's, in PEM. */
  readonly remoteCaFile: string;
  /** Certificate and key with which this board shows who it is, in PEM. */
  readonly remoteCertFile: string;
  readonly remoteKeyFile: string;
  /** $CREDENTIALS_DIRECTORY, where systemd puts a unit's credentials; empty for none. */
  readonly credentialsDirectory?: string;
}

/** What a TLS connection needs besides its address; absent parts are the defaults. */
export interface TlsMaterial {
  readonly certificateAuthority?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** Where container engines put secrets. */
const CONTAINER_SECRETS = '/run/secrets';
/** What RFC 6750 allows in a bearer token. */
const TOKEN = /^[\w.~+/=:-]+$/;

/** What the board proves itself by, and whom it trusts: files that may be changed under a running uploader. */
export class Credentials {
  readonly #token: ReloadingFile | undefined;
  readonly #certificateAuthority: ReloadingFile | undefined;
  readonly #certificate: ReloadingFile | undefined;
  readonly #key: ReloadingFile | undefined;

  constructor({
    remoteTokenFile,
    remoteCaFile,
    remoteCertFile,
    remoteKeyFile,
    credentialsDirectory = '',
  }: CredentialsOptions) {
    const exemptFolders = [CONTAINER_SECRETS, credentialsDirectory].filter((folder) => folder !== '');
    const fileOf = (variable: string, path: string, isSecret = false): ReloadingFile | undefined =>
      path === ''
        ? undefined
        : new ReloadingFile({ variable: `THUGSHELLS_${variable}`, path, isSecret, exemptFolders });
    this.#token = fileOf('REMOTE_TOKEN_FILE', remoteTokenFile, true);
    this.#certificateAuthority = fileOf('REMOTE_CA_FILE', remoteCaFile);
    this.#certificate = fileOf('REMOTE_CERT_FILE', remoteCertFile);
    this.#key = fileOf('REMOTE_KEY_FILE', remoteKeyFile);
  }

  /**
   * The header that bears the token.
   *
   * @throws AgentError FILE_UNUSABLE
   */
  authorization(): { readonly authorization?: string } {
    if (this.#token === undefined) return {};
    const token = this.#token.read().trim();
    if (!TOKEN.test(token))
      throw this.#token.unusable(token === '' ? 'is empty' : 'holds something that cannot be a bearer token');
    return { authorization: `Bearer ${token}` };
  }

  /** A text without the token: there are receivers that repeat it when they refuse it. */
  mask(text: string): string {
    const token = this.#token?.read().trim() ?? '';
    return token === '' ? text : text.replaceAll(token, '***');
  }

  /** @throws AgentError FILE_UNUSABLE */
  tls(): TlsMaterial {
    return {
      ...(this.#certificateAuthority && { certificateAuthority: this.#certificateAuthority.read() }),
      ...(this.#certificate && { certificate: this.#certificate.read() }),
      ...(this.#key && { key: this.#key.read() }),
    };
  }

  /** What is wrong with the files now, one sentence each. */
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
