import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  readBooks,
  findDifferences,
  toStoredPoints,
  readStoredPoints,
  type StoredPoint,
} from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import type { ExportedSeries } from '../support/victoria-metrics.ts';
import { Container, type ContainerOptions } from './container.ts';

export type Program = 'collector' | 'uploader';
export const PROGRAMS: readonly Program[] = ['collector', 'uploader'];

/** Variables of a board in a hurry. */
const PACE = { DEVICE_ID: 'board-1', INTERVAL: '1s', UPLOAD_INTERVAL: '1s', PROBE_INTERVAL: '1s' };

/** One line of a program's log, as journalctl -o json has it. */
export interface JournalLine {
  readonly priority: number;
  readonly message: string;
}

/** A container with the package in it. */
export class Board {
  readonly container: Container;
  #variables: Record<string, string> = {};

  private constructor(container: Container) {
    this.container = container;
  }

  static async boot(packageFile: string | undefined, options: ContainerOptions = {}): Promise<Board> {
    const board = new Board(await Container.boot(options));
    // As an image for a fleet has it: the configuration is there before the package.
    board.configure(PACE);
    // A hang would be noticed after five minutes, a time that no test waits.
    for (const program of PROGRAMS)
      board.container.write(
        `etc/systemd/system/thugshells-${program}.service.d/watchdog.conf`,
        '[Service]\nWatchdogSec=10s\n',
      );
    const { code, stderr } = board.container.install(packageFile);
    if (code !== 0) throw new Error(`the package cannot be installed: ${stderr}`);
    return board;
  }

  /** Changes variables (without prefix) of the environment file; undefined takes one out. */
  configure(changes: Readonly<Record<string, string | undefined>>): void {
    const wanted = Object.entries({ ...this.#variables, ...changes });
    this.#variables = Object.fromEntries(wanted.filter((entry): entry is [string, string] => entry[1] !== undefined));
    this.container.write(
      'etc/thugshells/thugshells.env',
      Object.entries(this.#variables)
        .map(([name, value]) => `THUGSHELLS_${name}=${value}\n`)
        .join(''),
    );
  }

  property(program: Program, name: string): string {
    return this.container.property(`thugshells-${program}`, name);
  }

  /** The books as the uploader tells them, and the state. */
  status(): {
    readonly status: string;
    readonly books: Record<'collected' | 'delivered' | 'pending' | 'rejected' | 'dropped', number>;
  } {
    return JSON.parse(this.container.page('http://127.0.0.1:9109/status.json')) as ReturnType<Board['status']>;
  }

  /** Waits until so many more samples have been delivered. */
  async delivers(more = 50): Promise<void> {
    const before = await until('the uploader answers', () => this.status().books.delivered, 60_000);
    await until('samples are delivered', () => this.status().books.delivered >= before + more, 60_000);
  }

  /** What a program has logged, by whichever match of journalctl. */
  journal(match: string): JournalLine[] {
    const lines = this.container
      .output(`journalctl ${match} -o json --no-pager`)
      .split('\n')
      .filter((line) => line !== '');
    return lines
      .map((line) => JSON.parse(line) as { PRIORITY: string; MESSAGE: string })
      .map(({ PRIORITY, MESSAGE }) => ({ priority: Number(PRIORITY), message: MESSAGE }));
  }

  /**
   * Stops collecting, lets everything be delivered, and compares the database with what the receiver holds, sample by
   * sample, and with its own books; starts both again.
   *
   * @param before samples that have to be in the database still
   * @returns every difference; none if nothing was lost, doubled or changed, and nothing rejected
   */
  async lossesAfterDelivery(
    before: readonly StoredPoint[] = [],
  ): Promise<{ readonly stored: number; readonly found: readonly string[] }> {
    const { container } = this;
    container.output('systemctl stop thugshells-collector');
    // Asked of the database: what the uploader tells may be of the moment before the collector's last scrape.
    await until('nothing is pending', () => readBooks(this.#databasePath).pending === 0, 60_000);
    container.output('systemctl stop thugshells-uploader');
    const folder = mkdtempSync(join(tmpdir(), 'board-'));
    try {
      container.fetch('var/lib/thugshells', join(folder, 'state'));
      const database = join(folder, 'state', 'metrics.db');
      const stored = readStoredPoints(database);
      const found = [
        ...missing(before, stored),
        ...findBookDifferences(readBooks(database), stored.length),
        ...findDifferences(stored, toStoredPoints(this.#received())),
      ];
      return { stored: stored.length, found: found.slice(0, 10) };
    } finally {
      rmSync(folder, { recursive: true });
      container.output('systemctl start thugshells.target thugshells-collector thugshells-uploader');
    }
  }

  /** Every sample that the database holds at this moment. */
  readStoredPoints(): StoredPoint[] {
    return readStoredPoints(this.#databasePath);
  }

  get #databasePath(): string {
    return join(this.container.folder, 'var/lib/thugshells/metrics.db');
  }

  #received(): ExportedSeries[] {
    this.container.page('http://127.0.0.1:8428/internal/force_flush');
    const query = new URLSearchParams({
      'match[]': '{device_id="board-1"}',
      start: '0',
      end: String(Math.ceil(Date.now() / 1000) + 86_400),
    });
    const text = this.container.page(`http://127.0.0.1:8428/api/v1/export?${query.toString()}`);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as ExportedSeries);
  }

  async remove(): Promise<void> {
    await this.container.remove();
  }
}

/** What the books of a database say otherwise than its rows, all of which have been delivered. */
function findBookDifferences({ collected, delivered }: ReturnType<typeof readBooks>, stored: number): string[] {
  const counts = Object.entries({ collected, delivered });
  return counts
    .filter(([, count]) => count !== stored)
    .map(([name, count]) => `the books have ${count} ${name}, the table ${stored} rows`);
}

function missing(before: readonly StoredPoint[], stored: readonly StoredPoint[]): string[] {
  const present = new Set(stored.map((point) => JSON.stringify(point)));
  return before
    .map((point) => JSON.stringify(point))
    .filter((text) => !present.has(text))
    .map((text) => `no longer stored: ${text}`);
}
