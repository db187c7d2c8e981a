import { computeCount, computeValue, type SimulatedText } from './simulated-values.ts';

const UNITS = ['encoder.service', 'ssh.service'];

/** Creates the control groups of two units below /sys, by the path of each file. */
export function createCgroupTexts(): Map<string, SimulatedText> {
  const texts = new Map<string, SimulatedText>([
    ['fs/cgroup/cgroup.controllers', () => 'cpuset cpu io memory pids\n'],
    ['fs/cgroup/system.slice/cgroup.events', () => 'populated 1\nfrozen 0\n'],
  ]);
  for (const [index, unit] of UNITS.entries()) {
    const path = `fs/cgroup/system.slice/${unit}`;
    const load = { swing: 0.6, periodS: 90, phase: index };
    const count = (uptimeS: number, mean: number) => computeCount(uptimeS, { ...load, mean });
    texts.set(`${path}/cgroup.events`, () => 'populated 1\nfrozen 0\n');
    texts.set(`${path}/pids.current`, () => `${4 - 3 * index}\n`);
    texts.set(`${path}/memory.events`, () => 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n');
    texts.set(
      `${path}/memory.current`,
      (uptimeS) => `${4096 * Math.round(computeValue(uptimeS, { ...load, mean: 20_000, swing: 0.1 }))}\n`,
    );
    texts.set(`${path}/cpu.stat`, (uptimeS) => {
      const used = count(uptimeS, 200_000);
      return `usage_usec ${used}\nuser_usec ${used - Math.floor(used / 4)}\nsystem_usec ${Math.floor(used / 4)}\n`;
    });
    texts.set(
      `${path}/io.stat`,
      (uptimeS) =>
        `179:0 rbytes=${count(uptimeS, 1000)} wbytes=${count(uptimeS, 9000)} rios=1 wios=1 dbytes=0 dios=0\n`,
    );
  }
  return texts;
}
