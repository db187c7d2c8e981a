import usual from '../../jest.config.js';

/** Tests that need containers; npm run test:containers runs them. */
export default { ...usual, rootDir: '../..', testMatch: ['<rootDir>/tests/containers/*.test.ts'] };
