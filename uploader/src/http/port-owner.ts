import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** State LISTEN in /proc/net/tcp, as in the kernel's include/net/tcp_states.h. */
const LISTENING = '0A';

/**
 * Finds the process that listens on a TCP port of this machine.
 *
 * @returns `name (pid 123)`; undefined if the kernel does not show it, as with a process of another user
 */
export function findPortOwner(port: number): string | undefined {
  try {
    const inodes = ['tcp', 'tcp6'].flatMap((table) => listeningInodes(table, port));
    const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
    if (wanted.size === 0) return undefined;
    const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && ownsSocket(entry, wanted));
    return pid === undefined ? undefined : `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (pid ${pid})`;
  } catch {
    // Not Linux, or the process has ended: the name is optional.
    return undefined;
  }
}

/** Columns as in proc_net_tcp(5): sl, local_address, rem_address, st, …; the tenth is the inode. */
function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync(`/proc/net/${table}`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(suffix) === true && columns[3] === LISTENING)
    .map((columns) => columns[9]!);
}

function ownsSocket(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) =>
      sockets.has(readlinkSync(`/proc/${pid}/fd/${descriptor}`)),
    );
  } catch {
    return false;
  }
}
