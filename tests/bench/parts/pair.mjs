/** Collector and uploader on a database of their own, started as their units start them. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { root } from '../../../deploy/scripts/prepare.mjs';

/** How a unit starts Node: its flags, and what it sets for the allocator. */
function startedByUnit(name) {
  const unit = readFileSync(join(root, `deploy/systemd/thugshells-${name}.service`), 'utf8');
  const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  const [, arenas] = /^Environment=MALLOC_ARENA_MAX=(\d+)$/m.exec(unit) ?? [];
  return {
    flags: command.match(/--\S+/g) ?? [],
    environment: arenas === undefined ? {} : { MALLOC_ARENA_MAX: arenas },
  };
}

function programFolder() {
  mkdirSync(join(root, 'var'), { recursive: true });
  return mkdtempSync(join(root, 'var', 'bench-'));
}

export class Pair {
  folder = mkdtempSync(join(tmpdir(), 'bench-'));
  database = join(this.folder, 'metrics.db');
  /**
   * A copy of its own: what the bench itself maps of the file would count as shared. Beside the sources, since the
   * folder for temporary files may be mounted noexec.
   */
  #programs = programFolder();
  #node = join(this.#programs, 'node');
  #children = [];

  constructor() {
    copyFileSync(process.execPath, this.#node);
  }

  /**
   * @param {Record<string, string>} variables without prefix
   * @param {Record<string, string>} more what is not the agent's own, as it stands
   */
  start(program, variables, stdout = 'ignore', more = {}) {
    const unit = startedByUnit(program);
    const all = Object.entries({ DB_PATH: this.database, DEVICE_ID: `board-${program}`, ...variables });
    const environment = Object.fromEntries(all.map(([name, value]) => [`THUGSHELLS_${name}`, value]));
    const child = spawn(this.#node, [...unit.flags, join(root, program, 'dist/main.js')], {
      env: { PATH: process.env.PATH, ...unit.environment, ...environment, ...more },
      stdio: ['ignore', stdout, 'inherit'],
    });
    this.#children.push(child);
    return child;
  }

  async stop() {
    const ended = this.#children.map(
      (child) => child.exitCode ?? new Promise((resolve) => child.once('exit', resolve)),
    );
    for (const child of this.#children) child.kill('SIGTERM');
    await Promise.all(ended);
    for (const folder of [this.folder, this.#programs]) rmSync(folder, { recursive: true, force: true });
  }
}
