export interface Component {
  readonly name: string;
  readonly version: string;
  readonly 'bom-ref': string;
}
export interface Sbom {
  readonly metadata?: { readonly component: { readonly name: string; readonly type: string } };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}
export interface Lockfile {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string;
        readonly dev?: boolean;
        readonly dependencies?: Readonly<Record<string, string>>;
        readonly optionalDependencies?: Readonly<Record<string, string>>;
        readonly os?: string | string[];
        readonly cpu?: string | string[];
        readonly libc?: string | string[];
      }
    >
  >;
}

export function selectShipped(sbom: Sbom, lockfile: Lockfile): Sbom;
export function findBundledPackages(sources: readonly string[]): string[];
export function findMissing(sbom: Sbom, lockfile: Lockfile, folders: readonly string[]): string[];
export function createSbom(root: string): Sbom;
