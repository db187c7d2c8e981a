/**
 * The mutation check: breaks the core modules one by one, in a copy of the tree, and sees whether a unit test notices.
 *
 *   npm run test:mutations                        all of them
 *   npm run test:mutations -- --only retention    those whose file or reason has the word
 *   npm run test:mutations -- --list              only looks whether each can be made, and names them
 */
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';
import { mutations, problemsOf } from './mutation.mjs';
import { Scratch } from './scratch.mjs';

const usage = 'usage: npm run test:mutations -- [--only WORD] [--list]';

function readArguments() {
  try {
    const options = { only: { type: 'string' }, list: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } };
    return parseArgs({ options }).values;
  } catch (error) {
    console.error(`${error.message}\n${usage}`);
    return process.exit(2);
  }
}

function chosenBy(word) {
  const chosen = mutations.filter(({ file, why }) => word === undefined || file.includes(word) || why.includes(word));
  if (chosen.length > 0) return chosen;
  console.error(`no mutation has the word "${word}" in its file or reason; --list names them all`);
  return process.exit(2);
}

/** What one mutation came to. */
async function judge(scratch, mutation) {
  const takeBack = scratch.mutate(mutation);
  try {
    const failure = await scratch.firstFailure(mutation.tests);
    if (failure === undefined && mutation.explained !== undefined)
      return { verdict: 'explained', note: mutation.explained, isBad: false };
    if (failure === undefined)
      return { verdict: 'SURVIVED', note: `none of ${mutation.tests.join(', ')} failed`, isBad: true };
    if (mutation.explained !== undefined) return { verdict: 'KILLED, THOUGH EXPLAINED', note: failure, isBad: true };
    return { verdict: 'killed', note: failure, isBad: false };
  } finally {
    takeBack();
  }
}

/** Without this, a test that fails anyway would kill everything. */
async function requireSoundTree(scratch, chosen) {
  const tests = [...new Set(chosen.flatMap((mutation) => mutation.tests))];
  console.log(`building the copy in ${scratch.folder}, and running its ${tests.length} files of tests as they are …`);
  const fault = (await scratch.build()) ?? (await scratch.firstFailure(tests));
  if (fault === undefined) return;
  throw new Error(`the tree is not sound before anything is broken: ${fault}`);
}

async function judgeAll(scratch, chosen) {
  const startedAt = performance.now();
  const results = [];
  for (const mutation of chosen) {
    const begun = performance.now();
    const result = { mutation, ...(await judge(scratch, mutation)) };
    results.push(result);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const leftMs = ((performance.now() - startedAt) / results.length) * (chosen.length - results.length);
    const place = `${String(results.length).padStart(String(chosen.length).length)}/${chosen.length}`;
    console.log(
      `${place}  ${result.verdict.padEnd(9)} ${seconds.padStart(5)} s  ${mutation.file}: ${mutation.why}  (${Math.ceil(leftMs / 60_000)} min left)`,
    );
  }
  return results;
}

function tell(results) {
  console.log('\n| file | mutation | verdict | by |\n|---|---|---|---|');
  const cell = (text) => text.replaceAll('|', '\\|').replace(/\s+/g, ' ');
  for (const { mutation, verdict, note } of results)
    console.log(`| ${mutation.file} | ${cell(mutation.why)} | ${verdict} | ${cell(note)} |`);
  const count = (word) => results.filter(({ verdict }) => verdict === word).length;
  const bad = results.filter(({ isBad }) => isBad).length;
  console.log(
    `\n${results.length} mutations: ${count('killed')} killed, ${count('explained')} explained, ${bad} not as they should be`,
  );
  return bad === 0;
}

async function check(chosen) {
  await prepare();
  const scratch = new Scratch(root);
  process.once('exit', () => scratch.remove());
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      console.error(`ended by ${signal}`);
      process.exit(1);
    });
  }
  await requireSoundTree(scratch, chosen);
  return tell(await judgeAll(scratch, chosen));
}

const { only, list, help } = readArguments();
if (help) {
  console.log(
    `${usage}\n\nBreaks the core modules one by one, in a copy of the tree, and sees whether a unit test notices.`,
  );
  process.exit(0);
}
const chosen = chosenBy(only);
const problems = chosen.flatMap((mutation) => problemsOf(mutation, root));
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
if (list) {
  for (const { file, why, tests } of chosen) console.log(`${file}: ${why}  (${tests.join(', ')})`);
  console.log(`${chosen.length} mutations`);
  process.exit(0);
}
try {
  process.exit((await check(chosen)) ? 0 : 1);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
