/** Reads [{ file, text }] from standard input; prints, for each, what the restrictions say of it as if it stood there. */
import { ESLint } from 'eslint';
import { text as readAll } from 'node:stream/consumers';
import tseslint from 'typescript-eslint';

// The boundaries need no types, and reading the whole project for them would take seconds a text.
const eslint = new ESLint({ overrideConfig: [{ files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked }] });

const complaints = [];
for (const { file, text } of JSON.parse(await readAll(process.stdin))) {
  const [result] = await eslint.lintText(text, { filePath: file });
  const restrictions = result.messages.filter(
    ({ ruleId, fatal }) => fatal || ruleId?.startsWith('no-restricted-') || ruleId?.startsWith('import-x/'),
  );
  complaints.push(restrictions.map(({ message }) => message));
}
console.log(JSON.stringify(complaints));
