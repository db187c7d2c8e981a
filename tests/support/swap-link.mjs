// A process of its own that lets the name argv[2] be, in turn and as fast as it can, a link to each of the files argv[3…].
import { linkSync, renameSync, rmSync } from 'node:fs';
import process from 'node:process';

const [name, ...files] = process.argv.slice(2);
const next = `${name}.next`;
process.stdout.write('begun\n');
for (let turn = 0; ; turn++) {
  rmSync(next, { force: true });
  linkSync(files[turn % files.length], next);
  renameSync(next, name);
}
