import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, in PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** Such as `DNS:receiver.test` or `IP:127.0.0.1`. */
  readonly subjectAltName: string;
  /** Unix milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Lines of openssl's configuration, such as `extendedKeyUsage=clientAuth`. */
  readonly extensions?: readonly string[];
}

/** An authority that issues certificates for any time, which `openssl req` does not in Debian 12. */
export class TestAuthority {
  readonly #folder: string;
  readonly #name: string;
  #issued = 0;

  /** @param extensions of its own certificate */
  constructor(folder: string, name: string, extensions: readonly string[] = []) {
    this.#folder = folder;
    this.#name = name;
    writeFileSync(this.#path('index.txt'), '');
    writeFileSync(
      this.#path('cnf'),
      `[ca]\ndefault_ca=own\n[own]\ndatabase=${this.#path('index.txt')}\nnew_certs_dir=${folder}\nrand_serial=yes
       default_md=sha256\npolicy=any\nunique_subject=no\ncopy_extensions=copy\n[any]\ncommonName=supplied\n`,
    );
    const added = ['basicConstraints=critical,CA:TRUE', ...extensions].flatMap((each) => ['-addext', each]);
    this.#run('req', '-x509', ...newKey(this.#path('key'), name), '-days', '7300', ...added, '-out', this.#path('pem'));
  }

  /** The file of its own certificate. */
  get file(): string {
    return this.#path('pem');
  }

  get cert(): string {
    return readFileSync(this.file, 'utf8');
  }

  issue({ subjectAltName, notBeforeMs, notAfterMs, extensions = [] }: IssueOptions): TestCertificate {
    const [key, request, out] = ['key', 'csr', 'pem'].map((type) => this.#path(`${(this.#issued += 1)}.${type}`)) as [
      string,
      string,
      string,
    ];
    const added = [`subjectAltName=${subjectAltName}`, ...extensions].flatMap((each) => ['-addext', each]);
    this.#run('req', ...newKey(key, 'leaf'), ...added, '-out', request);
    const dates = ['-startdate', toAsn1Time(notBeforeMs), '-enddate', toAsn1Time(notAfterMs)];
    const signer = ['-config', this.#path('cnf'), '-cert', this.file, '-keyfile', this.#path('key')];
    this.#run('ca', '-batch', '-notext', ...signer, ...dates, '-in', request, '-out', out);
    return { cert: readFileSync(out, 'utf8'), key: readFileSync(key, 'utf8') };
  }

  #path(type: string): string {
    return join(this.#folder, `${this.#name}.${type}`);
  }

  #run(...command: string[]): void {
    execFileSync('openssl', command, { stdio: 'pipe' });
  }
}

function newKey(file: string, name: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file, '-subj', `/CN=${name}`];
}

/** `20300101000000Z` */
function toAsn1Time(ms: number): string {
  return `${new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+Z/g, '')}Z`;
}
