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
  hasSpecialValues,
} from '@thugshells/shared/metrics/sample-refusals.ts';
import { quoteName, type RemoteProtocol } from '@thugshells/shared/metrics/series-limits.ts';

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
  /** Decides which limits hold, and which values there are. */
  readonly remoteProtocol: RemoteProtocol;
}

/** Turns readings into samples; refuses what could never be delivered or would mix with another series. */
export class Admission {
  readonly #context: SampleContext;
  readonly #protocol: RemoteProtocol;
  /** Exported name → stored name. */
  readonly #storedNames = new Map<string, string>();
  readonly #ownNames: ReadonlySet<string> = new Set(OWN_NAMES);

  constructor({ deviceId, labels, siteLabels, remoteProtocol }: AdmissionOptions) {
    this.#context = { deviceId, labels: new AddedLabels({ site: siteLabels, always: labels }) };
    this.#protocol = remoteProtocol;
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
      // Nothing is lost: a receiver that has no markers ends each series by itself.
      if (reading.value === STALE_MARKER && !hasSpecialValues(this.#protocol)) continue;
      const isForeign = reading.series.isForeign === true;
      const sample = toSample(this.#isSignKept(reading) ? reading : { ...reading, value: 0 }, this.#context);
      const refusal =
        timeRefusal ??
        (isForeign ? undefined : findCalculationRefusal(sample.value)) ??
        findSampleRefusal(sample, this.#protocol) ??
        this.#findNameRefusal(sample, isForeign) ??
        findRepetition(sample, seen);
      if (refusal === undefined) samples.push(sample);
      else
        (isForeign && findValueRefusal(sample.value, this.#protocol) === refusal ? valueless : refusals).push(
          `${quoteName(sample.name)}: ${refusal}`,
        );
    }
    return { samples, refusals, valueless };
  }

  /** Whether a value is no −0, or one to keep: a reading of our own is a small number that was rounded, or a difference. */
  #isSignKept({ value, series }: Reading): boolean {
    return !Object.is(value, -0) || (series.isForeign === true && hasSpecialValues(this.#protocol));
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

/** Others may measure infinity and NaN; a reading of our own is a division by zero. */
function findCalculationRefusal(value: SampleValue): string | undefined {
  return typeof value === 'number' && !Number.isFinite(value) ? `value ${value} is not finite` : undefined;
}

function findRepetition(sample: Sample, seen: Set<string>): string | undefined {
  const key = seriesText({ ...sample, canonical: canonicalExportedTags(sample) });
  if (seen.has(key)) return 'twice in one scrape';
  seen.add(key);
  return undefined;
}
