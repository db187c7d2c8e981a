import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { KernelSource } from '../../kernel/kernel-files.ts';
import { createLineError, parseSingleLine, quote } from '../parsing/kernel-text.ts';
import type { SourceReader } from './partial-result.ts';

const text = (name: string, help: string) => declareSeries({ name, kind: 'gauge', unit: 'none', help });
const FACTS = [
  [
    text('system.boot_id', 'Identifies this boot: another value is another boot.'),
    'sys/kernel/random/boot_id',
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  ],
  [text('system.kernel', 'Release of the kernel, as uname -r.'), 'sys/kernel/osrelease', /^[!-~]{1,64}$/],
] as const;
const collectorBuild = text('collector.build', 'Version of this program.');
export const INFO_SERIES: readonly SeriesDeclaration[] = [...FACTS.map(([series]) => series), collectorBuild];

/** Creates readers of texts: boot id, kernel release and, if given, the version of this program. They are exported as
 * `<name>_info{value="…"} 1`. */
export function createInfoReaders(kernel: KernelSource, build: string | undefined): SourceReader[] {
  const facts = FACTS.map(([series, file, form]) => async (): Promise<Reading[]> => {
    const line = parseSingleLine(`/proc/${file}`, await kernel.proc(file));
    if (!form.test(line.text)) throw createLineError(line, `${quote(line.text)} has an unknown form`);
    return [{ series, labels: {}, value: line.text }];
  });
  return build === undefined ? facts : [...facts, async () => [{ series: collectorBuild, labels: {}, value: build }]];
}
