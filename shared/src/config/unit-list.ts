import type { ValueFormat } from './formats.ts';

/** Each unit is several files at each scrape. */
const MAX_UNITS = 100;
/** Types of units that have a control group, and those that have none (systemd.unit(5)). */
const WITH_PROCESSES = ['service', 'slice', 'scope', 'socket', 'mount', 'swap'];
const WITHOUT_PROCESSES = ['target', 'timer', 'path', 'device', 'automount'];
const unitName = /^[A-Za-z0-9:_.\\@-]{1,255}$/;

/**
 * Parses names of systemd units, separated by white space; may be empty. A name without a type is that of a service, as for
 * systemctl.
 */
export const unitList: ValueFormat<readonly string[]> = {
  expected: `names of systemd units split on white space, up to ${MAX_UNITS}, such as encoder.service, camera@1.service or encoder.slice`,
  problem: (text) =>
    splitWords(text)
      .map((unit, index) => findProblem(unit, index + 1))
      .find((problem) => problem !== undefined),
  parse(text) {
    const units = [...new Set(splitWords(text))];
    return units.length <= MAX_UNITS && units.every((unit, index) => findProblem(unit, index + 1) === undefined)
      ? units
      : undefined;
  },
};

function splitWords(text: string): string[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => (hasType(word) ? word : `${word}.service`));
}

function hasType(word: string): boolean {
  return [...WITH_PROCESSES, ...WITHOUT_PROCESSES].some((type) => word.endsWith(`.${type}`));
}

/** What is no name is called by its place: it may be a password that was pasted here. */
function findProblem(unit: string, place: number): string | undefined {
  if (!unitName.test(unit)) return `word ${place} is no name of a unit`;
  if (/@\.[a-z]+$/.test(unit)) return `names the template ${unit}; name an instance, or the slice of all of them`;
  if (unit === '-.slice') return 'names -.slice, which is the whole device';
  if (WITHOUT_PROCESSES.some((type) => unit.endsWith(`.${type}`))) return `names ${unit}, which has no processes`;
  return undefined;
}
