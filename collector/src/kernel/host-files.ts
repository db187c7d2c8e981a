import { readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { toErrorCode } from '@thugshells/shared/errors.ts';

import { toKernelFileError } from './kernel-file-errors.ts';
import { readText } from './read-text.ts';

/** Files of the operating system, such as `etc/os-release`: below the root of the host. */
export interface HostSource {
  /** Reads a file; throws as `KernelSource.proc` does. */
  text(relativePath: string): Promise<string>;
  /** Returns what a symbolic link has as its target; undefined if the path is of something else. Throws as `text` does. */
  link(relativePath: string): Promise<string | undefined>;
  /** Returns the milliseconds since a file or directory was written, by the wall clock. Throws as `text` does. */
  ageMs(relativePath: string): Promise<number>;
}

/** The adapter of the files of the host. All calls run on Node's thread pool: a card that hangs must not stop the event loop. */
export class HostFiles implements HostSource {
  readonly #root: string;

  /** `root` is `/`, where a container sees the root of its host, or empty: then no file is there. */
  constructor(root: string) {
    this.#root = root;
  }

  async text(relativePath: string): Promise<string> {
    return readText(this.#resolve(relativePath));
  }

  async link(relativePath: string): Promise<string | undefined> {
    const path = this.#resolve(relativePath);
    try {
      return await readlink(path);
    } catch (error) {
      if (toErrorCode(error) === 'EINVAL') return undefined;
      throw toKernelFileError(path, error);
    }
  }

  async ageMs(relativePath: string): Promise<number> {
    const path = this.#resolve(relativePath);
    try {
      return Date.now() - (await stat(path)).mtimeMs;
    } catch (error) {
      throw toKernelFileError(path, error);
    }
  }

  #resolve(relativePath: string): string {
    if (this.#root !== '') return join(this.#root, relativePath);
    throw toKernelFileError(relativePath, Object.assign(new Error('no root of the host'), { code: 'ENOENT' }));
  }
}
