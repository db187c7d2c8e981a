import js from '@eslint/js';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** The boundaries between the modules: who may import whom, and which library is used by which one module. */

const adapters = {
  'better-sqlite3': 'shared/src/database/open.ts',
  convict: 'shared/src/config/load-config.ts',
  winston: 'shared/src/logging/logger.ts',
  koffi: 'shared/src/process/c-library.ts',
  got: 'uploader/src/transport/http-client.ts',
  'https-proxy-agent': 'uploader/src/transport/connection-pool.ts',
  'proxy-from-env': 'uploader/src/surroundings.ts',
  piscina: 'uploader/src/encoding/encoder-pool.ts',
  'prom-client': 'uploader/src/http/metrics.ts',
  re2js: 'shared/src/config/scrape-config/name-filter.ts',
  yaml: 'shared/src/config/scrape-config/yaml-document.ts',
};

/** The folders of each program from the lowest layer up: a file imports from its own folder and those before it. */
const layers = {
  shared: ['logging', 'metrics', 'state', 'config', 'process', 'database'],
  collector: [
    'kernel',
    'collectors/parsing',
    'collectors/readers',
    'collectors',
    'inputs/exposition',
    'inputs',
    'store/clock',
    'store/status',
    'store/space',
    'store/writing',
    'store/recovery',
    'store',
    'scheduling',
    'commands',
  ],
  uploader: [
    'clock',
    'queue',
    'encoding/rows',
    'encoding/formats',
    'encoding',
    'transport',
    'delivery',
    'verification',
    'telemetry',
    'health',
    'http/page',
    'http',
    'commands',
  ],
};
/** A folder's own files. A folder that has folders below it stands above them. */
const filesOf = (program, folder) =>
  `${program}/src/${folder}/${layers[program].some((each) => each.startsWith(`${folder}/`)) ? '*' : '**/*'}.ts`;
const zonesOf = (program) =>
  layers[program].map((folder, index) => ({
    target: filesOf(program, folder),
    from: [
      `${program}/src/{main,service,agent,status-*}.ts`,
      ...layers[program].slice(index + 1).map((above) => filesOf(program, above)),
    ],
    message: `imports go one way: ${layers[program].slice(0, index + 1).join(' ← ')}`,
  }));
const directions = Object.keys(layers).flatMap(zonesOf);

const nobodyImportsMain = { regex: '/main\\.ts$', message: 'main.ts constructs; nobody imports it' };

const otherAdapters = (open = []) =>
  Object.entries(adapters)
    .filter(([library]) => !open.includes(library))
    .map(([library, module]) => ({ regex: `^${library}(/|$)`, message: `the one adapter of ${library} is ${module}` }));

const imports = (patterns, open) => ({
  'no-restricted-imports': ['error', { patterns: [nobodyImportsMain, ...otherAdapters(open), ...patterns] }],
});

const notUploader = {
  regex: '(@thugshells/|\\.\\./)uploader',
  message: 'collector → shared ← uploader; never each other',
};
const notCollector = {
  regex: '(@thugshells/|\\.\\./\\.\\./)collector/',
  message: 'collector → shared ← uploader; never each other',
};

const sharedBoundary = [
  { regex: '@thugshells/', message: 'shared imports neither program' },
  { regex: '(^|/)(collector|uploader)/', message: 'shared imports neither program' },
];
const collectorBoundary = [notUploader];
/** The collector never uses the network, except for scrape targets. */
const noNetwork = {
  regex: '^node:(http|https|http2|net|tls|dgram|dns)(/|$)',
  message: 'the collector’s one client of a network is inputs/scrape-client.ts',
};
const uploaderBoundary = [notCollector];

/** A collector reads the kernel and returns samples: it knows no clock, log, configuration or database. */
const collectorsBoundary = [
  ...collectorBoundary,
  {
    regex: '^@thugshells/shared/(?!(metrics/(sample|series|collector-names)|errors)\\.ts$)',
    message: 'collectors know kernel/, samples, series, collector names and errors only',
  },
  { regex: '^node:', message: 'the only adapter of the kernel is kernel/kernel-files.ts' },
];

/** The worker imports pure modules and the row reader, and nothing that holds state of the main thread. */
const workerBoundary = [
  ...uploaderBoundary,
  {
    regex: '^\\.\\.?/(?!(encoder|formats/registry|rows/row-reader)\\.ts$)',
    message: 'the encode worker imports pure modules and the row reader',
  },
];

const processModules = [
  '*/src/main.ts',
  'shared/src/process/lifecycle.ts',
  'shared/src/config/{collector,uploader}-config.ts',
  'shared/src/config/load-config.ts',
];
const processGlobal = { name: 'process', message: 'only main, lifecycle and config use process' };
const timers = ['setTimeout', 'setInterval'].map((name) => ({ name, message: 'loops and timeouts use the Clock' }));
const noProcess = { 'no-restricted-globals': ['error', processGlobal, ...timers] };

