/** A Go module that pins programs: their names, and their release. */
export interface PeerModule {
  readonly name: string;
  readonly folder: string;
  readonly tools: readonly string[];
  readonly version: string;
}

export const RECORD: string;
export const repositoryPeersDir: string;
export const PEER_MODULES: Readonly<Record<string, { readonly tags: string }>>;

/** Reads what a module pins. */
export function readPeerModule(name: string, modulesFolder?: string): PeerModule;

/** The folder that a module's programs are built into. */
export function builtFolder(module: PeerModule, peersDir?: string): string;

/** Whether the kernel of this machine can run a file: true unless it is an ELF file of another architecture. */
export function isForThisMachine(path: string): boolean;

/** Reads the record of a folder; undefined when it is not whole or of another architecture. */
export function readBuilt(
  folder: string,
): { readonly fingerprint: string; readonly sizes: Readonly<Record<string, number>> } | undefined;
