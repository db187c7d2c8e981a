/**
 * What a drain takes under the limits that a unit can set: each program in a control group of its own, the drain's time
 * and the group's largest memory (page cache included, which the kernel takes back before it kills).
 *
 *   node tests/bench/limits.mjs [--samples 1000000] [--series 10000] [--memory 0,512,192,128,96] [--cpu 0,100,50,25]
 *
 * Memory in MiB and CPU in per cent of one core, 0 for no limit; needs root and control groups (version 1).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { drainOurs } from './parts/drain-ours.mjs';

const { values: options } = parseArgs({
  options: {
    samples: { type: 'string', default: '1000000' },
    series: { type: 'string', default: '10000' },
    memory: { type: 'string', default: '0,512,192,128,96' },
    cpu: { type: 'string', default: '0,100,50,25' },
  },
});
const GROUPS = '/sys/fs/cgroup';
const PERIOD_US = 100_000;
/** A drain that takes longer has failed: a killed uploader is not started again here. */
const DEADLINE_MS = 180_000;

if (process.getuid() !== 0 || !existsSync(`${GROUPS}/memory/memory.limit_in_bytes`)) {
  console.error('bench limits needs root and control groups of version 1 below /sys/fs/cgroup');
  process.exit(1);
}
await prepare();
const { fillDatabase } = await import('../support/fill-database.ts');

const group = (controller, name) => `${GROUPS}/${controller}/thugshells-bench-${name}`;

/** A group for a program, with its limits; gives what it came to. */
function confine(name, pid, { memoryMiB, cpuPercent }) {
  for (const controller of ['memory', 'cpu']) mkdirSync(group(controller, name), { recursive: true });
  if (memoryMiB > 0) writeFileSync(`${group('memory', name)}/memory.limit_in_bytes`, String(memoryMiB * 2 ** 20));
  if (cpuPercent > 0) {
    writeFileSync(`${group('cpu', name)}/cpu.cfs_period_us`, String(PERIOD_US));
    writeFileSync(`${group('cpu', name)}/cpu.cfs_quota_us`, String((cpuPercent / 100) * PERIOD_US));
  }
  for (const controller of ['memory', 'cpu']) writeFileSync(`${group(controller, name)}/cgroup.procs`, String(pid));
}

function found(name) {
  const read = (file) => readFileSync(`${group('memory', name)}/${file}`, 'utf8');
  const anonymous = Number(/^total_rss (\d+)$/m.exec(read('memory.stat'))?.[1]);
  const kills = Number(/^oom_kill (\d+)$/m.exec(read('memory.oom_control'))?.[1]);
  return {
    peakMiB: Math.round(Number(read('memory.max_usage_in_bytes')) / 2 ** 20),
    anonymousMiB: Math.round(anonymous / 2 ** 20),
    kills,
  };
}

async function removeGroups() {
  for (const name of ['collector', 'uploader']) {
    for (const controller of ['memory', 'cpu']) {
      for (let tries = 0; tries < 50 && existsSync(group(controller, name)); tries++) {
        try {
          rmdirSync(group(controller, name));
        } catch {
          await sleep(100);
        }
      }
    }
  }
}

async function measure(limits) {
  await removeGroups();
  const largest = { collector: 0, uploader: 0 };
  const watching = setInterval(() => {
    for (const name of Object.keys(largest))
      if (existsSync(group('memory', name))) largest[name] = Math.max(largest[name], found(name).anonymousMiB);
  }, 100);
  const pids = [];
  const drain = drainOurs({
    ...{ samples: Number(options.samples), series: Number(options.series), probe: '1s', fillDatabase },
    onStart: (name, pid) => pids.push(pid) && confine(name, pid, limits),
  });
  // A program that was killed is not there to be watched, and one that is throttled out of all use does not end.
  const result = await Promise.race([
    drain.catch((error) => ({ error })),
    sleep(DEADLINE_MS, { error: new Error(`not done after ${DEADLINE_MS / 1000} s`) }, { ref: false }),
  ]);
  clearInterval(watching);
  if (result.error !== undefined) {
    console.log(
      `memory ${limits.memoryMiB || 'free'}, cpu ${limits.cpuPercent || 'free'}: failed: ${result.error.message}; ${JSON.stringify({ collector: found('collector'), uploader: found('uploader') })}`,
    );
    for (const pid of pids) spawnSync('kill', ['-KILL', String(pid)]);
    process.exit(1);
  }
  const { visibleSeconds, scrapeDelaysMs } = result;
  const delays = [...scrapeDelaysMs].sort((a, b) => a - b);
  const sides = ['collector', 'uploader'].map(
    (name) => `${name} ${found(name).peakMiB} MiB, of it ${largest[name]} its own`,
  );
  console.log(
    `memory ${limits.memoryMiB || 'free'}, cpu ${limits.cpuPercent || 'free'}: visible after ${visibleSeconds.toFixed(1)} s, scrapes p99 ${delays[Math.floor(delays.length * 0.99)] ?? 0} ms late; ${sides.join('; ')}`,
  );
  await removeGroups();
}

const numbers = (text) => text.split(',').map(Number);
for (const memoryMiB of numbers(options.memory)) await measure({ memoryMiB, cpuPercent: 0 });
for (const cpuPercent of numbers(options.cpu).filter((percent) => percent > 0))
  await measure({ memoryMiB: 0, cpuPercent });
