/**
 * Compares an acceptance list with the tests that ran.
 *
 * A line of the list names a test as `test: its title` inside backticks; a test counts when exactly this title passed.
 *
 * @param {string} document Markdown
 * @param {readonly { readonly fullName: string, readonly title: string, readonly status: string }[]} tests
 * @returns {string[]} one sentence for each name that no passed test bears
 */
export function checkAcceptance(document, tests) {
  const passed = new Set(
    tests.filter(({ status }) => status === 'passed').flatMap(({ fullName, title }) => [fullName, title]),
  );
  const named = [...document.matchAll(/`test: ([^`]+)`/g)].map(([, title]) => title);
  if (named.length === 0) return ['the acceptance list names no test'];
  return named
    .filter((title) => !passed.has(title))
    .map((title) => `the acceptance list names a test that did not pass: ${title}`);
}
