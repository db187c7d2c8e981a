import { AgentError } from '../errors.ts';
import { isBusy, openSideFile, type Database } from './open.ts';

/** A held lock; the kernel drops it with the process, however that ends. */
export interface InstanceLock {
  release(): void;
}

/** Keeps the side files referenced: garbage collection would close one, and its lock would end with it. */
const held = new Set<Database>();

/**
 * Makes this process the only one of its role on a database, by an exclusive transaction on a side file.
 *
 * Nothing may open the side file by other means in this process: closing any descriptor of a file drops
 * all POSIX locks that the process holds on it.
 *
 * @throws AgentError ANOTHER_INSTANCE while another process holds it
 */
export function takeInstanceLock(databasePath: string, role: 'collector' | 'uploader'): InstanceLock {
  const path = `${databasePath}.${role}-lock`;
  const file = openSideFile(path);
  try {
    // Without a journal on disk, a kill leaves nothing that the next start would have to roll back.
    file.pragma('journal_mode = MEMORY');
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (!isBusy(error)) throw error;
    throw new AgentError(`cannot start: another ${role} uses ${databasePath}`, {
      code: 'ANOTHER_INSTANCE',
      hint: `stop the other ${role} first; its lock ${path} ends with its process`,
      cause: error,
    });
  }
  held.add(file);
  return {
    release() {
      held.delete(file);
      file.close();
    },
  };
}
