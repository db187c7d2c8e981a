/** Writes what the documents take from the schemas; a test compares them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { prepare, root } from './prepare.mjs';
import { environmentFile, withVariableTable } from './reference.ts';

await prepare();
const { collectorVariables } = await import('../../shared/src/config/collector-config.ts');
const { uploaderVariables } = await import('../../shared/src/config/uploader-config.ts');
const schemas = { collector: collectorVariables({}, '', 'linux'), uploader: uploaderVariables({}, '') };

const configuration = join(root, 'docs', 'configuration.md');
writeFileSync(configuration, withVariableTable(readFileSync(configuration, 'utf8'), schemas));
writeFileSync(join(root, 'deploy', 'systemd', 'thugshells.env'), environmentFile(schemas));
