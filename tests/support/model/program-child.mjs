/**
 * Runs the modules of one of the two programs in a process of its own. A test controls it over IPC: it sets the time, acts
 * as the receiver, and kills the process from outside or makes it kill itself before its nth statement.
 */
import process from 'node:process';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { CommitBatcher } from '../../../collector/src/scheduling/commit-batcher.ts';
import { Store } from '../../../collector/src/store/store.ts';
import { openDatabase, openMemory } from '../../../shared/src/database/open.ts';
import { Journal } from '../../../shared/src/logging/journal.ts';
import { createCounters } from '../../../shared/src/state/collector-status.ts';
import { createUploader, openQueue } from '../../../uploader/src/agent.ts';
import { loadUploaderConfig } from '../../../shared/src/config/uploader-config.ts';
import { Requeue } from '../../../uploader/src/queue/requeue.ts';
import { BatchPrefetcher } from '../../../uploader/src/delivery/batch-prefetcher.ts';
import { DrivenClock } from './driven-clock.mjs';

const built = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** SQLite's statements until the process kills itself. */
let statementsLeft = Infinity;
const statement = Object.getPrototypeOf(openMemory().prepare('SELECT 1'));
for (const name of ['run', 'get', 'all']) {
  const original = statement[name];
  statement[name] = function (...args) {
    statementsLeft -= 1;
    if (statementsLeft <= 0) process.kill(process.pid, 'SIGKILL');
    return original.apply(this, args);
  };
}

/** Warnings and errors belong to the test's report. */
const logger = {
  error: (msg, fields) => process.send({ log: { level: 'error', msg, ...fields } }),
  warn: (msg, fields) => process.send({ log: { level: 'warn', msg, ...fields } }),
  info() {},
  debug() {},
  child: () => logger,
};

const asked = new Map();
let questions = 0;

/** Sends a request to the test, which acts as the receiver. */
function ask(question) {
  const id = (questions += 1);
  process.send({ ask: id, question });
  return new Promise((resolve) => asked.set(id, resolve));
}

function collector({ clock, dbPath, builtAtMs, sessionId, ...limits }) {
  const store = new Store({
    ...{ clock, logger, dbPath, builtAtMs, ...limits },
    journal: new Journal(clock),
    session: {
      id: sessionId,
      startedAtMs: clock.now(),
      metadata: { version: '1', bootId: 'boot-1', kernel: '6.1', host: 'b1' },
    },
    syncIntervalMs: 30_000,
    deviceId: 'b1',
    labels: {},
    collectors: ['test'],
    readWrittenBytes: () => 0,
    checkWorkerFile: built('collector/src/store/recovery/integrity-worker.ts'),
  });
  store.open();
  const stop = new AbortController();
  const running = store.run(stop.signal);
  const batcher = new CommitBatcher({ clock, store, flushIntervalMs: limits.flushIntervalMs });
  const isEmpty = () => limits.flushIntervalMs === 0 && store.flush();
  return {
    /** Stores one scrape; the series' names follow their priority. Returns whether it is known to be stored. */
    scrape({ values }) {
      const at = { wallMs: clock.now(), monotonicMs: clock.monotonic(), sinceBootMs: clock.sinceBoot() };
      const readings = values.map(([index, value]) => ({
        series: {
          name: index % 3 === 0 ? 'low.x' : 'high.x',
          kind: 'gauge',
          unit: 'none',
          help: '',
          priority: index % 3 === 0 ? 0 : 1,
        },
        labels: { i: String(index) },
        value,
      }));
      const { samples, refusals } = store.admit(readings, at);
      if (refusals.length > 0) throw new Error(refusals.join());
      const status = {
        collector: 'test',
        status: 'ok',
        message: '',
        sinceMs: at.wallMs,
        intervalMs: 1_000,
        lastScrapeMs: at.wallMs,
        durationMs: 1,
        ...createCounters(),
      };
      batcher.add({ at, samples, status });
      return isEmpty();
    },
    flush: () => store.flush(),
    async stop() {
      const isStored = store.flush();
      stop.abort();
      await running;
      batcher.close();
      store.close();
      return isStored;
    },
  };
}

/** The last question since when the receiver runs. */
let lastQuestion = Promise.resolve();

