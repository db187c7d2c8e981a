import type { ValueFormat } from './formats.ts';

/** Each process of a name is two reads more at each scrape. */
const MAX_NAMES = 50;
/** A file has no longer name (NAME_MAX). */
const MAX_NAME_BYTES = 255;

/** Parses names of processes, separated by white space; may be empty. */
export const processList: ValueFormat<readonly string[]> = {
  expected: `names of processes split on white space, up to ${MAX_NAMES}, such as encoder or gst-launch-1.0`,
  problem: (text) =>
    splitWords(text)
      .map((name, index) => findProblem(name, index + 1))
      .find((problem) => problem !== undefined),
  parse(text) {
    const names = [...new Set(splitWords(text))];
    return names.length <= MAX_NAMES && names.every((name, index) => findProblem(name, index + 1) === undefined)
      ? names
      : undefined;
  },
};

function splitWords(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** What is no name is called by its place: it may be a password that was pasted here. */
function findProblem(name: string, place: number): string | undefined {
  if (name.includes('/')) return `word ${place} is a path; name the last part of it`;
  if (/[,\p{Cc}]/u.test(name) || Buffer.byteLength(name) > MAX_NAME_BYTES)
    return `word ${place} is no name of a process`;
  return undefined;
}
