import { statSync } from 'node:fs';
import { sep } from 'node:path';

import { readForeignFileSync } from '@thugshells/shared/database/foreign-files.ts';
import { AgentError, toErrorMessage } from '@thugshells/shared/errors.ts';

export interface ReloadingFileOptions {
  /** The variable that names the file, for messages. */
  readonly variable: string;
  readonly path: string;
  /** Nobody but its owner may read it. */
  readonly isSecret?: boolean;
  /** Folders in which somebody else sets the modes: systemd's credentials, a container engine's secrets. */
  readonly exemptFolders?: readonly string[];
}

/** Files that only root can read, and systemd passes to the uploader of the package without a variable. */
const PACKAGE_FOLDER = '/etc/thugshells/remote/';
/** Rights of anybody but the owner. */
const OTHERS = 0o077;

/** A file whose content is read again when it has changed. */
export class ReloadingFile {
  readonly #options: ReloadingFileOptions;
  #version = '';
  #content = '';

  constructor(options: ReloadingFileOptions) {
    this.#options = options;
  }

  /**
   * Returns the file's current content.
   *
   * @throws AgentError FILE_UNUSABLE, whose message names the variable and the file, and never what is in it
   */
  read(): string {
    const { path, isSecret = false } = this.#options;
    try {
      const { ino, size, mtimeMs, mode } = statSync(path);
      if (isSecret && (mode & OTHERS) !== 0 && !this.#isExempt())
        throw new Error(
          `mode ${(mode & 0o777).toString(8).padStart(4, '0')} lets other users read it; it must be 0600 or narrower`,
        );
      const version = [ino, size, mtimeMs].join();
      if (version !== this.#version) this.#content = readForeignFileSync(path);
      this.#version = version;
      return this.#content;
    } catch (error) {
      const hint = path.startsWith(PACKAGE_FOLDER)
        ? '; remove the variable: systemd passes this file to the uploader without it'
        : '';
      throw this.unusable(`${toErrorMessage(error)}${hint}`, error);
    }
  }

  /** Returns a text that differs once the file is another one, or may be read by others; reads nothing. */
  findVersion(): string {
    try {
      const { ino, size, mtimeMs, mode } = statSync(this.#options.path);
      return [ino, size, mtimeMs, mode].join();
    } catch {
      return 'absent';
    }
  }

  /** Creates the error for a file that cannot be used. */
  unusable(why: string, cause?: unknown): AgentError {
    const { variable, path } = this.#options;
    return new AgentError(`${variable}=${path}: ${why}`, { code: 'FILE_UNUSABLE', cause });
  }

  #isExempt(): boolean {
    const { path, exemptFolders = [] } = this.#options;
    return exemptFolders.some((folder) => path.startsWith(folder.endsWith(sep) ? folder : folder + sep));
  }
}
