/** The folder of a package that the lockfile names; downloads it if it is not there. */
export function packageFolder(name: string): string;
/** Downloads a package, and puts it into its folder when it is whole. */
export function downloadPackage(
  name: string,
  pinned: { readonly version: string; readonly integrity: string },
  folder: string,
): void;
/** Compares bytes with their Subresource Integrity; throws if they differ or there is none. */
export function checkIntegrity(name: string, bytes: Buffer, integrity: string | undefined): void;
