/** Where packages are unpacked: below the repository's var/. */
export declare const repositoryToolsDir: string;

/** Downloads a Debian package and unpacks it, without root; gives the path of the binary of its name. */
export declare function unpackDebianPackage(
  name: string,
  options: { readonly toolsDir?: string; readonly proof: readonly string[] },
): Promise<string>;

/** Whether a path is of a file that may be run. */
export declare function isExecutable(path: string): Promise<boolean>;
