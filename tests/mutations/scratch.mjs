/** A copy of the tree in which sources may be broken: built and tested apart from the one that people work in. */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';

import ts from 'typescript';

import { testFile } from './mutation.mjs';

/** For each file of tests, also on a busy machine: a mutation that makes one wait for ever is found out too. */
const FILE_TIMEOUT_MS = 120_000;
/** What a single test may take: longer than any does, and shorter than a wait for what will never come. */
const TEST_TIMEOUT_MS = 30_000;
const JEST = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
const OUR_PACKAGES = '@thugshells';

export class Scratch {
  #child;

  /** @param root the tree to copy: what git knows of it and what is new, but nothing that was built */
  constructor(root) {
    this.folder = mkdtempSync(join(tmpdir(), 'thugshells-mutations-'));
    const { stdout, status } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${root} is no git repository: what is to be copied is not known`);
    for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
      cpSync(join(root, file), join(this.folder, file));
    }
    this.#linkPackages(join(root, 'node_modules'));
  }

  /** Other people's packages are used where they are; our own must be those of the copy. */
  #linkPackages(installed) {
    const modules = join(this.folder, 'node_modules');
    mkdirSync(join(modules, OUR_PACKAGES), { recursive: true });
    for (const name of readdirSync(installed))
      if (name !== OUR_PACKAGES) symlinkSync(join(installed, name), join(modules, name));
    for (const name of readdirSync(join(installed, OUR_PACKAGES)))
      symlinkSync(join(this.folder, name), join(modules, OUR_PACKAGES, name));
  }

  /** Makes a mutation in the source, which is what tests run; the returned function takes it back. */
  mutate({ file, find, replace }) {
    const text = readFileSync(join(this.folder, file), 'utf8');
    this.#write(
      file,
      text.replace(find, () => replace),
    );
    return () => this.#write(file, text);
  }

  /** Looks at the file by itself, as isolatedModules allows: the compiler would look at the whole tree for every one. */
  #write(file, text) {
    writeFileSync(join(this.folder, file), text);
    if (!file.endsWith('.ts')) return;
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true };
    const { diagnostics } = ts.transpileModule(text, {
      fileName: file,
      compilerOptions: options,
      reportDiagnostics: true,
    });
    const [fault] = diagnostics ?? [];
    if (fault !== undefined)
      throw new Error(
        `${file} with this mutation is no TypeScript: ${ts.flattenDiagnosticMessageText(fault.messageText, ' ')}`,
      );
  }

  /** Bundles the programs; what is said against it, undefined where there is nothing to say. */
  async build() {
    const { status, output } = await this.#node(['deploy/scripts/bundle.mjs'], FILE_TIMEOUT_MS);
    return status === 0 ? undefined : output.trim();
  }

  /** Runs unit tests; the full name of the first one that failed, undefined where none did. */
  async firstFailure(tests) {
    const results = join(this.folder, 'var', 'results.json');
    mkdirSync(dirname(results), { recursive: true });
    rmSync(results, { force: true });
    const timeoutMs = FILE_TIMEOUT_MS * tests.length;
    const { status } = await this.#node(
      [...JEST, ...this.#jestOptions(results), '--runTestsByPath', ...tests.map(testFile)],
      timeoutMs,
    );
    if (status === 0) return undefined;
    if (!existsSync(results)) return `(no end within ${timeoutMs / 1000} s)`;
    const { testResults } = JSON.parse(readFileSync(results, 'utf8'));
    const failed = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .find((test) => test.status === 'failed');
    return failed?.fullName ?? `(a file that does not run: ${testResults[0]?.message.trim().split('\n')[0] ?? ''})`;
  }

  /** One process, one worker, and an end at the first failure. */
  #jestOptions(resultsFile) {
    const ours = join(this.folder, 'tests', 'mutations');
    const quick = [
      '-i',
      '--bail',
      `--env=${join(ours, 'fail-fast-environment.mjs')}`,
      `--setupFilesAfterEnv=${join(ours, 'no-shrinking.mjs')}`,
    ];
    const quiet = ['--silent', '--json', `--outputFile=${resultsFile}`];
    return [
      ...quick,
      ...quiet,
      `--testTimeout=${TEST_TIMEOUT_MS}`,
      `--cacheDirectory=${join(this.folder, 'var', 'jest')}`,
    ];
  }

  /** Ends what runs in the copy, and removes it. */
  remove() {
    this.#child?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Runs a script to its end, or to a time at which it is killed. */
  #node(args, timeoutMs) {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, args, {
        cwd: this.folder,
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      this.#child = child;
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (part) => (output += part));
      child.once('close', (status) => resolve({ status, output }));
    });
  }
}
