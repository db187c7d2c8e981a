import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { freePort } from '../free-port.ts';
import { until } from '../until.ts';
import { findProxy, type ProxyName } from './proxy-programs.ts';

/** Something that the uploader's requests go through. */
export interface RunningPath {
  readonly port: number;
  stop(): Promise<void>;
}

/** What an nginx does besides handing everything on. */
export interface NginxSettings {
  readonly keepaliveTimeout?: string;
  /** Only what is beneath it goes to the receiver; nginx responds 404 to all else. */
  readonly prefix?: string;
  /** nginx responds 404 to the address of the receiver's own metrics. */
  readonly hidesMetrics?: boolean;
  /** Requests a second, with nginx' default status for those beyond: 503. */
  readonly requestsPerSecond?: number;
  /** Files in PEM, for TLS in the place of plain HTTP. */
  readonly tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    /** Of the authority whose certificates it requires of clients. */
    readonly clientCaFile?: string;
  };
  /** nginx responds 401 without this user and password, and 403 without this header. */
  readonly requires?: {
    readonly user: string;
    readonly password: string;
    readonly header: string;
    readonly value: string;
  };
  /** A file that gets a line per request: {@link NGINX_LOG_FIELDS}. */
  readonly requestLog?: string;
}

/** The number of the connection, and bytes of HTTP, headers included. */
export const NGINX_LOG_FIELDS = '$connection $request_length $bytes_sent';

export async function startNginx(receiverPort: number, settings: NginxSettings): Promise<RunningPath> {
  const { keepaliveTimeout = '75s', prefix = '/', hidesMetrics = false, requestsPerSecond } = settings;
  const { tls, requestLog, requires } = settings;
  return startProxy('nginx', (port, folder) => {
    const limit = requestsPerSecond === undefined ? '' : 'limit_req zone=uploads;';
    const zone =
      requestsPerSecond === undefined
        ? ''
        : `limit_req_zone $binary_remote_addr zone=uploads:1m rate=${requestsPerSecond}r/s;`;
    if (requires !== undefined) writeFileSync(join(folder, 'users'), `${requires.user}:{PLAIN}${requires.password}\n`);
    const access =
      requires === undefined
        ? ''
        : `if ($http_${requires.header.toLowerCase().replaceAll('-', '_')} != "${requires.value}") { return 403; }
           auth_basic "metrics"; auth_basic_user_file ${folder}/users;`;
    const logs =
      requestLog === undefined
        ? 'access_log off;'
        : `log_format bytes '${NGINX_LOG_FIELDS}'; access_log ${requestLog} bytes;`;
    return writeNginx(
      folder,
      `
         ${logs}
         keepalive_timeout ${keepaliveTimeout}; client_max_body_size 16m; ${zone}
         server {
           listen 127.0.0.1:${port}${tls === undefined ? '' : ' ssl'};
           ${tls === undefined ? '' : `ssl_certificate ${tls.certFile}; ssl_certificate_key ${tls.keyFile};`}
           ${tls?.clientCaFile === undefined ? '' : `ssl_client_certificate ${tls.clientCaFile}; ssl_verify_client on;`}
           ${hidesMetrics ? `location = ${prefix}metrics { return 404; }` : ''}
           location ${prefix} { ${access} ${limit} proxy_pass http://127.0.0.1:${receiverPort}/; proxy_http_version 1.1; }
         }`,
    );
  });
}

/**
 * Starts an nginx with a server as an operator would write it.
 *
 * @param configure returns the block for the port and the folder for files
 */
export async function startNginxServer(configure: (port: number, folder: string) => string): Promise<RunningPath> {
  return startProxy('nginx', (port, folder) => writeNginx(folder, `access_log off; ${configure(port, folder)}`));
}

/** Writes a configuration that needs no folder of the system, and returns the arguments for it. */
function writeNginx(folder: string, http: string): readonly string[] {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
     events { worker_connections 256; }
     http {
       ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
       ${http}
     }`,
  );
  return ['-p', folder, '-c', join(folder, 'nginx.conf')];
}

export async function startHaproxy(receiverPort: number, keepAliveTimeout: string): Promise<RunningPath> {
  return startProxy('haproxy', (port, folder) => {
    writeFileSync(
      join(folder, 'haproxy.cfg'),
      `defaults
         mode http
         timeout connect 5s
         timeout client 60s
         timeout server 60s
         timeout http-keep-alive ${keepAliveTimeout}
       listen uploads
         bind 127.0.0.1:${port}
         server receiver 127.0.0.1:${receiverPort}
`,
    );
    return ['-db', '-f', join(folder, 'haproxy.cfg')];
  });
}

/** A forward proxy, for HTTP_PROXY. */
export async function startTinyproxy(): Promise<RunningPath> {
  return startProxy('tinyproxy', (port, folder) => {
    writeFileSync(
      join(folder, 'tinyproxy.conf'),
      `Port ${port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 50\nAllow 127.0.0.1\nLogLevel Critical\n`,
    );
    return ['-d', '-c', join(folder, 'tinyproxy.conf')];
  });
}

async function startProxy(
  name: ProxyName,
  configure: (port: number, folder: string) => readonly string[],
): Promise<RunningPath> {
  const { file, env } = await findProxy(name);
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const port = await freePort();
  const child = spawn(file, configure(port, folder), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (log = `${log}${part.toString()}`.slice(-5_000)));
  const ended = once(child, 'close');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true });
  };
  await until(`${name} listens`, () => {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${log}`);
    return isListening(port);
  }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { port, stop };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
