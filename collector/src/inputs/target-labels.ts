import type { Labels } from '@thugshells/shared/metrics/sample.ts';
import type { MetricType } from '@thugshells/shared/metrics/series.ts';

import { normalizeBound } from './exposition/bound-labels.ts';
import type { ParsedSeries } from './exposition/parsed-series.ts';

export interface TargetLabelsOptions {
  /** Added to the labels of every sample; a label of the same name becomes `exported_…`, as with Prometheus. */
  readonly labels: Labels;
  /** Whether a sample keeps its own label where it has one of these, and is without it where its own is empty. */
  readonly honorLabels?: boolean;
  /** Whether bounds of histograms and quantiles of summaries are written as Prometheus 3 writes them. */
  readonly normalizesBounds?: boolean;
}

/** Returns the labels of a series of a page together with those of its target. */
export function addTargetLabels(
  { labels: own, empty = [] }: ParsedSeries,
  type: MetricType | undefined,
  { labels: added, honorLabels = false, normalizesBounds = false }: TargetLabelsOptions,
): Labels {
  const labels = normalizesBounds ? normalizeBound(own, type) : own;
  if (honorLabels) {
    const wanted = Object.entries(added).filter(([name]) => !empty.includes(name));
    return { ...Object.fromEntries(wanted), ...labels };
  }
  const conflicts = Object.keys(added).filter((name) => Object.hasOwn(labels, name));
  const all: Record<string, string> = { ...labels, ...added };
  // In Prometheus' order: the names of two conflicts may meet.
  for (const name of conflicts.sort((a, b) => a.length - b.length)) {
    let exported = name;
    do exported = `exported_${exported}`;
    while (Object.hasOwn(all, exported));
    all[exported] = labels[name]!;
  }
  return all;
}
