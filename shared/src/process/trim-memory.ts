import { loadCLibrary } from './c-library.ts';

/**
 * Has the C library return free memory to the system (malloc_trim(3)), which it keeps otherwise between what is still used.
 * Without that function, as in musl, nothing happens.
 */
export function trimMemory(): void {
  try {
    loadCLibrary().func<(pad: number) => number>('int malloc_trim(size_t pad)')(0);
  } catch {
    // It is only an advice.
  }
}
