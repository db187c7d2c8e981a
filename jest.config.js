/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  moduleNameMapper: {
    '^@thugshells/shared/(.*)$': '<rootDir>/shared/src/$1',
  },
  // Not var/, where whole file systems lie when containers have been tested.
  roots: ['<rootDir>/tests', '<rootDir>/shared', '<rootDir>/collector', '<rootDir>/uploader'],
  testMatch: ['<rootDir>/tests/{unit,integration}/**/*.test.ts'],
  // Integration tests wait more than they compute: they begin first, and unit tests fill the cores meanwhile.
  testSequencer: '<rootDir>/tests/support/integration-first.mjs',
  maxWorkers: 4,
  // In one process jest's memory grows with every file, and everything becomes slower.
  workerIdleMemoryLimit: '700MB',
  // Each integration test waits for conditions, on machines of two noisy cores.
  testTimeout: 60_000,
  reporters: ['default', '<rootDir>/tests/support/results-reporter.mjs'],
};
