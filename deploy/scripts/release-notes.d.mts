type Manifest = {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
};

export function parseTag(tag: string): string | undefined;
export function extractNotes(changelog: string, version: string): string | undefined;
export function findVersionProblems(
  version: string,
  sources: {
    readonly manifests: readonly { readonly file: string; readonly manifest: Manifest }[];
    readonly lockfile: { readonly version?: string };
    readonly changelog: string;
  },
): string[];
