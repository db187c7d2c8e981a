import type { Node } from 'yaml';

/** A node of a YAML file; every scalar is a text, which the field that it is in gives its meaning. */
export type YamlNode =
  | { readonly kind: 'scalar'; readonly line: number; readonly text: string; readonly isQuoted: boolean }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly YamlNode[] }
  | { readonly kind: 'mapping'; readonly line: number; readonly entries: ReadonlyMap<string, YamlNode> };

/** Levels of a file of scrape targets are six; deeper ones would be a stack of their own. */
const MAX_DEPTH = 20;

/**
 * Parses a YAML file of one document.
 *
 * @param onProblem gets the line and the sentence of each problem
 */
export async function parseYaml(
  text: string,
  onProblem: (line: number, sentence: string) => void,
): Promise<YamlNode | undefined> {
  // Loaded only where a file is: it would cost every start.
  const { LineCounter, parseDocument, isAlias, isMap, isScalar, isSeq } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  const findLine = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  for (const { message, pos } of [...document.errors, ...document.warnings]) onProblem(findLine(pos[0]), message);
  if (document.errors.length > 0) return undefined;

  const convert = (node: unknown, depth: number, parentLine: number): YamlNode => {
    const range = (node as Node | null)?.range;
    const line = range === null || range === undefined ? parentLine : findLine(range[0]);
    if (depth > MAX_DEPTH) onProblem(line, 'is nested too deeply');
    else if (isAlias(node)) onProblem(line, `*${node.source}: aliases are not supported: write out what it stands for`);
    else if (isSeq(node))
      return { kind: 'list', line, items: node.items.map((each) => convert(each, depth + 1, line)) };
    else if (isMap(node)) {
      const entries = node.items.map(({ key, value }): [string, YamlNode] => {
        const name = convert(key, depth + 1, line);
        if (name.kind !== 'scalar') onProblem(name.line, 'the name of a field must be a text');
        const named = convert(value, depth + 1, name.line);
        return [name.kind === 'scalar' ? name.text : '', { ...named, line: name.line }];
      });
      return { kind: 'mapping', line, entries: new Map(entries) };
    } else if (isScalar(node)) {
      const isQuoted = node.type !== 'PLAIN' && node.type !== undefined;
      return { kind: 'scalar', line, text: typeof node.value === 'string' ? node.value : '', isQuoted };
    }
    return { kind: 'scalar', line, text: '', isQuoted: false };
  };
  return convert(document.contents, 0, 1);
}
