// Longer than a file should be: one soak, its faults and what is compared at its end.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import { AgentProcess } from '../support/agent-process.ts';
import { readBooks, findDifferences, toStoredPoints, readStoredPoints, countRows } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

import { delaysOf, heldEpochs, keptOf, readLastId, unconfirmedRows } from './comparison.ts';
import { CostMeter, type Costs } from './costs.ts';
import { describeFault, planFaults, type Fault } from './fault-plan.ts';
import { FaultyLink } from './faulty-link.ts';
import { SeededRandom } from './random.ts';

export interface SoakOptions {
  readonly durationMs: number;
  readonly withFaults: boolean;
  /** Of the faults and their moments. */
  readonly seed: number;
  /** Where the programs' logs are written when it ends; undefined to let them go. */
  readonly logs: string | undefined;
  /** Told of each fault, and every ten seconds how it stands. */
  readonly tell: (line: string) => void;
}

/** How a soak ended. */
export interface SoakResult {
  readonly collected: number;
  readonly pending: number;
  readonly rejected: number;
  readonly dropped: number;
  /** In words: rows, books and receiver; empty where they agree. */
  readonly differences: readonly string[];
  /** Samples at whose time their series has another one, after the clock was set back: a receiver keeps one of them. */
  readonly shared: number;
  readonly kills: number;
  readonly costs: Readonly<Record<'collector' | 'uploader', Costs>>;
  readonly wireBytes: number;
  /** How much later than a second after the one before it each scrape came. */
  readonly scrapeDelaysMs: readonly number[];
  /** How old the newest sample of a series was in the receiver, looked at once a second while it could be asked. */
  readonly freshnessMs: readonly number[];
}

type Program = 'collector' | 'uploader';

const SCRAPE_INTERVAL_MS = 1_000;
const TELL_EVERY_MS = 10_000;
/** Samples of a script, beside those of the kernel. */
const USER_SERIES = 130;
/** After the last fault: a backlog of all of it, over a machine that does other things too. */
const DRAIN_DEADLINE_MS = 600_000;
const CLOCK = pathToFileURL(join(import.meta.dirname, 'stepped-clock.mjs')).href;

/** Both programs at a second's pace against a real VictoriaMetrics, over a link that fails, with kills and wrong clocks. */
export class Soak {
  readonly #options: SoakOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'soak-'));
  readonly #database = join(this.#folder, 'metrics.db');
  readonly #clockFile = join(this.#folder, 'clock');
  readonly #meters = { collector: new CostMeter(), uploader: new CostMeter() };
  readonly #running = new Map<Program, AgentProcess>();
  readonly #started: { readonly program: Program; readonly agent: AgentProcess }[] = [];
  readonly #freshnessMs: number[] = [];
  /** Which change of link and clock was the last: the end of an earlier one changes nothing. */
  #linkTurn = 0;
  #clockTurn = 0;
  #isClockRight = true;
  #kills = 0;
  #receiver: VictoriaMetrics | undefined;
  #link: FaultyLink | undefined;

  constructor(options: SoakOptions) {
    this.#options = options;
  }

