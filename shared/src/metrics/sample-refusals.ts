import type { LineIdentity } from './json-lines.ts';
import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS, ValueType, type Sample } from './sample.ts';
import { STALE_MARKER } from './sample-value.ts';
import { findLimitRefusal, findSeriesLimits, quoteName, type RemoteProtocol } from './series-limits.ts';

/**
 * Returns why a sample must not be stored, or undefined if it may be.
 * Each rule stands for something that a receiver would answer with 204 and then drop, cut or merge.
 *
 * @param protocol by which samples are sent
 */
export function findSampleRefusal(sample: Sample, protocol: RemoteProtocol): string | undefined {
  const { value } = sample;
  return (
    findValueRefusal(value, protocol) ??
    findSeriesRefusal(sample) ??
    findLimitRefusal(sample, typeof value === 'string' ? value : undefined, findSeriesLimits(protocol))
  );
}

/** Returns why no receiver takes a series as it is, however short it is. */
export function findSeriesRefusal({ name, deviceId, tags, valueType }: LineIdentity): string | undefined {
  if (name === '') return 'empty name';
  return (
    findTextRefusal('__name__', name) ?? findTextRefusal('device_id', deviceId) ?? findLabelsRefusal(tags, valueType)
  );
}

/** Returns why a time is refused. */
export function findTimestampRefusal(timestampMs: unknown): string | undefined {
  if (!Number.isInteger(timestampMs)) return `timestamp ${String(timestampMs)} is not a whole number of milliseconds`;
  const time = timestampMs as number;
  return time < MIN_TIMESTAMP_MS || time > MAX_TIMESTAMP_MS ? `timestamp ${time} is out of range` : undefined;
}

/**
 * Returns why a value is refused; a text is exported as a label. Infinity is a value to all receivers. NaN is one in remote write
 * only: of VictoriaMetrics' import format the receiver leaves it out, or loses the whole line that it is in.
 */
export function findValueRefusal(value: unknown, protocol: RemoteProtocol): string | undefined {
  if (typeof value === 'string') return findTextRefusal('value', value);
  if (value === STALE_MARKER) return hasSpecialValues(protocol) ? undefined : 'the end of a series has no value';
  if (typeof value !== 'number') return `value of type ${value === null ? 'null' : typeof value}`;
  return Number.isNaN(value) && !hasSpecialValues(protocol) ? `value ${value} is not finite` : undefined;
}

/** Returns whether a protocol has NaN, the stale marker and −0. */
export function hasSpecialValues(protocol: RemoteProtocol): boolean {
  return protocol === 'remote-write';
}

function findLabelsRefusal(tags: Readonly<Record<string, unknown>>, valueType: number): string | undefined {
  const names = Object.keys(tags);
  for (const name of names) {
    if (isReserved(name, names, valueType)) return `label name "${name}" is reserved`;
    const refusal = findTextRefusal(name, tags[name]);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Names that the exported series needs for itself: a label may not take them, or one of two would be lost. */
function isReserved(name: string, names: readonly string[], valueType: number): boolean {
  if (name === 'value') return valueType === ValueType.text;
  if (name === 'exported_device_id') return names.includes('device_id');
  return name === '' || name === '__name__';
}

/** A lone surrogate has no UTF-8 form: it would be replaced on the way, and two names or values could become one. */
function findTextRefusal(name: string, value: unknown): string | undefined {
  if (typeof value !== 'string') return `label "${quoteName(name)}" is not a string`;
  if (!name.isWellFormed()) return `label name "${quoteName(name.toWellFormed())}" is not well-formed unicode`;
  return value.isWellFormed() ? undefined : `label "${quoteName(name)}" is not well-formed unicode`;
}
