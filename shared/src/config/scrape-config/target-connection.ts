import { isAbsolute, join } from 'node:path';

import { flag, oneOf, optionalText, text, userName } from '../formats.ts';
import type { TargetAuthentication, TargetTls } from '../scrape-target-list.ts';
import type { YamlFields } from './yaml-fields.ts';

const SECRETS_IN_FILES = 'secrets are read from files only, so that this one may be readable: use';
const AUTHORIZATION_TYPE = {
  expected: 'a type without blanks, and not Basic, which basic_auth is for',
  parse: (given: string): string | undefined =>
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(given) && given.toLowerCase() !== 'basic' ? given : undefined,
};

/** Reads how a job authenticates, and refuses two ways at once. @param folder of the file, which paths are relative to */
export function readAuthentication(job: YamlFields, folder: string): TargetAuthentication | undefined {
  const basic = readBasic(job.readFields('basic_auth'), folder);
  const authorization = readAuthorization(job.readFields('authorization'), folder);
  if (basic !== undefined && authorization !== undefined)
    job.refuse('authorization', 'basic_auth is there too: remove one of them');
  return basic ?? authorization;
}

function readBasic(fields: YamlFields | undefined, folder: string): TargetAuthentication | undefined {
  if (fields === undefined) return undefined;
  const username = fields.read('username', userName) ?? '';
  const passwordFile = readPath(fields, 'password_file', folder);
  fields.refuseOthers({
    password: `${SECRETS_IN_FILES} password_file`,
    username_file: 'use username',
    password_ref: 'use password_file',
    username_ref: 'use username',
  });
  return { scheme: 'Basic', username, file: passwordFile };
}

function readAuthorization(fields: YamlFields | undefined, folder: string): TargetAuthentication | undefined {
  if (fields === undefined) return undefined;
  const scheme = fields.read('type', AUTHORIZATION_TYPE) ?? 'Bearer';
  const file = readPath(fields, 'credentials_file', folder);
  if (!fields.has('credentials_file')) fields.refuse(undefined, 'credentials_file is missing');
  fields.refuseOthers({
    credentials: `${SECRETS_IN_FILES} credentials_file`,
    credentials_ref: 'use credentials_file',
  });
  return { scheme, file };
}

/** Reads the TLS settings of a job. */
export function readTls(job: YamlFields, folder: string): TargetTls | undefined {
  const fields = job.readFields('tls_config');
  if (fields === undefined) return undefined;
  const tls = {
    caFile: readPath(fields, 'ca_file', folder),
    certFile: readPath(fields, 'cert_file', folder),
    keyFile: readPath(fields, 'key_file', folder),
    serverName: fields.read('server_name', optionalText),
    isVerified: fields.read('insecure_skip_verify', flag) !== true,
  };
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined))
    fields.refuse(undefined, 'cert_file and key_file belong together: add the other one');
  fields.refuseOthers({
    ca: 'use ca_file',
    cert: 'use cert_file',
    key: `${SECRETS_IN_FILES} key_file`,
    min_version: 'remove it: TLS 1.2 is the lowest',
    max_version: 'remove it',
  });
  return tls;
}

/** Reads the scheme of a job. */
export function readScheme(job: YamlFields): 'http' | 'https' {
  return job.read('scheme', oneOf('http', 'https')) ?? 'http';
}

function readPath(fields: YamlFields, field: string, folder: string): string | undefined {
  const path = fields.read(field, text);
  return path === undefined || isAbsolute(path) ? path : join(folder, path);
}