  async run(): Promise<SoakResult> {
    try {
      this.#receiver = await startVictoriaMetrics();
      this.#link = await FaultyLink.open(() => this.#receiver!.port);
      mkdirSync(join(this.#folder, 'textfiles'));
      this.#setClock(0);
      this.#start('collector');
      this.#start('uploader');
      await this.#live();
      return await this.#settle();
    } finally {
      for (const agent of this.#running.values()) await agent.kill('SIGKILL');
      this.#writeLogs();
      await this.#link?.close();
      await this.#receiver?.stop();
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  #start(program: Program): void {
    const variables = {
      ...{ DB_PATH: this.#database, DEVICE_ID: 'soaked', TEXTFILE_DIR: join(this.#folder, 'textfiles') },
      ...{
        INTERVAL: `${SCRAPE_INTERVAL_MS}ms`,
        UPLOAD_INTERVAL: '1s',
        PROBE_INTERVAL: '1s',
        RETRY_INITIAL: '500ms',
        REMOTE_TIMEOUT: '10s',
      },
      ...{ REMOTE_URL: `${this.#link!.url}/api/v1/import`, CLOCK_SKEW_INTERVAL: '10s', HEALTH_PORT: '0' },
    };
    const environment = Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [`THUGSHELLS_${name}`, value]),
    );
    const clock = { SOAK_CLOCK_FILE: this.#clockFile, NODE_OPTIONS: `--import=${CLOCK}` };
    const agent = new AgentProcess(program, { ...environment, ...clock });
    this.#running.set(program, agent);
    this.#started.push({ program, agent });
  }

  #writeLogs(): void {
    const { logs } = this.#options;
    if (logs === undefined) return;
    mkdirSync(logs, { recursive: true });
    for (const program of ['collector', 'uploader']) {
      const lines = this.#started
        .filter((each) => each.program === program)
        .flatMap(({ agent }) => [...agent.lines, ...agent.problems]);
      writeFileSync(join(logs, `${program}.log`), `${lines.join('\n')}\n`);
    }
  }

  /** The time with faults: what is planned for a moment that has passed comes at once, one after the other. */
  async #live(): Promise<void> {
    const { durationMs, seed, withFaults, tell } = this.#options;
    const plan = withFaults ? planFaults(new SeededRandom(seed), durationMs) : [];
    const startedAt = performance.now();
    const elapsed = (): number => performance.now() - startedAt;
    const watching = new AbortController();
    const watched = this.#watch(watching.signal);
    for (const { atMs, fault } of plan) {
      await delay(Math.max(0, atMs - elapsed()));
      tell(`${(elapsed() / 1000).toFixed(1).padStart(7)} s  ${describeFault(fault)}`);
      await this.#apply(fault);
    }
    await delay(Math.max(0, durationMs - elapsed()));
    watching.abort();
    await watched;
  }

  async #apply(fault: Fault): Promise<void> {
    if (fault.kind === 'kill') return this.#kill(fault.victim, fault.awayMs);
    if (fault.kind === 'link') {
      const turn = (this.#linkTurn += 1);
      this.#link!.setFault(fault.link);
      void delay(fault.forMs).then(() => turn === this.#linkTurn && this.#link!.setFault(undefined));
    } else {
      const turn = (this.#clockTurn += 1);
      this.#setClock(fault.offsetMs);
      void delay(fault.forMs).then(() => turn === this.#clockTurn && this.#setClock(0));
    }
  }

  async #kill(victim: Program | 'receiver', awayMs: number): Promise<void> {
    this.#kills += 1;
    if (victim === 'receiver') {
      await this.#receiver!.kill('SIGKILL');
      await delay(awayMs);
      await this.#receiver!.restart();
      return;
    }
    await this.#running.get(victim)!.kill('SIGKILL');
    await delay(awayMs);
    this.#start(victim);
    this.#requireSoundBooks();
  }

  #setClock(offsetMs: number): void {
    writeFileSync(this.#clockFile, String(offsetMs));
    this.#isClockRight = offsetMs === 0;
  }

  /** Writes what a script would write, looks at what the programs cost and how fresh the receiver is, and tells. */
  async #watch(signal: AbortSignal): Promise<void> {
    for (let second = 0; !signal.aborted; second++) {
      this.#writeUserSamples(second);
      for (const program of ['collector', 'uploader'] as const)
        this.#meters[program].look(this.#running.get(program)!.pid);
      const freshness = await this.#freshness().catch(() => undefined);
      if (freshness !== undefined && this.#isClockRight) this.#freshnessMs.push(freshness);
      if ((second * SCRAPE_INTERVAL_MS) % TELL_EVERY_MS === 0) this.#tellBooks();
      await delay(SCRAPE_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #writeUserSamples(turn: number): void {
    const lines = Array.from(
      { length: USER_SERIES },
      (_, index) => `soak_value{place="${index}"} ${(turn * 7 + index * 13) % 1000}`,
    );
    const file = join(this.#folder, 'textfiles', 'soak.prom');
    writeFileSync(`${file}.tmp`, `# TYPE soak_value gauge\n${lines.join('\n')}\n`);
    renameSync(`${file}.tmp`, file);
  }

  async #freshness(): Promise<number | undefined> {
    const query = encodeURIComponent('tlast_over_time(load_average_1m[5m])');
    const answer = await fetch(`${this.#receiver!.url}/api/v1/query?query=${query}&nocache=1`, {
      headers: { connection: 'close' },
    });
    const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
    const newestMs = Number(data.result[0]?.value[1] ?? NaN) * 1000;
    // From a time when the clock was ahead.
    return newestMs > Date.now() || Number.isNaN(newestMs) ? undefined : Date.now() - newestMs;
  }

  #requireSoundBooks(): void {
    const { collected, delivered, pending, rejected, dropped } = readBooks(this.#database);
    if (pending < 0 || collected !== delivered + pending + rejected + dropped)
      throw new Error(`the books do not balance: ${JSON.stringify(readBooks(this.#database))}`);
  }

  #tellBooks(): void {
    try {
      const { collected, delivered, pending } = readBooks(this.#database);
      this.#options.tell(
        `           collected ${collected}, delivered ${delivered}, pending ${pending}, kills ${this.#kills}`,
      );
    } catch {
      // Not made yet.
    }
  }

  /** Everything works again: waits until all is delivered, and compares. */
  async #settle(): Promise<SoakResult> {
    this.#linkTurn += 1;
    this.#clockTurn += 1;
    this.#link!.setFault(undefined);
    this.#setClock(0);
    // Only then what a killed uploader or receiver had last is pending again.
    const uploads = (): number => this.#running.get('uploader')!.told('uploaded').length;
    const before = uploads();
    await until('the uploader delivers after the last fault', () => uploads() > before, DRAIN_DEADLINE_MS);
    await until(
      'the collector stores again',
      () => this.#running.get('collector')!.told('collector started').length > 0,
    );
    await until('the true time of every row is known', () => heldEpochs(this.#database) === 0, DRAIN_DEADLINE_MS);
    // What a kill of the receiver has left in doubt is delivered in the books, and sent again once the doubt is settled.
    const lastId = readLastId(this.#database);
    await until('it is confirmed', () => unconfirmedRows(this.#database, lastId) === 0, DRAIN_DEADLINE_MS);
    await this.#running.get('collector')!.stop();
    await until('nothing is pending', () => readBooks(this.#database).pending === 0, DRAIN_DEADLINE_MS);
    await this.#running.get('uploader')!.stop();
    const { pending, delivered, rejected, dropped, collected } = readBooks(this.#database);
    const stored = readStoredPoints(this.#database);
    const exported = toStoredPoints(await this.#receiver!.export());
    const { kept, shared } = keptOf(stored, exported);
    const found = findDifferences(kept, exported);
    const rows = countRows(this.#database);
    if (
      rows.pending !== pending ||
      rows.delivered !== delivered ||
      rows.rejected !== rejected ||
      stored.length + dropped !== collected
    ) {
      found.push(
        `books ${JSON.stringify({ collected, pending, delivered, rejected, dropped })}, rows ${JSON.stringify(rows)}`,
      );
    }
    return {
      shared,
      ...{ collected, pending, rejected, dropped, differences: found, kills: this.#kills },
      costs: { collector: this.#meters.collector.costs, uploader: this.#meters.uploader.costs },
      wireBytes: this.#link!.bytesSent,
      scrapeDelaysMs: delaysOf(stored, SCRAPE_INTERVAL_MS),
      freshnessMs: this.#freshnessMs,
    };
  }
}
