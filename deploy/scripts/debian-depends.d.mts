import type { Elf } from './elf.mjs';

/** Compares versions of numbers with dots between them; negative if the first is the lower one. */
export function compareVersions(one: string, other: string): number;
/** The value of Depends for files of machine code; throws if one needs a library that is not known. */
export function dependsOn(files: readonly Elf[]): string;
