import { TestEnvironment } from 'jest-environment-node';

/** One test that fails is enough: the others of its file are left out. */
export default class FailFastEnvironment extends TestEnvironment {
  #hasFailed = false;

  handleTestEvent({ name, test }) {
    if (name === 'test_fn_failure' || name === 'hook_failure') this.#hasFailed = true;
    else if (name === 'test_start' && this.#hasFailed) test.mode = 'skip';
  }
}
