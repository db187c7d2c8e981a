import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** A Chromium of this machine: named by CHROMIUM_BIN, or on the PATH. */
function findChromium(): string {
  const { CHROMIUM_BIN, PATH = '' } = process.env;
  const candidates =
    CHROMIUM_BIN === undefined
      ? PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)))
      : [CHROMIUM_BIN];
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined)
    throw new Error('no Chromium: install Debian’s package chromium, or name one by CHROMIUM_BIN');
  return found;
}

/** A browser that a test owns; nothing of it is kept. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
}
