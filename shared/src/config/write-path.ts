type Protocol = 'victoriametrics' | 'remote-write';

export interface WritePathOptions {
  readonly remoteUrl: string;
  readonly remoteProtocol: Protocol;
}

/** The paths at which receivers accept each protocol; what stands before them may be the prefix of a proxy. */
const KNOWN: Readonly<Record<Protocol, RegExp>> = {
  victoriametrics: /\/api\/v1\/import$/,
  // VictoriaMetrics, Prometheus; Mimir, Cortex; Thanos; Grafana Cloud, old Cortex; VictoriaMetrics; AMP; M3; InfluxDB 1; GreptimeDB
  'remote-write':
    /\/(api\/v1\/(write|push|receive|remote_write)|api\/prom\/push|prometheus\/(api\/v1\/)?write|api\/v1\/prom\/(remote\/)?write)$/,
};

/** Paths of VictoriaMetrics at which a body of another format is accepted with a success, and dropped. */
const OF_OTHER_FORMATS =
  /\/(api\/v1\/import\/(csv|native|prometheus(\/metrics)?)|write|api\/v2\/write|api\/put|influx\/.*|datadog\/.*|opentelemetry\/.*|zabbixconnector\/.*|newrelic\/.*)$/;

/** Whether a path is one at which receivers are known to accept writes of a protocol. */
export function isKnownWritePath(remoteUrl: string, protocol: Protocol): boolean {
  return KNOWN[protocol].test(toPath(remoteUrl));
}

/** Returns what is wrong with the path of an address at which the receiver would accept and drop everything. */
export function findPathProblem({
  remoteUrl,
  remoteProtocol,
}: WritePathOptions): { message: string; hint: string } | undefined {
  const path = toPath(remoteUrl);
  if (KNOWN[remoteProtocol].test(path) || !OF_OTHER_FORMATS.test(path)) return undefined;
  return {
    message: `${path} is for another format: a receiver may accept what is sent there, and drop it`,
    hint: `check the path of THUGSHELLS_REMOTE_URL: ${remoteProtocol === 'victoriametrics' ? '/api/v1/import' : '/api/v1/write'}`,
  };
}

function toPath(url: string): string {
  return new URL(url).pathname.replace(/\/{2,}/g, '/');
}
