import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** The walls between the rooms: who may import whom, and which library has which one door. */

const doors = {
  'better-sqlite3': 'shared/src/database/open.ts',
  convict: 'shared/src/config/load-config.ts',
  winston: 'shared/src/logging/logger.ts',
  koffi: 'shared/src/process/unix-datagram.ts',
  got: 'uploader/src/transport/http-transport.ts',
  'https-proxy-agent': 'uploader/src/transport/connection-pool.ts',
  'proxy-from-env': 'uploader/src/config.ts',
  piscina: 'uploader/src/encoding/encoder-pool.ts',
  'prom-client': 'uploader/src/http/metrics.ts',
};

const nobodyImportsMain = { regex: '/main\\.ts$', message: 'main.ts constructs; nobody imports it' };

const closedDoors = (open = []) =>
  Object.entries(doors)
    .filter(([library]) => !open.includes(library))
    .map(([library, room]) => ({ regex: `^${library}(/|$)`, message: `the one door to ${library} is ${room}` }));

const imports = (patterns, open) => ({
  'no-restricted-imports': ['error', { patterns: [nobodyImportsMain, ...closedDoors(open), ...patterns] }],
});

const notUploader = { regex: 'uploader', message: 'collector → shared ← uploader; never each other' };
const notCollector = { regex: 'collector', message: 'collector → shared ← uploader; never each other' };

const sharedWall = [
  { regex: '@thugshells/', message: 'shared imports neither program' },
  { regex: '(^|/)(collector|uploader)/', message: 'shared imports neither program' },
];
const collectorWall = [{ ...notUploader, regex: '(@thugshells/|\\.\\./)uploader' }];
/** It never touches the network, but for scrape targets on its own machine. */
const noNetwork = { regex: '^node:(http|https|http2|net|tls|dgram|dns)(/|$)', message: 'the collector’s one door to a network is scrape-page.ts' };
const uploaderWall = [{ ...notCollector, regex: '(@thugshells/|\\.\\./\\.\\./)collector' }];

/** A collector reads the kernel and makes readings: it knows no clock, log, configuration or database. */
const collectorsWall = [
  ...collectorWall,
  {
    regex: '^@thugshells/shared/(?!(sample|series|errors)\\.ts$)',
    message: 'collectors know kernel-files, sample, series and errors only',
  },
  {
    regex: '^\\.\\./(?!(kernel-files|collector)\\.ts$)',
    message: 'collectors know kernel-files, sample, series and errors only',
  },
  { regex: '^node:', message: 'the only door to the kernel is kernel-files.ts' },
];

/** The worker imports pure modules and the row reader, and nothing that holds state of the main thread. */
const workerWall = [
  ...uploaderWall,
  { regex: '^\\./(?!(encoder|body-formats|row-reader)\\.ts$)', message: 'the encode worker imports pure modules and the row reader' },
];

const processRooms = ['*/src/main.ts', 'shared/src/process/lifecycle.ts', '*/src/config.ts'];
const noProcess = {
  'no-restricted-globals': ['error', { name: 'process', message: 'process is known to main, lifecycle and config only' }],
};

const sqlRooms = [
  'shared/src/database/*.ts',
  'collector/src/{clock-epochs,epoch-table,agent-state,sample-writer,sessions,collector-status,wal-checkpointer}.ts',
  'collector/src/store/{copied-history,damaged-database,damaged-tables,fit-to-cap,healing,integrity,ledger,retention,salvage,salvage-progress,sample-copier,storage-state,take-over,thinning}.ts',
  'uploader/src/{backlog,settled,acknowledgements,row-reader,receiver-clock,lost-rows,uploader-report,database-watch,losses-mark,quarantined,requeue}.ts',
  'uploader/src/sidecar/{store-reader,history-reader}.ts',
];
const sqlText = '/^\\s*(SELECT|INSERT|UPDATE|DELETE FROM|CREATE|DROP|ALTER|PRAGMA|BEGIN|VACUUM)\\s/';
const noSql = {
  'no-restricted-syntax': [
    'error',
    { selector: `Literal[value=${sqlText}]`, message: 'SQL stands in the rooms whose work is a table' },
    { selector: `TemplateElement[value.raw=${sqlText}]`, message: 'SQL stands in the rooms whose work is a table' },
  ],
};

export default tseslint.config(
  { ignores: ['**/dist/', '**/node_modules/', 'var/', 'tests/fixtures/'] },
  js.configs.recommended,
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly', fetch: 'readonly', setTimeout: 'readonly', performance: 'readonly', clearTimeout: 'readonly', setInterval: 'readonly', clearInterval: 'readonly', setImmediate: 'readonly', AbortController: 'readonly', AbortSignal: 'readonly', Buffer: 'readonly' } },
  },
  {
    files: ['uploader/page/*.js'],
    languageOptions: { globals: { document: 'readonly', DOMParser: 'readonly', matchMedia: 'readonly', getComputedStyle: 'readonly', addEventListener: 'readonly', uPlot: 'readonly' } },
  },
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: {
      parserOptions: {
        project: './tsconfig.json',
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A method may be asynchronous because its interface is.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      eqeqeq: 'error',
      'max-lines-per-function': ['error', { max: 40, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 4],
    },
  },
  { files: ['shared/src/**/*.ts'], rules: { ...imports(sharedWall), ...noProcess, ...noSql } },
  { files: ['collector/src/**/*.ts'], rules: { ...imports([...collectorWall, noNetwork]), ...noProcess, ...noSql } },
  { files: ['collector/src/scrape-{page,targets}.ts'], rules: imports(collectorWall) },
  { files: ['uploader/src/**/*.ts'], rules: { ...imports(uploaderWall), ...noProcess, ...noSql } },
  { files: ['collector/src/collectors/**/*.ts'], rules: imports(collectorsWall) },
  { files: ['uploader/src/encoding/encode-worker.ts'], rules: imports(workerWall) },
  ...Object.values(doors).map((room) => ({
    files: [room],
    rules: imports(room.startsWith('shared') ? sharedWall : uploaderWall, Object.keys(doors).filter((library) => doors[library] === room)),
  })),
  { files: processRooms, rules: { 'no-restricted-globals': 'off' } },
  { files: sqlRooms, rules: { 'no-restricted-syntax': 'off' } },
  // Lists: of rooms, and of variables.
  { files: ['*/src/main.ts', '*/src/config.ts'], rules: { 'max-lines-per-function': 'off' } },
  // SQLite's functions take their columns one by one.
  { files: ['shared/src/database/migration-functions.ts'], rules: { 'max-params': ['error', 5] } },
  { files: ['tests/**/*.ts'], rules: { 'max-lines-per-function': 'off' } },
);
