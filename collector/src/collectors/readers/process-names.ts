import { decodeKernelText } from '../../kernel/decode-text.ts';

/** The kernel cuts the names of processes (TASK_COMM_LEN, without the byte 0 at the end). */
const COMM_BYTES = 15;

/** A name to look for, and what the kernel leaves of it. */
interface WantedName {
  readonly name: string;
  readonly comm: string;
  /** Whether `comm` may be of a longer name too. */
  readonly isFull: boolean;
}

/** Finds to which of the wanted names a process belongs. */
export class ProcessNames {
  readonly #wanted: readonly WantedName[];

  constructor(names: readonly string[]) {
    this.#wanted = names.map((name) => {
      const bytes = Buffer.from(name);
      return {
        name,
        comm: decodeKernelText(bytes.subarray(0, COMM_BYTES)),
        isFull: bytes.length >= COMM_BYTES,
      };
    });
  }

  /**
   * Returns the names that are the kernel's name of the process, or the base name of its first argument, which a script or
   * a program that renames its main thread keeps. A name that the kernel may have cut is not that of another program, whose first
   * argument begins with it and goes on otherwise.
   */
  find(comm: string, cmdline: string): readonly string[] {
    const base = parseBaseName(cmdline);
    return this.#wanted
      .filter((one) => one.name === base || (one.comm === comm && !(one.isFull && base.startsWith(one.comm))))
      .map(({ name }) => name);
  }
}

/** Returns the last part of the path in the first argument; threads of the kernel and zombies have no argument. */
function parseBaseName(cmdline: string): string {
  const end = cmdline.indexOf('\0');
  const argument = end < 0 ? cmdline : cmdline.slice(0, end);
  return argument.slice(argument.lastIndexOf('/') + 1);
}
