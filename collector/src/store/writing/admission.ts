import { canonicalExportedTags, toExportedSeriesName } from '@thugshells/shared/metrics/json-lines.ts';
import {
  AddedLabels,
  toSample,
  seriesText,
  type Labels,
  type Reading,
  type Sample,
  type SampleContext,
} from '@thugshells/shared/metrics/sample.ts';
import { STALE_MARKER, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';
import {
  findSampleRefusal,
  findTimestampRefusal,
  findValueRefusal,
} from '@thugshells/shared/metrics/sample-refusals.ts';
import {
  findSeriesLimits,
  quoteName,
  type RemoteProtocol,
  type SeriesLimits,
} from '@thugshells/shared/metrics/series-limits.ts';

import { findReservedName, OWN_NAMES } from './agent-names.ts';

/** The readings of one scrape that may be stored, and the refused ones. */
export interface Admitted {
  readonly samples: readonly Sample[];
  /** The reason for each refused reading, with its name. */
  readonly refusals: readonly string[];
  /** The same for foreign readings whose value is NaN: they are refused too, but are no failure of their source. */
  readonly valueless: readonly string[];
}

/** A stored name and the value type that decides how it is exported. */
export type StoredName = Pick<Sample, 'name' | 'valueType'>;

/** What all samples of a device share, and where they are sent. */
export interface AdmissionOptions {
  readonly deviceId: string;
  /** Labels that every sample has, whatever its own are. */
  readonly labels: Labels;
  /** THUGSHELLS_LABELS: labels that every sample has which has no such label of its own. */
  readonly siteLabels?: Labels;
  /** Decides which limits hold: those of the receiver that samples are sent to. */
  readonly remoteProtocol: RemoteProtocol;
}

/** Turns readings into samples; refuses what could never be delivered or would mix with another series. */
export class Admission {
  readonly #context: SampleContext;
  readonly #limits: SeriesLimits | undefined;
  /** Exported name → stored name. */
  readonly #storedNames = new Map<string, string>();
  readonly #ownNames: ReadonlySet<string> = new Set(OWN_NAMES);

  constructor({ deviceId, labels, siteLabels, remoteProtocol }: AdmissionOptions) {
    this.#context = { deviceId, labels: new AddedLabels({ site: siteLabels, always: labels }) };
    this.#limits = findSeriesLimits(remoteProtocol);
  }

  /** Adds the names that the database holds. */
  addStoredNames(names: Iterable<StoredName>): void {
    for (const each of names) this.#storedNames.set(toExportedSeriesName(each), each.name);
  }

  /**
   * Decides on the readings of one scrape.
   *
   * @param timestampMs the wall clock's time of the scrape: if it is out of range, all readings are refused. Samples get
   *   their stored time when they are committed
   */
  admit(readings: readonly Reading[], timestampMs: number): Admitted {
    const samples: Sample[] = [];
    const refusals: string[] = [];
    const valueless: string[] = [];
    const seen = new Set<string>();
    const timeRefusal = findTimestampRefusal(timestampMs);
    for (const reading of readings) {
      // The uploader does not know it yet.
      if (reading.value === STALE_MARKER) continue;
      const sample = toSample(reading, this.#context);
      const isForeign = reading.series.isForeign === true;
      const refusal =
        timeRefusal ??
        (isForeign ? undefined : findInfinityRefusal(sample.value)) ??
        findSampleRefusal(sample, this.#limits) ??
        this.#findNameRefusal(sample, isForeign) ??
        findRepetition(sample, seen);
      if (refusal === undefined) samples.push(sample);
      else
        (isForeign && findValueRefusal(sample.value) === refusal ? valueless : refusals).push(
          `${quoteName(sample.name)}: ${refusal}`,
        );
    }
    return { samples, refusals, valueless };
  }

  /** Refuses a name that would be exported as another stored name is: the two would mix their values. */
  #findNameRefusal(sample: Sample, isForeign: boolean): string | undefined {
    const exported = toExportedSeriesName(sample);
    const reserved = isForeign ? findReservedName(exported) : undefined;
    if (reserved !== undefined) return reserved;
    const other = this.#storedNames.get(exported);
    // A foreign name that was stored before the same name became one of the agent's own does not block that.
    const isFree = other === undefined || (this.#ownNames.has(sample.name) && !this.#ownNames.has(other));
    if (isFree) this.#storedNames.set(exported, sample.name);
    return isFree || other === sample.name ? undefined : `has the same exported name as ${other}`;
  }
}

/** Others may measure infinity; a reading of our own is a division by zero. */
function findInfinityRefusal(value: SampleValue): string | undefined {
  return value === Infinity || value === -Infinity ? `value ${value} is not finite` : undefined;
}

function findRepetition(sample: Sample, seen: Set<string>): string | undefined {
  const key = seriesText({ ...sample, canonical: canonicalExportedTags(sample) });
  if (seen.has(key)) return 'twice in one scrape';
  seen.add(key);
  return undefined;
}
