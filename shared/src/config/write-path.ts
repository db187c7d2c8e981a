import { maskCredentials } from './load-config.ts';

type Protocol = 'victoriametrics' | 'remote-write';

export interface WritePathOptions {
  readonly remoteUrl: string;
  readonly remoteProtocol: Protocol;
}

/** The paths at which receivers accept each protocol; what stands before them may be the prefix of a proxy. */
const KNOWN: Readonly<Record<Protocol, RegExp>> = {
  victoriametrics: /\/api\/v1\/import$/,
  // VictoriaMetrics and Prometheus, Mimir, Thanos, AMP; Grafana Cloud and Cortex; M3 and InfluxDB 1.
  'remote-write': /\/(api\/v1\/(write|push|receive|remote_write)|api\/prom\/push|api\/v1\/prom\/(remote\/)?write)$/,
};
const EXAMPLES: Readonly<Record<Protocol, string>> = {
  victoriametrics: '/api/v1/import',
  'remote-write': '/api/v1/write',
};

/** Paths of VictoriaMetrics at which a body of another format is accepted with a success, and dropped. */
const OF_OTHER_FORMATS =
  /\/(api\/v1\/import\/(csv|native|prometheus(\/metrics)?)|write|api\/v2\/write|api\/put|(influx|datadog|opentelemetry|zabbixconnector|newrelic)\/.*)$/;

/** Whether a path is one at which receivers are known to accept writes of a protocol. */
export function isKnownWritePath({ remoteUrl, remoteProtocol }: WritePathOptions): boolean {
  return KNOWN[remoteProtocol].test(toPath(remoteUrl));
}

/** Returns what is wrong with a path at which a receiver would accept and drop everything; undefined if that is not known. */
export function findPathProblem(options: WritePathOptions): { message: string; hint: string } | undefined {
  const path = toPath(options.remoteUrl);
  if (isKnownWritePath(options) || !OF_OTHER_FORMATS.test(path)) return undefined;
  return {
    message: `${path} is for another format: a receiver may accept what is sent there, and drop it`,
    hint: `check the path of THUGSHELLS_REMOTE_URL, such as ${EXAMPLES[options.remoteProtocol]}`,
  };
}

/** Returns a warning about a path that is likely a typing error; none for a known one. A gateway may have any path. */
export function findPathWarning(options: WritePathOptions): string[] {
  if (isKnownWritePath(options)) return [];
  const { remoteUrl, remoteProtocol } = options;
  const { message = `${toPath(remoteUrl)} is none of the known write paths, such as ${EXAMPLES[remoteProtocol]}` } =
    findPathProblem(options) ?? {};
  return [`THUGSHELLS_REMOTE_URL=${maskCredentials(remoteUrl)}: ${message}; run: thugshells-uploader test`];
}

function toPath(url: string): string {
  return new URL(url).pathname.replace(/\/{2,}/g, '/');
}
