import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The C functions that this process contains: those of the C library, and of the libraries that Node.js brings. */
export interface CLibrary {
  /** Returns a function by its declaration in C. @throws if the process does not contain it */
  readonly func: <F>(declaration: string) => F;
  readonly errno: () => number;
}

/** Loads koffi, which calls C functions: a megabyte of machine code, which most devices need for one datagram, or never. */
export function loadCLibrary(): CLibrary {
  const koffi = require('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  return { func: <F>(declaration: string) => library.func(declaration) as F, errno: () => koffi.errno() };
}
