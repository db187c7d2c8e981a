/** Writes what the documents take from the schemas; a test compares them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { prepare, root } from './prepare.mjs';
import { environmentFile, metricTables, responseTable, variableTable, withTable } from './reference.ts';

await prepare();
const { collectorVariables } = await import('../../shared/src/config/collector-config.ts');
const { uploaderVariables } = await import('../../shared/src/config/uploader-config.ts');
const schemas = { collector: collectorVariables({}, '', 'linux'), uploader: uploaderVariables({}, '') };

const { RECOGNIZED_RESPONSES } = await import('../../uploader/src/transport/recognized-responses.ts');
const { FAILURES } = await import('../../uploader/src/transport/failure-reasons.ts');

const { COLLECTORS } = await import('../../collector/src/collectors/table.ts');
const agentSeries = await import('../../shared/src/metrics/agent-series.ts');

const tables = [
  ['docs/configuration.md', 'variables', variableTable(schemas)],
  ['docs/troubleshooting.md', 'responses', responseTable([...RECOGNIZED_RESPONSES, ...FAILURES])],
  ['docs/metrics.md', 'metrics', metricTables(COLLECTORS, agentSeries)],
];
for (const [file, name, table] of tables) {
  const path = join(root, file);
  writeFileSync(path, withTable(readFileSync(path, 'utf8'), name, table));
}
writeFileSync(join(root, 'deploy', 'systemd', 'thugshells.env'), environmentFile(schemas));
