import { seriesName } from '@thugshells/shared/json-lines.js';
import { canonicalTags, refusalOf, sampleOf, type Labels, type Reading, type Sample } from '@thugshells/shared/sample.js';

/** Which of a scrape's readings may be stored. */
export interface Admitted {
  readonly samples: readonly Sample[];
  /** Why each of the other readings may not. */
  readonly refusals: readonly string[];
}

/** A stored name and what it leaves the board as. */
export type StoredName = Pick<Sample, 'name' | 'valueType'>;

/** Turns readings into samples, and refuses what could never be delivered or would mix with another series. */
export class Admission {
  readonly #deviceId: string;
  readonly #labels: Labels;
  /** Exported name → stored name. */
  readonly #storedNames = new Map<string, string>();

  /** @param labels on every sample, besides its own */
  constructor({ deviceId, labels }: { readonly deviceId: string; readonly labels: Labels }) {
    this.#deviceId = deviceId;
    this.#labels = labels;
  }

  /** Makes known which names the database holds. */
  know(names: Iterable<StoredName>): void {
    for (const each of names) this.#storedNames.set(seriesName(each), each.name);
  }

  /** @param timestampMs the wall clock's; samples get their stored time when they are committed */
  admit(readings: readonly Reading[], timestampMs: number): Admitted {
    const samples: Sample[] = [];
    const refusals: string[] = [];
    const seen = new Set<string>();
    for (const reading of readings) {
      const sample = sampleOf(reading, { deviceId: this.#deviceId, labels: this.#labels, timestampMs });
      const refusal = refusalOf(sample) ?? this.#nameRefusal(sample) ?? repetition(sample, seen);
      if (refusal === undefined) samples.push(sample);
      else refusals.push(`${sample.name}: ${refusal}`);
    }
    return { samples, refusals };
  }

  /** Two stored names that would leave as one would mix their values. */
  #nameRefusal(sample: Sample): string | undefined {
    const exported = seriesName(sample);
    const other = this.#storedNames.get(exported);
    if (other === undefined) this.#storedNames.set(exported, sample.name);
    return other === undefined || other === sample.name ? undefined : `would be exported as ${other} is`;
  }
}

function repetition({ name, tags, valueType }: Sample, seen: Set<string>): string | undefined {
  const key = JSON.stringify([name, valueType, canonicalTags(tags)]);
  if (seen.has(key)) return 'twice in one scrape';
  seen.add(key);
  return undefined;
}
