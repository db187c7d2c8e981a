import { loadConfig } from '@thugshells/shared/config/load-config.ts';
import { VARIABLE_NAMES } from '@thugshells/shared/config/variables.ts';

import type { CollectorOptions } from '../../../collector/src/collectors/table.ts';
import { collectorVariables } from '../../../shared/src/config/collector-config.ts';

/** The options of a collector none of whose variables is set. */
export const DEFAULT_OPTIONS: CollectorOptions = loadConfig(
  collectorVariables({}, 'this-host', 'linux'),
  {},
  VARIABLE_NAMES,
).values;
