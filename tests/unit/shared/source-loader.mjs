// Lets a child process run the TypeScript sources as they stand: node --import …/source-loader.mjs script.mjs
import { register } from 'node:module';

register('./source-hooks.mjs', import.meta.url);