const sqlModules = [
  'shared/src/database/*.ts',
  'collector/src/store/**/*.ts',
  'uploader/src/queue/*.ts',
  'uploader/src/{encoding/rows/{row-reader,start-times},clock/receiver-clock-table}.ts',
  'uploader/src/{telemetry/{report-table,collector-state-reader},http/page/{history,device}-reader}.ts',
];
const sqlText = '/^\\s*(SELECT|INSERT|UPDATE|DELETE FROM|CREATE|DROP|ALTER|PRAGMA|BEGIN|VACUUM)\\s/';
const noSql = {
  'no-restricted-syntax': [
    'error',
    { selector: `Literal[value=${sqlText}]`, message: 'SQL belongs in the modules that own a table' },
    { selector: `TemplateElement[value.raw=${sqlText}]`, message: 'SQL belongs in the modules that own a table' },
  ],
};

const storedValues = {
  'no-restricted-properties': [
    'error',
    { object: 'JSON', property: 'parse', message: 'stored JSON is parsed by shared/src/state/stored-values.ts' },
    { property: 'toISOString', message: 'it throws for a stored time beyond the dates; formatTime() does not' },
  ],
};
/** Besides the boundary: the program's own package.json, what another program answers, and the time of a log line. */
const valuesOfOthers = [
  'shared/src/state/stored-values.ts',
  'shared/src/process/version.ts',
  'shared/src/logging/logger.ts',
  'uploader/src/transport/response-outcome.ts',
  'uploader/src/commands/fetch-status.ts',
];

const nodeGlobals = [
  'process',
  'console',
  'URL',
  'fetch',
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'performance',
  'AbortController',
  'AbortSignal',
  'Buffer',
];
const pageGlobals = ['document', 'DOMParser', 'matchMedia', 'getComputedStyle', 'addEventListener'];
const readonly = (names) => Object.fromEntries(names.map((name) => [name, 'readonly']));

export default tseslint.config(
  { ignores: ['**/dist/', '**/node_modules/', 'var/', 'tests/fixtures/'] },
  js.configs.recommended,
  { files: ['**/*.{js,mjs}'], languageOptions: { globals: readonly(nodeGlobals) } },
  { files: ['uploader/page/*.js'], languageOptions: { globals: readonly(pageGlobals) } },
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
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A method may be asynchronous because its interface is.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      eqeqeq: 'error',
      'max-lines-per-function': ['error', { max: 40, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 4],
    },
  },
  {
    files: ['{shared,collector,uploader}/src/**/*.ts'],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts'] })],
    },
    rules: {
      'import-x/no-cycle': 'error',
      // Construct before use: what a closure refers to is assigned above it.
      '@typescript-eslint/no-use-before-define': [
        'error',
        { functions: false, typedefs: false, variables: true, classes: true },
      ],
      'import-x/no-restricted-paths': ['error', { zones: directions }],
    },
  },
  { files: ['shared/src/**/*.ts'], rules: { ...imports(sharedBoundary), ...noProcess, ...noSql } },
  {
    files: ['collector/src/**/*.ts'],
    rules: {
      ...imports([...collectorBoundary, noNetwork]),
      ...noProcess,
      ...noSql,
    },
  },
  {
    files: ['deploy/**/*.{ts,mjs}'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '(^|/)tests/', message: 'deploy imports nothing of tests; tests may import from deploy' },
          ],
        },
      ],
    },
  },
  { files: ['collector/src/inputs/scrape-client.ts'], rules: imports(collectorBoundary) },
  { files: ['uploader/src/**/*.ts'], rules: { ...imports(uploaderBoundary), ...noProcess, ...noSql } },
  { files: ['collector/src/collectors/**/*.ts'], rules: imports(collectorsBoundary) },
  { files: ['uploader/src/encoding/encode-worker.ts'], rules: imports(workerBoundary) },
  ...Object.values(adapters).map((module) => ({
    files: [module],
    rules: imports(
      module.startsWith('shared') ? sharedBoundary : uploaderBoundary,
      Object.keys(adapters).filter((library) => adapters[library] === module),
    ),
  })),
  { files: processModules, rules: { 'no-restricted-globals': ['error', ...timers] } },
  // Its timeout aborts a request on this machine, in real time.
  { files: ['collector/src/inputs/scrape-client.ts'], rules: { 'no-restricted-globals': ['error', processGlobal] } },
  { files: ['{shared,collector,uploader}/src/**/*.ts'], rules: storedValues },
  { files: valuesOfOthers, rules: { 'no-restricted-properties': 'off' } },
  { files: sqlModules, rules: { 'no-restricted-syntax': 'off' } },
  // Lists: of modules, and of variables.
  {
    files: ['*/src/main.ts', 'shared/src/config/{collector,uploader}-config.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  // SQLite's functions take their columns one by one.
  { files: ['shared/src/database/migration-functions.ts'], rules: { 'max-params': ['error', 5] } },
  { files: ['tests/**/*.ts'], rules: { 'max-lines-per-function': 'off' } },
);
