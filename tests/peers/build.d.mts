/** Finds a Go that knows `tool` lines; throws SetupError when there is none, or only an older one. */
export function findGo(where?: {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly goFolder?: string;
}): string;

/** Builds every module that is stale, one line each; throws SetupError with the cause and what to do. */
export function buildPeers(options?: {
  readonly peersDir?: string;
  readonly modulesFolder?: string;
  readonly go?: () => string;
  readonly write?: (text: string) => void;
}): Promise<void>;
