import * as agentSeries from '@thugshells/shared/metrics/agent-series.ts';
import { toExportedSeriesName } from '@thugshells/shared/metrics/json-lines.ts';
import { ValueType } from '@thugshells/shared/metrics/sample.ts';
import { listStoredNames, toExportedName, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { COLLECTORS } from '../../collectors/table.ts';

/** Every group of series that agent-series.ts exports. */
const groups: readonly Readonly<Record<string, SeriesDeclaration>>[] = Object.values(agentSeries);

/** The stored names of every series of the agent's own: series of text files and targets may not have one of them. */
export const OWN_NAMES: readonly string[] = [
  ...Object.values(COLLECTORS).flatMap(({ series }) => series),
  ...groups.flatMap((group) => Object.values(group)),
].flatMap(listStoredNames);

/** The same as they are exported: no other series may have one, even if it was stored first. */
const OWN_EXPORTED_NAMES: ReadonlySet<string> = new Set(
  OWN_NAMES.flatMap((name) => Object.values(ValueType).map((valueType) => toExportedSeriesName({ name, valueType }))),
);

/** Returns why a number of others may not have a name, as it is exported or as it is stored. */
export function findReservedName(name: string): string | undefined {
  const exported = toExportedName(name);
  return OWN_EXPORTED_NAMES.has(exported) ? `${exported} is a name of the agent's own series` : undefined;
}