/** Waits until its answer has been applied, so that the test sees each change of the database by itself. */
async function settleQuestion() {
  await lastQuestion;
  await setImmediate();
}

/** A client whose receiver is the test. */
const client = {
  format: 'json-lines',
  sendsOldestFirst: false,
  send: async ({ body }) => ({
    endpoint: 'http://receiver/',
    bytesSent: body.length,
    bytesReceived: 0,
    durationMs: 1,
    ...(await ask({ post: body })),
  }),
  expectRepeats: () => undefined,
  checksConnection: false,
  haveCredentialsChanged: () => false,
  checkReceiver: () => ask({ ping: true }),
  askStartTime: () => (lastQuestion = ask({ start: true })),
  requestDate: async () => ({ isReceivers: false }),
  // The test reports the ends of connections by the command connectionEnded.
  onRestartSign: () => undefined,
};

function uploader({ clock, receiverNow, dbPath, replayWindowMs, batchMetrics, chunkMetrics }) {
  const database = openDatabase(dbPath);
  const config = {
    ...loadUploaderConfig({}).values,
    dbPath,
    replayWindowMs,
    batchMetrics,
    chunkMetrics,
    // One attempt a cycle, and no warning of a clock that the test has set wrong.
    retryAttempts: 1,
    clockSkewWarnMs: Infinity,
  };
  const context = { clock, logger, config };
  const queue = openQueue(database, context);
  const { backlog, acknowledgements, settled } = queue;
  const stop = new AbortController();
  const { sender, encoder, chunkSize, transport, receiverClock, restartCheck, tooOld } = createUploader(queue, {
    ...context,
    client,
    // The collector is not to correct times by the receiver's clock here.
    bootId: undefined,
    builtAtMs: 0,
    encodeWorkerFile: built('uploader/src/encoding/encode-worker.ts'),
    isLinkUp: () => true,
    random: () => 0.5,
    firstCycleInMs: 0,
    onAttempt: () => undefined,
    stop: stop.signal,
  });
  receiverClock.set({ bootedAtMs: receiverNow() - clock.sinceBoot(), errorMs: 0 });
  const requeue = new Requeue(database, settled);
  let top;
  return {
    /** Runs one upload cycle. */
    async cycle() {
      const batches = new BatchPrefetcher(
        { backlog, acknowledgements, encoder, chunkSize, transport, tooOld },
        top ?? 0,
      );
      top = backlog.readLastId();
      sender.beginCycle();
      for (let batch = await batches.next(); batch !== undefined; batch = await batches.next()) {
        if ((await sender.send(batch, stop.signal, stop.signal)).isOver) return;
      }
    },
    commit: () => sender.commit(),
    async ping() {
      const response = await client.checkReceiver();
      if (response !== undefined) acknowledgements.recordResponse(response);
      sender.commit();
    },
    /** Raises a doubt; the question follows at once, and again whenever time passes. */
    async connectionEnded({ connection, idleMs }) {
      void restartCheck.onRestartSign({ kind: 'connection ended', connection, isAnnounced: false, idleMs });
      await settleQuestion();
    },
    requeue: ({ range, isQuarantined }) =>
      isQuarantined ? requeue.requeueQuarantined(range) : requeue.requeueDelivered(range),
    async stop() {
      sender.commit();
      stop.abort();
      await encoder.close();
      database.close();
    },
  };
}

let commands;
let clock;
let receiverMs;

const common = {
  start({ role, wallMs, trueMs, bootMs, ...options }) {
    clock = new DrivenClock(wallMs, bootMs);
    receiverMs = () => trueMs + clock.monotonic();
    commands = (role === 'collector' ? collector : uploader)({ clock, receiverNow: receiverMs, ...options });
  },
  async advance({ ms }) {
    await clock.advance(ms);
    await settleQuestion();
  },
  step: ({ ms }) => clock.step(ms),
  killBeforeStatement: ({ count }) => void (statementsLeft = count),
};

async function perform({ id, command, args }) {
  try {
    const result = await (common[command] ?? commands[command])(args ?? {});
    process.send({ id, result });
  } catch (error) {
    process.send({ id, error: error.stack });
  }
}

process.on('message', (message) => {
  if (message.answerTo === undefined) void perform(message);
  else asked.get(message.answerTo)(message.answer);
});
process.on('disconnect', () => process.exit());
process.send({ ready: true });
