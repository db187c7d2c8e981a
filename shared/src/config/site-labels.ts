import { OWN_LABEL_NAMES } from '../metrics/label-names.ts';
import type { Labels } from '../metrics/sample.ts';
import type { ValueFormat } from './formats.ts';

const MAX_LABELS = 10;
/** Far within what VictoriaMetrics keeps, so that a source may have labels too. */
const MAX_NAME_LENGTH = 64;
const MAX_VALUE_BYTES = 256;
/** Prometheus' rule for names; other names would have to be quoted in every query. */
const NAME = /^[a-z_][a-z0-9_]*$/i;
const EXAMPLE = 'site=berlin,rack=3';
const QUOTABLE = /^[\p{L}\d_.-]{1,80}$/u;
const ENCLOSED = /^(["'])([^"']*)\1$/;

/** `site=berlin,rack=3` → labels; empty for none. */
export const siteLabels: ValueFormat<Labels> = {
  expected: `label=value pairs split on commas, such as ${EXAMPLE}`,
  parse: (text) => (findProblem(text) === undefined ? Object.fromEntries(readPairs(text)) : undefined),
  problem: findProblem,
};

type Pair = readonly [name: string, value: string];

function splitPairs(text: string): string[] {
  return text.trim() === '' ? [] : text.split(',').map((part) => part.trim());
}

/** A value may be enclosed in quotes, as in a query. */
function readPairs(text: string): Pair[] {
  return splitPairs(text).map((part): Pair => {
    const at = part.indexOf('=');
    const value = part.slice(at + 1).trim();
    return [part.slice(0, at).trim(), ENCLOSED.exec(value)?.[2]?.trim() ?? value];
  });
}

/** Returns the first thing that is wrong with a text, and what to do; undefined if nothing is. */
function findProblem(text: string): string | undefined {
  const single = splitPairs(text).findIndex((part) => !part.includes('='));
  if (single !== -1) return `part ${single + 1} is not label=value; write pairs split on commas, such as ${EXAMPLE}`;
  const pairs = readPairs(text);
  const names = pairs.map(([name]) => name);
  if (pairs.length > MAX_LABELS) return `${pairs.length} labels are more than ${MAX_LABELS}; remove some`;
  for (const [index, [name, value]] of pairs.entries()) {
    const isRepeated = names.indexOf(name) !== index;
    const problem =
      findNameProblem(name) ?? findValueProblem(value) ?? (isRepeated ? 'is there twice; remove one' : undefined);
    // What is written elsewhere by mistake, such as an address with a password, is not repeated.
    const which = QUOTABLE.test(name) ? `label "${name}"` : `the label of part ${index + 1}`;
    if (problem !== undefined) return `${which} ${problem}`;
  }
  return undefined;
}

function findNameProblem(name: string): string | undefined {
  if (!NAME.test(name)) return 'is no label name: use letters, digits and _, and no digit at the beginning';
  if (name.startsWith('__')) return 'begins with __, which receivers reserve; choose another name';
  if (name === 'device_id') return 'is the name of this device; set THUGSHELLS_DEVICE_ID';
  if (OWN_LABEL_NAMES.includes(name)) return `is a label of the agent’s own; choose another name, such as site_${name}`;
  return name.length > MAX_NAME_LENGTH ? `has more than ${MAX_NAME_LENGTH} characters; shorten it` : undefined;
}

function findValueProblem(value: string): string | undefined {
  if (value === '') return 'has no value; give it one, or remove it';
  if (/["']/.test(value)) return 'has a quote in its value; quotes enclose a whole value, which has no comma in it';
  // U+FFFD stands for bytes that are no UTF-8.
  if (/[\p{Cc}\p{Cs}\ufffd]/u.test(value)) return 'has a value that is not printable UTF-8; write it anew';
  const bytes = Buffer.byteLength(value);
  return bytes > MAX_VALUE_BYTES ? `has a value of ${bytes} bytes; shorten it to ${MAX_VALUE_BYTES}` : undefined;
}
