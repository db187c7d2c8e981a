import { isCommonValue } from '@thugshells/shared/config/secret-mask.ts';

/** A response may come after a file has changed. */
const REMEMBERED = 2;
/** Shorter parts of a value are found in any text. */
const MIN_PART_LENGTH = 8;

/** What was sent of each source of secrets, the last and the one before it: a receiver may repeat it. */
export class SentSecrets {
  readonly #sent = new Map<string, readonly (readonly string[])[]>();

  /** Remembers what is sent of a source from now on. */
  add(source: string, secrets: readonly string[]): void {
    const before = this.#sent.get(source) ?? [];
    if (before[0]?.join('\n') === secrets.join('\n')) return;
    this.#sent.set(source, [secrets, ...before.slice(0, REMEMBERED - 1)]);
  }

  list(): readonly string[] {
    return [...this.#sent.values()].flat(2);
  }
}

/** Returns the values of headers, and their parts that may be repeated alone: `ApiKey 0123…`, `session=0123…`. */
export function listHeaderSecrets(values: readonly string[]): string[] {
  const parts = values.flatMap((value) => value.split(/[\s;,=]+/).filter((part) => part.length >= MIN_PART_LENGTH));
  return [...new Set([...values, ...parts])].filter((value) => !isCommonValue(value));
}
