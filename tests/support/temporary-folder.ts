import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach } from '@jest/globals';

/** Something that a test opened. */
interface Closable {
  close(): unknown;
}

/** A folder of each test's own; what a test keeps here is closed, and the folder removed, when it ends. */
export interface TemporaryFolder {
  path(name: string): string;
  keep<T extends Closable>(opened: T): T;
}

export function useTemporaryFolder(): TemporaryFolder {
  let folder = '';
  let kept: Closable[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'thugshells-unit-'));
    kept = [];
  });
  afterEach(() => {
    try {
      for (const each of kept.reverse()) each.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  return {
    path: (name) => join(folder, name),
    keep(opened) {
      kept.push(opened);
      return opened;
    },
  };
}
