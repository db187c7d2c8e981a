import base from '../../jest.config.js';

/** Apart from npm test: machine code of another architecture runs in an emulator, at a tenth of the speed. */
export default {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/tests/arm64/**/*.test.ts'],
  maxWorkers: 1,
  testTimeout: 300_000,
};
