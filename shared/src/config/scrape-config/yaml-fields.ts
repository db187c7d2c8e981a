import type { ValueFormat } from '../formats.ts';
import { suggest } from '../nearest.ts';
import type { YamlNode } from './yaml-document.ts';

/** What is wrong with a file, each with its line. */
export class ConfigProblems {
  readonly sentences: string[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  add(line: number, sentence: string): void {
    this.sentences.push(`${this.#file}:${line}: ${sentence}`);
  }
}

/** The fields of one mapping. Each is read once; what nobody has read is refused by name. */
export class YamlFields {
  readonly #path: string;
  readonly #line: number;
  readonly #entries: ReadonlyMap<string, YamlNode>;
  readonly #problems: ConfigProblems;
  readonly #known = new Set<string>();

  /** @param path of the mapping in the file, such as `scrape_configs[0]`; empty for the file itself */
  constructor(node: YamlNode, path: string, problems: ConfigProblems) {
    this.#path = path;
    this.#line = node.line;
    this.#problems = problems;
    if (node.kind !== 'mapping' && !isEmpty(node)) this.#add(node, path, 'must be a mapping of names to values');
    this.#entries = node.kind === 'mapping' ? node.entries : new Map();
  }

  /** Adds a problem with the mapping or one of its fields. */
  refuse(field: string | undefined, sentence: string): void {
    const node = field === undefined ? undefined : this.#entries.get(field);
    this.#problems.add(
      node?.line ?? this.#line,
      `${field === undefined ? this.#path : this.#toPath(field)}: ${sentence}`,
    );
  }

  has(field: string): boolean {
    return this.#find(field) !== undefined;
  }

  /** Reads a value by its format; undefined if it is missing, or wrong, which is a problem. */
  read<T>(field: string, format: ValueFormat<T>): T | undefined {
    const node = this.#find(field);
    if (node === undefined) return undefined;
    const value = node.kind === 'scalar' ? format.parse(node.text) : undefined;
    if (value === undefined) this.#add(node, this.#toPath(field), `must be ${format.expected}`);
    return value;
  }

  /** Reads a mapping within this one; undefined if it is missing. */
  readFields(field: string): YamlFields | undefined {
    const node = this.#find(field);
    return node === undefined ? undefined : new YamlFields(node, this.#toPath(field), this.#problems);
  }

  /** Reads a list of mappings. */
  readFieldsList(field: string): YamlFields[] {
    return this.#readItems(field).map(
      (node, index) => new YamlFields(node, `${this.#toPath(field)}[${index}]`, this.#problems),
    );
  }

  /** Reads a list of texts. */
  readTexts(field: string): string[] {
    return this.#readItems(field).flatMap((node, index) => {
      if (node.kind === 'scalar') return node.text;
      this.#add(node, `${this.#toPath(field)}[${index}]`, 'must be a text');
      return [];
    });
  }

  /** Returns the names of all fields, and takes them for known. */
  listNames(): string[] {
    for (const name of this.#entries.keys()) this.#known.add(name);
    return [...this.#entries.keys()];
  }

  /**
   * Refuses the fields that were not read.
   *
   * @param remedies what to do about those that Prometheus knows
   */
  refuseOthers(remedies: Readonly<Record<string, string>> = {}): void {
    const known = [...this.#known];
    for (const [name, node] of this.#entries) {
      if (this.#known.has(name)) continue;
      const remedy = Object.hasOwn(remedies, name)
        ? `is not supported: ${remedies[name]}`
        : `is not supported: remove it${suggest(name, known)}`;
      this.#add(node, this.#toPath(name), remedy);
    }
  }

  #readItems(field: string): readonly YamlNode[] {
    const node = this.#find(field);
    if (node === undefined) return [];
    if (node.kind === 'list') return node.items;
    this.#add(node, this.#toPath(field), 'must be a list');
    return [];
  }

  /** A field without a value is as one that is missing. */
  #find(field: string): YamlNode | undefined {
    this.#known.add(field);
    const node = this.#entries.get(field);
    return node === undefined || isEmpty(node) ? undefined : node;
  }

  #toPath(field: string): string {
    return this.#path === '' ? field : `${this.#path}.${field}`;
  }

  #add({ line }: YamlNode, path: string, sentence: string): void {
    this.#problems.add(line, path === '' ? sentence : `${path}: ${sentence}`);
  }
}

function isEmpty(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.text === '' && !node.isQuoted;
}
