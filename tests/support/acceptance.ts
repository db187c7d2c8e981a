/**
 * Checks the acceptance list, tests/acceptance.md. A line of it names a test as `tests/unit/x.test.ts A-12`; the test
 * bears the id at the end of its title, `… (A-12)`, so that the title can be changed without breaking the list.
 */

/** A test as the results reporter records it. */
export interface FinishedTest {
  /** Relative to the root. */
  readonly file: string;
  readonly fullName: string;
  readonly status: string;
}

/** The text of a file of tests. */
export interface TestSource {
  /** Relative to the root. */
  readonly file: string;
  readonly text: string;
}

interface AcceptanceEntry {
  readonly file: string;
  readonly id: string;
}

const ID_IN_TITLE = /\((A-\d+)\)['"`]/g;

function parseEntries(list: string): AcceptanceEntry[] {
  return [...list.matchAll(/`(tests\/\S+\.test\.ts) (A-\d+)`/g)].map(([, file, id]) => ({ file: file!, id: id! }));
}

/**
 * Compares the list with the tests that ran. A case of `test.each` counts as a test of its own.
 *
 * @param list Markdown
 * @param folders of the tests that this run has to run, such as `tests/unit/`; what is elsewhere is another suite's
 * @returns one sentence for each entry that has no test, or a test that did not pass
 */
export function checkAcceptance(
  list: string,
  tests: readonly FinishedTest[],
  folders: readonly string[] = ['tests/'],
): string[] {
  const entries = parseEntries(list).filter(({ file }) => folders.some((folder) => file.startsWith(folder)));
  if (entries.length === 0) return ['the list names no test'];
  return entries.flatMap(({ file, id }) => {
    const named = tests.filter((test) => test.file === file && test.fullName.endsWith(`(${id})`));
    if (named.length === 0) return [`${id} did not run: no test of ${file} ends with (${id})`];
    return named
      .filter(({ status }) => status !== 'passed')
      .map(({ fullName }) => `${id} did not pass: ${file}: ${fullName}`);
  });
}

/**
 * Compares the ids of the list with those in the titles of tests.
 *
 * @param list Markdown
 * @returns one sentence for each id that two titles bear, that only one side has, or that the list looks for elsewhere
 */
export function checkAcceptanceIds(list: string, sources: readonly TestSource[]): string[] {
  const entries = parseEntries(list);
  const borne = sources.flatMap(({ file, text }) => [...text.matchAll(ID_IN_TITLE)].map(([, id]) => ({ file, id })));
  const duplicates = borne.filter(({ id }, index) => borne.findIndex((other) => other.id === id) !== index);
  const unlisted = borne.filter(({ id }) => !entries.some((entry) => entry.id === id));
  const missing = entries.filter(({ file, id }) => !borne.some((test) => test.id === id && test.file === file));
  return [
    ...duplicates.map(({ file, id }) => `${id} is used twice, the second time in ${file}: take the next free number`),
    ...unlisted.map(({ file, id }) => `${id} of ${file} is not in the list: add it, or remove it from the title`),
    ...missing.map(({ file, id }) => `${id} is not in ${file}: name the file that has it`),
  ];
}
