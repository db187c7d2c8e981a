/**
 * Bundles each program into one file plus one for each of its threads, with source maps; and puts what the status page
 * is made of beside them. What holds machine code stays outside, in node_modules. main.js, which starts a program,
 * checks the version of Node.js before the bundle is read: an older one would end in a SyntaxError at what it lacks.
 */
import {
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { oldestMajor, root } from './runtime.mjs';
import { findBundledPackages } from './sbom.ts';

const require = createRequire(import.meta.url);

/** The packages that hold machine code: they are not bundled, and go along with the programs. */
export const NATIVE_PACKAGES = ['better-sqlite3', 'koffi'];
/** What piscina would load for an option that is not used. */
const NOT_USED = ['@napi-rs/nice'];

/**
 * Lets the bundles load Node.js' own modules by require(). An import statement reads each property of such a module, also
 * those that load more on the first access: `import 'node:http'` loads undici and HTTP/2, which take 6 MB and 60 ms of CPU.
 */
const requireBuiltins = {
  name: 'require-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z]/ }, ({ path, kind }) => {
      if (!isBuiltin(path)) return undefined;
      return kind === 'require-call' ? { path, external: true } : { path, namespace: 'builtin' };
    });
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** HTTP/2 is not used, and got loads it for every program: 4 MB and 30 ms of CPU. */
const withoutHttp2 = {
  name: 'without-http2',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^http2-wrapper$/ }, ({ path }) => ({ path, namespace: 'not-used' }));
    onLoad({ filter: /.*/, namespace: 'not-used' }, () => ({ contents: 'export default {};' }));
  },
};

const PROGRAMS = {
  collector: {
    program: 'collector/src/main.ts',
    'integrity-worker': 'collector/src/store/recovery/integrity-worker.ts',
  },
  uploader: {
    program: 'uploader/src/main.ts',
    'encode-worker': 'uploader/src/encoding/encode-worker.ts',
    'history-worker': 'uploader/src/http/page/history-worker.ts',
    // piscina starts its threads with the file of this name beside the one that it is itself in.
    worker: join(dirname(require.resolve('piscina')), 'worker.js'),
  },
};

const PAGE = globSync('uploader/page/*', { cwd: root }).map((file) => join(root, file));

/** What stands at the top of each bundle: packages of CommonJS find what they know. */
const BANNER = [
  "import { createRequire as bundleRequire } from 'node:module';",
  'const require = bundleRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;',
].join('\n');

/** Returns the text of main.js; without a static import, so that it runs on Node.js 14.8 and later. */
function entryPoint() {
  const oldest = oldestMajor();
  return `if (Number.parseInt(process.versions.node, 10) < ${oldest}) {
  console.error(\`cannot start: Node.js ${oldest} or later is needed, and this is \${process.versions.node}; run this with node_modules/.bin/node\`);
  process.exit(1);
}
await import('./program.js');
`;
}

const SOURCES = [
  '{shared,collector,uploader}/src/**/*.ts',
  'uploader/page/*',
  'deploy/scripts/{bundle,runtime}.mjs',
  'package-lock.json',
  'package.json',
  'tsconfig*.json',
];
/** Its time is that of the last bundling, its content the packages that were bundled. */
const stamp = join(root, 'var', 'bundled.json');

const modifiedAt = (file) => (existsSync(file) ? statSync(file).mtimeMs : -Infinity);

function isStale() {
  const outputs = [
    stamp,
    ...Object.entries(PROGRAMS).flatMap(([program, entries]) =>
      ['main', ...Object.keys(entries)].map((name) => join(root, program, 'dist', `${name}.js`)),
    ),
  ];
  if (!outputs.every(existsSync)) return true;
  return globSync(SOURCES, { cwd: root }).some((file) => modifiedAt(join(root, file)) > modifiedAt(stamp));
}

/** Writes a file whose content has changed, in one step: a program that starts meanwhile reads the old one or the new one. */
function put(path, content) {
  if (existsSync(path) && readFileSync(path).equals(content)) return;
  mkdirSync(dirname(path), { recursive: true });
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, content);
  renameSync(fresh, path);
}

/** Bundles both programs, unless nothing has changed since the last time. */
export async function bundlePrograms() {
  if (!isStale()) return;
  const begunAt = new Date();
  const sources = [];
  for (const [program, entries] of Object.entries(PROGRAMS)) {
    const { outputFiles, metafile } = await build({
      entryPoints: Object.entries(entries).map(([out, file]) => ({ in: file, out })),
      absWorkingDir: root,
      outdir: `${program}/dist`,
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'node',
      target: `node${oldestMajor()}`,
      external: [...NATIVE_PACKAGES, ...NOT_USED],
      plugins: [requireBuiltins, withoutHttp2],
      banner: { js: BANNER },
      sourcemap: 'linked',
      sourcesContent: false,
      legalComments: 'none',
      // Less text to keep and parse: 4 MiB for both programs. Names stay, for stack traces.
      minifyWhitespace: true,
      minifySyntax: true,
    });
    for (const { path, contents } of outputFiles) put(path, Buffer.from(contents));
    sources.push(...Object.keys(metafile.inputs));
    put(join(root, program, 'dist', 'main.js'), Buffer.from(entryPoint()));
  }
  for (const file of PAGE) put(join(root, 'uploader', 'dist', 'page', file.split('/').at(-1)), readFileSync(file));
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, JSON.stringify(findBundledPackages([...sources, ...PAGE.map((file) => relative(root, file))])));
  utimesSync(stamp, begunAt, begunAt);
}

/** The folders of the packages of others that the bundles hold, such as `node_modules/got`. */
export function bundledPackages() {
  return JSON.parse(readFileSync(stamp, 'utf8'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundlePrograms();
