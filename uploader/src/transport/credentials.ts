import { findAuthorizationSource, type ReceiverCredentials } from '@thugshells/shared/config/receiver-credentials.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';

import { parseHeaderLines, type HeaderLines } from './header-lines.ts';
import { ReloadingFile } from './reloading-file.ts';
import { listHeaderSecrets, SentSecrets } from './sent-secrets.ts';

export interface CredentialsOptions extends Partial<ReceiverCredentials> {
  /** File that holds the bearer token; empty for none, as with the others. */
  readonly remoteTokenFile: string;
  /** Certificates of the authorities that are trusted instead of the system's, in PEM. */
  readonly remoteCaFile: string;
  /** Client certificate and key of this device, in PEM. */
  readonly remoteCertFile: string;
  readonly remoteKeyFile: string;
  /** Further headers of every request, a line each. */
  readonly remoteHeadersFile?: string;
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
/** RFC 7617: no control characters; U+FFFD stands for bytes that are no UTF-8. */
const NO_PASSWORD = /[\p{Cc}\ufffd]/u;

/** The device's credentials and the authorities it trusts, read from files that may change while the uploader runs. */
export class Credentials {
  readonly #user: string;
  /** What sets the header Authorization besides the file of headers. */
  readonly #authorizationSource: string | undefined;
  readonly #token: ReloadingFile | undefined;
  readonly #password: ReloadingFile | undefined;
  readonly #headers: ReloadingFile | undefined;
  readonly #certificateAuthority: ReloadingFile | undefined;
  readonly #certificate: ReloadingFile | undefined;
  readonly #key: ReloadingFile | undefined;
  readonly #sent = new SentSecrets();

  constructor(options: CredentialsOptions) {
    const { remoteUser = '', remotePasswordFile = '', remoteHeadersFile = '', credentialsDirectory = '' } = options;
    const exemptFolders = [CONTAINER_SECRETS, credentialsDirectory].filter((folder) => folder !== '');
    const createFile = (variable: string, path: string, isSecret = false): ReloadingFile | undefined =>
      path === ''
        ? undefined
        : new ReloadingFile({ variable: `THUGSHELLS_${variable}`, path, isSecret, exemptFolders });
    this.#user = remoteUser;
    this.#authorizationSource = findAuthorizationSource(options);
    this.#token = createFile('REMOTE_TOKEN_FILE', options.remoteTokenFile, true);
    this.#password = createFile('REMOTE_PASSWORD_FILE', remotePasswordFile, true);
    this.#headers = createFile('REMOTE_HEADERS_FILE', remoteHeadersFile, true);
    this.#certificateAuthority = createFile('REMOTE_CA_FILE', options.remoteCaFile);
    this.#certificate = createFile('REMOTE_CERT_FILE', options.remoteCertFile);
    this.#key = createFile('REMOTE_KEY_FILE', options.remoteKeyFile, true);
  }

  /**
   * Returns the headers by which the receiver knows this device: those of the file of headers, and Authorization.
   *
   * @throws AgentError FILE_UNUSABLE
   */
  headers(): HeaderLines {
    return { ...this.#readHeaders(), ...this.#readToken(), ...this.#readPassword() };
  }

  /** Returns what a receiver may repeat of what it was sent: of each file what was sent last, and before that. */
  get secrets(): readonly string[] {
    return this.#sent.list();
  }

  /** Reads the certificates and the key. @throws AgentError FILE_UNUSABLE */
  tls(): TlsMaterial {
    return {
      ...(this.#certificateAuthority && { certificateAuthority: this.#certificateAuthority.read() }),
      ...(this.#certificate && { certificate: this.#certificate.read() }),
      ...(this.#key && { key: this.#key.read() }),
    };
  }

  /** Returns a text that differs once one of the files has changed; reads none. */
  findVersion(): string {
    const files = [
      this.#token,
      this.#password,
      this.#headers,
      this.#certificateAuthority,
      this.#certificate,
      this.#key,
    ];
    return files.map((file) => file?.findVersion()).join(';');
  }

  /** Returns what is wrong with the files now, one sentence per file. */
  problems(): string[] {
    return [
      () => this.#readToken(),
      () => this.#readPassword(),
      () => this.#readHeaders(),
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

  #readToken(): HeaderLines {
    if (this.#token === undefined) return {};
    const token = this.#token.read().trim();
    if (!TOKEN.test(token))
      throw this.#token.unusable(token === '' ? 'is empty' : 'holds something that cannot be a bearer token');
    this.#sent.add('token', [token]);
    return { authorization: `Bearer ${token}` };
  }

  #readPassword(): HeaderLines {
    if (this.#password === undefined) return {};
    const password = this.#password.read().trim();
    if (password === '') throw this.#password.unusable('is empty');
    if (NO_PASSWORD.test(password))
      throw this.#password.unusable('holds something that cannot be a password: one line of UTF-8');
    const basic = Buffer.from(`${this.#user}:${password}`).toString('base64');
    this.#sent.add('password', [password, basic]);
    return { authorization: `Basic ${basic}` };
  }

  #readHeaders(): HeaderLines {
    if (this.#headers === undefined) return {};
    const text = this.#headers.read();
    try {
      const headers = parseHeaderLines(text, this.#authorizationSource);
      this.#sent.add('headers', listHeaderSecrets(Object.values(headers)));
      return headers;
    } catch (error) {
      throw this.#headers.unusable(toErrorMessage(error));
    }
  }
}
