import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { until } from '../support/until.ts';

const VAR = fileURLToPath(new URL('../../var', import.meta.url));

/** What a command in the container came to. */
export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ContainerOptions {
  /** The folder to copy; the one of `npm run test:systemd` if it is left out. */
  readonly tree?: string | undefined;
  /** Whether control groups are of version 2, as of Debian, also if those of this machine are of version 1. */
  readonly hasUnifiedCgroups?: boolean;
}

/** A Debian of its own, booted: systemd, a loopback interface and nothing else of the network. */
export class Container {
  readonly folder: string;
  readonly #nspawn: ChildProcess;
  readonly #ended: Promise<void>;
  #leader = '';

  private constructor(folder: string, hasUnifiedCgroups: boolean) {
    this.folder = folder;
    const args = [
      '--quiet',
      '-D',
      folder,
      '--boot',
      '--register=no',
      '--keep-unit',
      '--private-network',
      '--console=passive',
      `--machine=${basename(folder)}`,
    ];
    const cgroups = hasUnifiedCgroups ? { UNIFIED_CGROUP_HIERARCHY: '1' } : {};
    this.#nspawn = spawn('systemd-nspawn', args, { stdio: 'ignore', env: { ...process.env, ...cgroups } });
    this.#ended = new Promise((resolve) => this.#nspawn.once('exit', () => resolve()));
  }

  /** Boots a copy of the tree. */
  static async boot({
    tree = process.env['THUGSHELLS_TREE'],
    hasUnifiedCgroups = false,
  }: ContainerOptions = {}): Promise<Container> {
    if (tree === undefined) throw new Error('these tests are run by npm run test:systemd');
    const folder = mkdtempSync(join(VAR, 'container-'));
    spawnSync('cp', ['-a', `${tree}/.`, folder]);
    writeFileSync(
      join(folder, 'etc/default/victoria-metrics'),
      'ARGS="-storageDataPath=/var/lib/victoria-metrics -dedup.minScrapeInterval=1ms -retentionPeriod=100y"\n',
    );
    const container = new Container(folder, hasUnifiedCgroups);
    await until(
      'the container has booted',
      () => container.#findLeader() && container.run('systemctl is-system-running').stdout.trim() === 'running',
      90_000,
    );
    return container;
  }

  #findLeader(): boolean {
    const { pid } = this.#nspawn;
    if (this.#nspawn.exitCode !== null) throw new Error(`systemd-nspawn ended with ${this.#nspawn.exitCode}`);
    this.#leader = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return this.#leader !== '';
  }

  /** Runs a line of shell in the container, as root. */
  run(script: string): Answer {
    const { status, stdout, stderr } = spawnSync(
      'nsenter',
      ['-t', this.#leader, '-m', '-u', '-i', '-n', '-p', 'sh', '-c', script],
      {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
      },
    );
    return { code: status, stdout, stderr };
  }

  /** What a line of shell printed; fails with what it said where it does not end with 0. */
  output(script: string): string {
    const { code, stdout, stderr } = this.run(script);
    if (code !== 0) throw new Error(`${script}\nended with ${code}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  /** The text of a page of a server in the container. */
  page(url: string): string {
    return this.inNetwork('curl', '--silent', '--show-error', '--noproxy', '*', url);
  }

  /** What a command of this machine prints when it is run in the container's network. */
  inNetwork(...command: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync('nsenter', ['-t', this.#leader, '-n', ...command], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  }

  /** A property of a unit as systemctl shows it. */
  property(unit: string, name: string): string {
    return this.output(`systemctl show --property=${name} --value ${unit}`);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8');
  }

  /** Copies a file or folder of the container to `to`. */
  fetch(path: string, to: string): void {
    cpSync(join(this.folder, path), to, { recursive: true });
  }

  /** Copies a package into the container and installs it. */
  install(packageFile: string | undefined): Answer {
    copyFileSync(packageFile ?? '', join(this.folder, 'root/thugshells.deb'));
    return this.run('DEBIAN_FRONTEND=noninteractive dpkg --force-confold --force-unsafe-io -i /root/thugshells.deb');
  }

  /** Shuts it down and removes it. */
  async remove(): Promise<void> {
    this.run('systemctl poweroff');
    const late = setTimeout(() => this.#nspawn.kill('SIGKILL'), 30_000);
    await this.#ended;
    clearTimeout(late);
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(join(dirname(this.folder), `.#${basename(this.folder)}.lck`), { force: true });
  }
}
