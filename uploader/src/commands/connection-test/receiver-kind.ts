/** The pages of a receiver by which its kind is recognized; empty where there is none. */
export interface ReceiverPages {
  /** /metrics of the process that answers. */
  readonly metrics: string;
  /** /flags of a program of VictoriaMetrics; of 1.151, only those that were set. */
  readonly flags: string;
  /** /api/v1/status/buildinfo, which a proxy may hand on to what is behind it. */
  readonly buildInfo: string;
}

/** A program of VictoriaMetrics has flags that the others lack; the first that matches counts. */
const programs: readonly (readonly [flag: string, name: string])[] = [
  ['auth.config', 'vmauth, in front of'],
  ['remoteWrite.tmpDataPath', 'vmagent, in front of'],
  ['storageNode', 'a node of a VictoriaMetrics cluster'],
  ['vminsertAddr', 'a storage node of a VictoriaMetrics cluster'],
  ['storageDataPath', 'VictoriaMetrics, single node'],
];

/** Metrics that have the version of a program of another project. */
const builds: readonly (readonly [metric: string, name: string])[] = [
  ['thanos_build_info', 'Thanos'],
  ['mimir_build_info', 'Mimir'],
  ['cortex_build_info', 'Cortex or Mimir'],
  ['prometheus_build_info', 'Prometheus'],
];
const UNNAMED = 'a receiver that it does not name';
const MAX_VERSION_LENGTH = 40;

/** Identifies the kind of receiver; undefined if its pages do not show it. */
export function identifyReceiver({ metrics, flags, buildInfo }: ReceiverPages): string | undefined {
  const hasFlag = (name: string): boolean =>
    metrics.includes(`\nflag{name="${name}"`) || flags.startsWith(`-${name}=`) || flags.includes(`\n-${name}=`);
  const [, program] = programs.find(([flag]) => hasFlag(flag)) ?? [];
  if (program !== undefined) {
    const behind = program.endsWith('in front of') ? ` ${identifyByBuildInfo(buildInfo) ?? UNNAMED}` : '';
    return withVersion(program, readLabel(metrics, 'vm_app_version', 'short_version')) + behind;
  }
  const [metric, build] = builds.find(([name]) => metrics.includes(`\n${name}{`)) ?? [];
  if (metric !== undefined) return withVersion(build!, readLabel(metrics, metric, 'version'));
  return identifyByBuildInfo(buildInfo);
}

function identifyByBuildInfo(buildInfo: string): string | undefined {
  const application = /"application"\s*:\s*"([\w .-]{1,40})"/.exec(buildInfo)?.[1];
  const version = /"version"\s*:\s*"([\w.+-]{1,40})"/.exec(buildInfo)?.[1];
  if (version === undefined) return undefined;
  if (application !== undefined) return withVersion(application, version);
  // VictoriaMetrics names the version of a Prometheus that its API is like, and nothing else.
  return buildInfo.includes('"goVersion"') ? withVersion('Prometheus, or one like it', version) : 'VictoriaMetrics';
}

function readLabel(metrics: string, metric: string, label: string): string {
  const labels = new RegExp(`^${metric}\\{([^}]*)\\}`, 'm').exec(metrics)?.[1] ?? '';
  const value = new RegExp(`(?:^|[, ])${label}="([\\w.+-]*)"`).exec(labels)?.[1] ?? '';
  return value.slice(0, MAX_VERSION_LENGTH);
}

function withVersion(name: string, version: string): string {
  if (version === '') return name;
  const [first = '', ...rest] = name.split(',');
  return [`${first} ${version}`, ...rest].join(',');
}
