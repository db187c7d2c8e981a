import type { MetricFamily, MetricType } from '@thugshells/shared/metrics/series.ts';

import type { FamilyComment } from './comments.ts';
import { copyText } from './parsed-series.ts';

/** Families that are remembered of one text; there are as many as samples that are stored, or fewer. */
const MAX_FAMILIES = 20_000;
/** Characters of help that are kept of a family. */
const MAX_HELP_LENGTH = 500;
/** Characters of help of one text together; further ones are left out. */
const MAX_HELP_CHARACTERS = 512 * 1024;

/** The metric families of one text, from its comments. */
export class FamilyComments {
  readonly byName = new Map<string, MetricFamily>();
  #helpCharacters = 0;

  add(comment: FamilyComment): void {
    const known = this.byName.get(comment.family);
    if (known === undefined && this.byName.size >= MAX_FAMILIES) return;
    const family = known ?? { name: copyText(comment.family), type: 'unknown', help: '', unit: '' };
    this.byName.set(family.name, { ...family, ...this.#read(comment) });
  }

  #read(comment: FamilyComment): Partial<MetricFamily> {
    switch (comment.kind) {
      case 'type':
        return { type: toMetricType(comment.type) };
      case 'unit':
        return { unit: copyText(comment.text) };
      case 'help': {
        const help = copyText(comment.text.slice(0, MAX_HELP_LENGTH).toWellFormed());
        this.#helpCharacters += help.length;
        return this.#helpCharacters > MAX_HELP_CHARACTERS ? {} : { help };
      }
    }
  }
}

/** Some exporters use Prometheus' older words, or write them otherwise. */
function toMetricType(written: string): MetricType {
  switch (written) {
    case 'untyped':
      return 'unknown';
    case 'gauge_histogram':
      return 'gaugehistogram';
    default:
      return written as MetricType;
  }
}
