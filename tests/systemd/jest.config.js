import base from '../../jest.config.js';

/** Apart from npm test: these boot a whole Debian. */
export default {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/tests/systemd/**/*.test.ts'],
  maxWorkers: 1,
  testTimeout: 180_000,
};
