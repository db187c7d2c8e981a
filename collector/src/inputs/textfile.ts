import { textfileSeries } from '@thugshells/shared/metrics/agent-series.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import type { Collector } from '../collectors/collector.ts';
import { partlyRead } from '../collectors/readers/partial-result.ts';
import { textOf } from './exposition/bytes.ts';
import type { ForeignText } from './foreign-text.ts';
import type { TextFiles } from './text-files.ts';

export interface TextfileSources {
  readonly files: TextFiles;
  readonly foreign: ForeignText;
  /** Readings of one scrape that are handed on. */
  readonly maxSamples: number;
}

/** Each of these would be the whole directory of most people. */
const MAX_FILES = 500;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_TOTAL_BYTES = 16 * 1024 * 1024;
const MALFORMED_HINT =
  'It is read as Prometheus’ text format, version 0.0.4 or 1.0.0, or as OpenMetrics where it ends with # EOF.';
const openMetricsEnd = /(?:^|\n)# EOF\n?$/;

/**
 * Files that users' own scripts write, as node_exporter's textfile collector reads them. Each file stands for itself:
 * one that cannot be read or understood is named, and takes none of the others along.
 */
export class TextfileSource implements Collector {
  readonly name = 'textfile';
  readonly comparesReads = false;
  readonly #sources: TextfileSources;

  constructor(sources: TextfileSources) {
    this.#sources = sources;
  }

  async collect(): Promise<readonly Reading[]> {
    const { names, areCut } = await this.#sources.files.names();
    const state = new DirectoryScrape(this.#sources);
    for (const name of names.slice(0, MAX_FILES)) await state.add(name);
    const left = names.length - MAX_FILES;
    if (left > 0)
      state.faults.push(
        leftOut(`${areCut ? 'at least ' : ''}${left} files are left out: no more than ${MAX_FILES} are read`),
      );
    const readings = [
      { series: textfileSeries.scrapeError, labels: {}, value: state.faults.length > 0 ? 1 : 0 },
      ...state.mtimes,
      ...state.readings,
    ];
    return partlyRead(state.faults, readings);
  }
}

/** What has been read of the directory so far. */
class DirectoryScrape {
  readonly readings: Reading[] = [];
  readonly mtimes: Reading[] = [];
  readonly faults: AgentError[] = [];
  readonly #sources: TextfileSources;
  #bytesLeft = MAX_TOTAL_BYTES;

  constructor(sources: TextfileSources) {
    this.#sources = sources;
  }

  async add(name: string): Promise<void> {
    const { files, foreign, maxSamples } = this.#sources;
    const path = files.path(name);
    try {
      const file = await files.read(name, Math.min(MAX_FILE_BYTES, this.#bytesLeft));
      if (file === undefined) return;
      this.#bytesLeft -= file.bytes.length;
      const text = textOf(file.bytes);
      const format = openMetricsEnd.test(text.slice(-10)) ? 'openmetrics' : 'prometheus';
      const { readings, faults } = await foreign.read(
        text,
        { format, mustEnd: format === 'prometheus' },
        maxSamples - this.readings.length,
      );
      // Not spread: a file may have more readings than a function may have arguments.
      for (const reading of readings) this.readings.push(reading);
      this.mtimes.push({ series: textfileSeries.mtime, labels: { file: path }, value: file.mtimeMs / 1000 });
      this.faults.push(...faults.map((fault) => ofFile(path, fault)));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.faults.push(error.code === 'TEXTFILE_UNREADABLE' ? error : ofFile(path, error));
    }
  }
}

function ofFile(path: string, { message, code, hint = MALFORMED_HINT }: AgentError): AgentError {
  return new AgentError(`${path}: ${message}`, { code, hint });
}

function leftOut(what: string): AgentError {
  return new AgentError(what, {
    code: 'TEXTFILE_UNREADABLE',
    hint: 'Put what belongs together into one file, and remove what nobody writes any more.',
  });
}
