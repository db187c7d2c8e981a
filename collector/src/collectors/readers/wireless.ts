import type { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { createMalformedError } from '../../kernel/kernel-file-errors.ts';
import { splitInterfaceLine } from '../parsing/interface-line.ts';
import { createLineError, parseEachLine, quote, type KernelLine } from '../parsing/kernel-text.ts';
import { requireNoErrors } from './partial-result.ts';

const signal = declareSeries({
  name: 'network.wireless_signal_dbm',
  kind: 'gauge',
  unit: 'none',
  help: 'Signal that the Wi-Fi interface receives from its access point, in dBm.',
});
const noise = declareSeries({
  name: 'network.wireless_noise_dbm',
  kind: 'gauge',
  unit: 'none',
  help: 'Noise on the channel of the Wi-Fi interface, in dBm; most drivers do not measure it.',
});
const quality = declareSeries({
  name: 'network.wireless_quality',
  kind: 'gauge',
  unit: 'none',
  help: 'Quality of the Wi-Fi link as the driver rates it: of most drivers from 0 to 70.',
});
export const WIRELESS_SERIES: readonly SeriesDeclaration[] = [signal, noise, quality];

const PATH = '/proc/net/wireless';
const columns = /^ *face *\| *tus *\| *link +level +noise *\|/;
/** A dot follows a number that the driver has updated since it was read last. */
const number = /^(-?[0-9]{1,3})\.?$/;
/** What a driver has no measurement of: 0, less the 256 that are subtracted from every level in dBm. */
const NOT_MEASURED = -256;

/**
 * Parses /proc/net/wireless (net/wireless/wext-proc.c): name, status, quality, signal, noise and six counters. A malformed
 * line costs itself. An interface that is not connected has zeros and no readings; a level that is not below 0 is not in dBm
 * but on a scale of the driver's own, and left out.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if the columns are not the known ones
 * @throws PartialResultError with the readings of the other lines if one is malformed
 */
export function parseWireless(text: string, isChosen: (name: string) => boolean): readonly Reading[] {
  const readings: Reading[] = [];
  const seen = new Set<string>();
  let isHeaderKnown = false;
  const errors: AgentError[] = parseEachLine(PATH, text, (line) => {
    if (line.number === 2) isHeaderKnown = columns.test(line.text);
    if (line.number <= 2) return;
    const { name, levels } = parseInterface(line);
    if (seen.has(name)) throw createLineError(line, `a second line of ${quote(name)}`);
    seen.add(name);
    if (isChosen(name)) readings.push(...toReadings(name, levels));
  });
  if (!isHeaderKnown) throw createMalformedError(PATH, 'line 2: unknown columns');
  return requireNoErrors(errors, readings);
}

function parseInterface(line: KernelLine): { readonly name: string; readonly levels: readonly number[] } {
  const { name, fields } = splitInterfaceLine(line);
  if (fields.length < 10) throw createLineError(line, `${fields.length} fields, expected 10`);
  const levels = fields.slice(1, 4).map((field) => {
    const digits = number.exec(field)?.[1];
    if (digits === undefined) throw createLineError(line, `${quote(field)} is not a level`);
    return Number(digits);
  });
  return { name, levels };
}

function toReadings(name: string, [link = 0, level = 0, background = 0]: readonly number[]): Reading[] {
  if (link === 0 && level === 0 && background === 0) return [];
  const labels = { interface: name };
  const isDbm = (value: number) => value < 0 && value > NOT_MEASURED;
  return [
    { series: quality, labels, value: link },
    ...(isDbm(level) ? [{ series: signal, labels, value: level }] : []),
    ...(isDbm(background) ? [{ series: noise, labels, value: background }] : []),
  ];
}
