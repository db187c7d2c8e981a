/** Where to look; what is left out is this process's environment and the repository's var/tools and var/peers. */
export interface WhereToLook {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly toolsDir?: string;
  readonly peersDir?: string;
}

export type ProgramName = 'victoria-metrics' | 'vmagent' | 'vmalert' | 'vmauth' | 'prometheus' | 'node_exporter';

/** A program of others: the variable that names one, its file names, the Go module and the Debian package that have it. */
export interface Program {
  readonly variable: string;
  readonly names: readonly string[];
  readonly module: string;
  readonly package: string;
  readonly versionFlag: string;
  readonly beside?: ProgramName;
}

export const PROGRAMS: Readonly<Record<ProgramName, Program>>;

/** Finds a program that is already on this machine; downloads and builds nothing. */
export function findProgramAtHand(name: ProgramName, where?: WhereToLook): Promise<string | undefined>;

/** Finds a program, and unpacks Debian's package when none is on this machine. Rejects with the command that gets one. */
export function findProgram(name: ProgramName, where?: WhereToLook): Promise<string>;

/** Returns a program's version, such as 1.151.0; `unknown` when nothing tells it. */
export function readVersion(binary: string): Promise<string>;
