import * as agentSeries from '@thugshells/shared/metrics/agent-series.ts';
import { listStoredNames, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { COLLECTORS } from '../../collectors/table.ts';

/** Every group of series that agent-series.ts exports. */
const groups: readonly Readonly<Record<string, SeriesDeclaration>>[] = Object.values(agentSeries);

/** The stored names of every series of the agent's own: series of text files and targets may not have one of them. */
export const OWN_NAMES: readonly string[] = [
  ...Object.values(COLLECTORS).flatMap(({ series }) => series),
  ...groups.flatMap((group) => Object.values(group)),
].flatMap(listStoredNames);
