import Sequencer from '@jest/test-sequencer';

const isIntegration = ({ path }) => path.includes('/tests/integration/');

/** Begins with the integration tests, which mostly wait; within both kinds the order is jest's own, slow files first. */
export default class IntegrationFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [...sorted.filter(isIntegration), ...sorted.filter((test) => !isIntegration(test))];
  }
}
