import { textfileSeries } from '@thugshells/shared/metrics/agent-series.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import type { Collector } from '../collectors/collector.ts';
import { requireNoErrors } from '../collectors/readers/partial-result.ts';
import {
  describeSeries,
  toIdentity,
  type ConvertedExposition,
  type ExpositionConverter,
} from './exposition-converter.ts';
import type { CountedSamples } from './sample-count.ts';
import type { TextFiles } from './text-files.ts';

export interface TextfileParts {
  readonly files: TextFiles;
  readonly converter: ExpositionConverter;
  /** Readings that one scrape returns at most. */
  readonly maxReadings: number;
}

/** Limits of one scrape; a usual directory is smaller than any of them. */
/** Maximum age of a sample with a timestamp, Prometheus' lookback; it is stored with the time of the scrape. */
export const MAX_TEXTFILE_AGE_MS = 300_000;
const MAX_FILES = 500;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_TOTAL_BYTES = 16 * 1024 * 1024;
const MALFORMED_HINT =
  'correct the script that writes it: files are Prometheus’ text format, version 0.0.4 or 1.0.0, or OpenMetrics if they end with # EOF';
const openMetricsEnd = /(?:^|\n)# EOF\n?$/;

/** Accumulates the files of one scrape. */
class DirectoryScrape {
  readonly readings: Reading[] = [];
  readonly mtimes: Reading[] = [];
  readonly errors: AgentError[] = [];
  readonly #parts: TextfileParts;
  /** By series: the file that it was in first. */
  readonly #paths = new Map<string, string>();
  #bytesLeft = MAX_TOTAL_BYTES;

  constructor(parts: TextfileParts) {
    this.#parts = parts;
  }

  async add(name: string): Promise<void> {
    const { files, converter, maxReadings } = this.#parts;
    const path = files.toPath(name);
    try {
      const file = await files.read(name, Math.min(MAX_FILE_BYTES, this.#bytesLeft));
      if (file === undefined) return;
      this.#bytesLeft -= file.bytes.length;
      const format = openMetricsEnd.test(file.bytes.toString('latin1', file.bytes.length - 10))
        ? 'openmetrics'
        : 'prometheus';
      const converted = await converter.convert(
        [file.bytes],
        { format, mustEnd: format === 'prometheus' },
        maxReadings - this.readings.length,
      );
      this.#addReadings(path, converted);
      this.mtimes.push({ series: textfileSeries.mtime, labels: { file: path }, value: file.mtimeMs / 1000 });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.errors.push(error.code === 'TEXTFILE_UNREADABLE' ? error : addPath(path, error));
    }
  }

  /** Adds the readings of a file, without those of series that an earlier file has. */
  #addReadings(path: string, converted: ConvertedExposition): void {
    const repeated = new Map<string, CountedSamples>();
    for (const reading of converted.readings) {
      const identity = toIdentity(reading);
      const owner = this.#paths.get(identity);
      if (owner === undefined) {
        this.#paths.set(identity, path);
        this.readings.push(reading);
      } else {
        const { count, first } = repeated.get(owner) ?? {
          count: 0,
          first: describeSeries({ name: reading.series.name, labels: reading.labels }),
        };
        repeated.set(owner, { count: count + 1, first });
      }
    }
    this.errors.push(...createSampleErrors(path, converted));
    for (const [owner, unused] of repeated) this.errors.push(createRepeatedError(path, { ...unused, owner }));
  }
}

/** Creates the errors of samples of a file that cannot be used. */
function createSampleErrors(path: string, { repeated, reserved, errors }: ConvertedExposition): AgentError[] {
  return [
    ...errors.map((error) => addPath(path, error)),
    ...(repeated.count > 0 ? [createRepeatedError(path, { ...repeated, owner: 'it' })] : []),
    ...(reserved.count > 0 ? [createReservedError(path, reserved)] : []),
  ];
}

function createRepeatedError(
  path: string,
  { count, first, owner }: CountedSamples & { readonly owner: string },
): AgentError {
  return new AgentError(`${path}: ${count} samples of a series that ${owner} has already, first ${first}`, {
    code: 'SAMPLES_REPEATED',
    hint: 'write each series once, and in one file',
  });
}

function createReservedError(path: string, { count, first }: CountedSamples): AgentError {
  return new AgentError(`${path}: ${count} samples of reserved names, first ${first}`, {
    code: 'SAMPLES_RESERVED',
    hint: 'rename them where the file is written',
  });
}

/**
 * Reads the files that users' scripts write, as node_exporter's textfile collector does. A file that cannot be read or
 * parsed is named in the error; the other files are not affected.
 */
export class TextfileCollector implements Collector {
  readonly name = 'textfile';
  readonly comparesReads = false;
  readonly #parts: TextfileParts;

  constructor(parts: TextfileParts) {
    this.#parts = parts;
  }

  async collect(): Promise<readonly Reading[]> {
    const { names, isTruncated } = await this.#parts.files.list();
    const state = new DirectoryScrape(this.#parts);
    for (const name of names.slice(0, MAX_FILES)) await state.add(name);
    const left = names.length - MAX_FILES;
    if (left > 0)
      state.errors.push(
        createLeftOutError(`${isTruncated ? 'at least ' : ''}${left} files left out, the limit is ${MAX_FILES}`),
      );
    const readings = [
      { series: textfileSeries.scrapeError, labels: {}, value: state.errors.length > 0 ? 1 : 0 },
      ...state.mtimes,
      ...state.readings,
    ];
    return requireNoErrors(state.errors, readings);
  }
}

function addPath(path: string, { message, code, hint = MALFORMED_HINT }: AgentError): AgentError {
  const subject = code === 'EXPOSITION_MALFORMED' ? `cannot parse ${path}` : path;
  return new AgentError(`${subject}: ${message}`, { code, hint });
}

function createLeftOutError(message: string): AgentError {
  return new AgentError(message, {
    code: 'TEXTFILE_UNREADABLE',
    hint: 'merge files of THUGSHELLS_TEXTFILE_DIR, and remove those that no script writes any more',
  });
}
