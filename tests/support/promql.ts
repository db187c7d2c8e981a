import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** An expression, and where it stands. */
export interface Expression {
  readonly where: string;
  readonly text: string;
}

/** One series of an instant query's answer. */
export interface InstantValue {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [seconds: number, value: string];
}

/** One series of the response to a range query. */
export interface RangeValues {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [seconds: number, value: string])[];
}

/** The answer of an instant query; throws with the server's words where it does not parse. */
export async function query(origin: string, text: string, at?: Date): Promise<InstantValue[]> {
  const time = at === undefined ? {} : { time: String(at.getTime() / 1000) };
  return ask<InstantValue>(origin, 'query', { query: text, ...time });
}

/** Returns the response to a range query; throws with the server's words when it does not parse. */
export async function queryRange(
  origin: string,
  text: string,
  [start, end]: readonly [start: number, end: number],
  stepSeconds: number,
): Promise<RangeValues[]> {
  const range = { start: String(start), end: String(end), step: `${stepSeconds}s` };
  return ask<RangeValues>(origin, 'query_range', { query: text, ...range });
}

async function ask<Result>(origin: string, path: string, parameters: Record<string, string>): Promise<Result[]> {
  // A connection that is kept would outlive the test.
  const response = await fetch(`${origin}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`, {
    headers: { connection: 'close' },
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${parameters['query']}: ${response.status} ${body}`);
  return (JSON.parse(body) as { data: { result: Result[] } }).data.result;
}

/** Every block of a document that is marked as PromQL; an empty line or a comment parts two expressions. */
export function expressionsOfDocument(path: string): Expression[] {
  const blocks = [...readFileSync(join(root, path), 'utf8').matchAll(/^```promql\n([\s\S]*?)^```/gm)];
  return blocks
    .flatMap(([, block = '']) => block.split(/^\s*(?:#.*)?$/m))
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => ({ where: path, text }));
}

/** All documents of the project that could hold expressions. */
export function documents(): string[] {
  const inFolder = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file));
  return ['README.md', 'CONTRIBUTING.md', ...inFolder('docs'), ...inFolder('deploy')].filter((file) =>
    file.endsWith('.md'),
  );
}
