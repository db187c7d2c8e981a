/** Says whether a series is meant. */
export type Selector = (metric: Readonly<Record<string, string>>) => boolean;

const SELECTOR = /^\s*([A-Za-z_:][\w:.]*)?\s*(?:\{(.*)\})?\s*$/s;
const MATCHER = /^\s*([A-Za-z_][\w.]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")\s*(?:,|$)/s;

/**
 * Reads a series selector as `match[]` takes it: `name`, `{label="value",other!="value"}`, or both together, with
 * anchored regular expressions behind `=~` and `!~`. A label that a series lacks counts as empty. Throws SyntaxError.
 */
export function parseSelector(text: string): Selector {
  const [, name, body] = SELECTOR.exec(text) ?? [];
  if (name === undefined && body === undefined) throw new SyntaxError(`cannot parse the selector ${text}`);
  const matchers = parseMatchers(body ?? '');
  if (name !== undefined) matchers.push((metric) => metric['__name__'] === name);
  return (metric) => matchers.every((matches) => matches(metric));
}

function parseMatchers(body: string): Selector[] {
  const matchers: Selector[] = [];
  let rest = body;
  while (rest.trim() !== '') {
    const [whole, label, operator, quoted] = MATCHER.exec(rest) ?? [];
    if (whole === undefined || label === undefined || quoted === undefined) {
      throw new SyntaxError(`cannot parse the label matcher ${rest}`);
    }
    matchers.push(matcher(label, operator as Operator, JSON.parse(quoted) as string));
    rest = rest.slice(whole.length);
  }
  return matchers;
}

type Operator = '=' | '!=' | '=~' | '!~';

function matcher(label: string, operator: Operator, wanted: string): Selector {
  const valueOf = (metric: Readonly<Record<string, string>>) => metric[label] ?? '';
  const expression = new RegExp(operator.endsWith('~') ? `^(?:${wanted})$` : '', 's');
  switch (operator) {
    case '=':
      return (metric) => valueOf(metric) === wanted;
    case '!=':
      return (metric) => valueOf(metric) !== wanted;
    case '=~':
      return (metric) => expression.test(valueOf(metric));
    case '!~':
      return (metric) => !expression.test(valueOf(metric));
  }
}
