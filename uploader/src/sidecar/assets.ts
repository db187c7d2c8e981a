import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** A file that the status page needs. */
export interface Asset {
  readonly type: string;
  readonly body: string;
}

const own = (file: string): string => fileURLToPath(new URL(`../../page/${file}`, import.meta.url));
const ofUplot = (file: string): string => createRequire(import.meta.url).resolve(`uplot/dist/${file}`);

const files: Readonly<Record<string, { readonly type: string; readonly path: () => string }>> = {
  '/assets/status.js': { type: 'text/javascript; charset=utf-8', path: () => own('status.js') },
  '/assets/status.css': { type: 'text/css; charset=utf-8', path: () => own('status.css') },
  '/assets/icon.svg': { type: 'image/svg+xml', path: () => own('icon.svg') },
  '/assets/uplot.js': { type: 'text/javascript; charset=utf-8', path: () => ofUplot('uPlot.iife.min.js') },
  '/assets/uplot.css': { type: 'text/css; charset=utf-8', path: () => ofUplot('uPlot.min.css') },
};

/** Where the assets are. */
export const assetPaths = Object.keys(files);

/** Reads an asset; it comes with the program, so that the page works without any network but this board. */
export function readAsset(path: string): Asset {
  const { type, path: file } = files[path]!;
  return { type, body: readFileSync(file(), 'utf8') };
}
