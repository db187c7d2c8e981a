import { readFileSync } from 'node:fs';

import { resolveProgramPath } from '@thugshells/shared/program-root.ts';

/** A file that the status page loads. */
export interface Asset {
  readonly type: string;
  readonly body: string;
}

const JAVASCRIPT = 'text/javascript; charset=utf-8';
const STYLES = 'text/css; charset=utf-8';

/** The build copies them from `uploader/page`. */
const files: Readonly<Record<string, { readonly type: string; readonly file: string }>> = {
  '/assets/status.js': { type: JAVASCRIPT, file: 'status.js' },
  '/assets/status.css': { type: STYLES, file: 'status.css' },
  '/assets/icon.svg': { type: 'image/svg+xml', file: 'icon.svg' },
  '/assets/plots.js': { type: JAVASCRIPT, file: 'plots.js' },
  '/assets/plot-axes.js': { type: JAVASCRIPT, file: 'plot-axes.js' },
};

/** The URL paths of the assets. */
export const assetPaths = Object.keys(files);

/** Reads an asset from the program's own files: the page works without a network. */
export function readAsset(path: string): Asset {
  const { type, file } = files[path]!;
  return { type, body: readFileSync(resolveProgramPath(`uploader/dist/page/${file}`), 'utf8') };
}
