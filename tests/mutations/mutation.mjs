/**
 * What a mutation is, and the list of all of them.
 *
 * @typedef {object} Mutation
 * @property {string} why what goes wrong with it, as a user would notice
 * @property {string} file the source, from the root of the repository
 * @property {string} find text that occurs exactly once in it
 * @property {string} replace what stands there instead; it has to be TypeScript
 * @property {readonly string[]} tests the fewest files of tests/unit, without `.test.ts`, of which one is to fail
 * @property {string} [explained] why it survives and that is right; it must survive then
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { collecting } from './list/collecting.mjs';
import { commandLine } from './list/command-line.mjs';
import { delivery } from './list/delivery.mjs';
import { health } from './list/health.mjs';
import { logging } from './list/logging.mjs';
import { reading } from './list/reading.mjs';
import { sampleAges } from './list/sample-ages.mjs';
import { settingAside } from './list/set-aside.mjs';
import { settling } from './list/settling.mjs';
import { specialValues } from './list/special-values.mjs';
import { startTimes } from './list/start-times.mjs';
import { storing } from './list/storing.mjs';

/** @type {readonly Mutation[]} */
export const mutations = [
  ...collecting,
  ...reading,
  ...storing,
  ...sampleAges,
  ...settingAside,
  ...specialValues,
  ...startTimes,
  ...delivery,
  ...settling,
  ...health,
  ...logging,
  ...commandLine,
];

/** Where the file of a unit test is, from the root of the repository. */
export function testFile(name) {
  return `tests/unit/${name}.test.ts`;
}

/** What keeps a mutation from being made in the tree at `root`; one sentence each. */
export function problemsOf({ file, find, replace, tests }, root) {
  const path = join(root, file);
  if (!existsSync(path)) return [`${file}: there is no such file`];
  const times = readFileSync(path, 'utf8').split(find).length - 1;
  return [
    ...(times === 1 ? [] : [`${file}: ${JSON.stringify(find)} occurs ${times} times, not once`]),
    ...(find === replace ? [`${file}: ${JSON.stringify(find)} is replaced by itself`] : []),
    ...tests
      .map(testFile)
      .filter((test) => !existsSync(join(root, test)))
      .map((test) => `${file}: there is no ${test}`),
    ...(tests.length > 0 ? [] : [`${file}: no test is named for ${JSON.stringify(find)}`]),
  ];
}
