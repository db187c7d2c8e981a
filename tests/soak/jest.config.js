import base from '../../jest.config.js';

/** Apart from npm test: each of these needs a minute or more, whatever the machine. */
export default {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/tests/soak/**/*.test.ts', '<rootDir>/tests/integration/promises.test.ts'],
  maxWorkers: 2,
};
