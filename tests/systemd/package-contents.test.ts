/** What the packages of both architectures hold; nothing is installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const { THUGSHELLS_PACKAGE: own, THUGSHELLS_FOREIGN_PACKAGE: foreign } = process.env;
const packages = [own, foreign].map((file = '') => {
  const [, architecture = 'none'] = /_(amd64|arm64)\.deb$/.exec(file) ?? [];
  return { architecture, file };
});

const PROGRAMS = ['collector', 'uploader'];
const DOCUMENTS = 'usr/share/doc/thugshells';

test('a package is built for each architecture', () => {
  expect(packages.map(({ architecture }) => architecture).sort()).toEqual(['amd64', 'arm64']);
});

describe.each(packages)('the package for $architecture', ({ architecture, file }) => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'package-'));
    expect(spawnSync('dpkg-deb', ['-x', file, folder]).status).toBe(0);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  function filesBelow(path: string): string[] {
    const entries = readdirSync(join(folder, path), { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(join(folder, path), join(entry.parentPath, entry.name)));
  }

  test('has no error and no warning of lintian', () => {
    const { status, stdout, stderr } = spawnSync('lintian', ['--fail-on', 'error,warning', '--allow-root', file], {
      encoding: 'utf8',
    });
    expect([stdout, stderr, status]).toEqual(['', '', 0]);
  });

  test('is of that architecture', () => {
    expect(spawnSync('dpkg-deb', ['-f', file, 'Architecture'], { encoding: 'utf8' }).stdout.trim()).toBe(architecture);
  });

  test('holds no package of npm but the native ones', () => {
    const arch = architecture === 'amd64' ? 'x64' : architecture;
    const modules = filesBelow('usr/lib/thugshells/node_modules').map((path) => /^(@[^/]+\/)?[^/]+/.exec(path)![0]);
    expect([...new Set(modules)].sort()).toEqual([`@koromix/koffi-linux-${arch}`, 'better-sqlite3', 'koffi']);
    expect(
      filesBelow('usr/lib/thugshells').filter(
        (path) => !path.startsWith('node_modules/') && path.includes('node_modules'),
      ),
    ).toEqual([]);
  });

  test('holds the changelog, the dashboards and the alert rules, and not the acceptance list', () => {
    const documents = filesBelow(DOCUMENTS);
    const dashboards = readdirSync(join(import.meta.dirname, '../../deploy/grafana'), {
      recursive: true,
      encoding: 'utf8',
    }).filter((path) => path.endsWith('.json'));
    expect(dashboards.length).toBeGreaterThan(1);
    const wanted = [
      'CHANGELOG.md',
      'README.md',
      'SECURITY.md',
      'LICENSE.node',
      'deploy/alerts/alertmanager.yml',
      'deploy/alerts/thugshells.yml',
      ...dashboards.map((path) => `deploy/grafana/${path}`),
    ];
    expect(documents).toEqual(expect.arrayContaining(wanted));
    expect(documents).not.toContain('tests/acceptance.md');
  });

  test('holds what every relative link of its documents leads to', () => {
    const texts = filesBelow(DOCUMENTS).filter((path) => path.endsWith('.md'));
    const links = texts.flatMap((path) => {
      const text = readFileSync(join(folder, DOCUMENTS, path), 'utf8');
      const targets = [...text.matchAll(/\]\(([^)\s]+)[^)]*\)|^\[[^\]]+\]: *(\S+)/gm)].map(([, inline, defined]) =>
        (inline ?? defined)!.replace(/#.*/, ''),
      );
      return targets.filter((target) => target !== '' && !/^[a-z]+:/.test(target)).map((target) => ({ path, target }));
    });
    expect(links.length).toBeGreaterThan(20);
    const broken = links.filter(({ path, target }) => !existsSync(join(folder, DOCUMENTS, dirname(path), target)));
    expect(broken.map(({ path, target }) => `${path}: ${target}`)).toEqual([]);
  });

  test.each(PROGRAMS)('holds a manual page of thugshells-%s that man(1) formats without a warning', (program) => {
    const page = join(folder, `usr/share/man/man8/thugshells-${program}.8.gz`);
    const { status, stdout, stderr } = spawnSync('mandoc', ['-T', 'lint', page], { encoding: 'utf8' });
    expect([stdout, stderr, status]).toEqual(['', '', 0]);
    expect(gunzipSync(readFileSync(page)).toString()).toContain('check\\-config');
  });

  test.each(PROGRAMS)('holds completions of thugshells-%s where bash, zsh and fish look for them', (program) => {
    expect(filesBelow('usr/share')).toEqual(
      expect.arrayContaining([
        `bash-completion/completions/thugshells-${program}`,
        `zsh/vendor-completions/_thugshells-${program}`,
        `fish/vendor_completions.d/thugshells-${program}.fish`,
      ]),
    );
  });
});
