import { stripVTControlCharacters } from 'node:util';

import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError, isEnvironmentError, toErrorMessage } from '@thugshells/shared/errors.ts';
import { escapeControls, escapeLines } from '@thugshells/shared/printable.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';

/** A terminal whose whole screen is drawn again and again. */
export interface Screen {
  readonly write: (text: string) => void;
  readonly size: () => { readonly rows: number; readonly columns: number };
}

export interface WatchOptions {
  readonly clock: Clock;
  readonly screen: Screen;
  /** Ends the watching. */
  readonly stop: AbortSignal;
  /** Returns the text of the status, which may have colors, and why it is not the uploader's own. */
  readonly readText: () => Promise<{ readonly text: string; readonly problem?: string | undefined }>;
}

/** Long enough to be read, and short beside the intervals of uploads and scrapes. */
export const WATCH_INTERVAL_MS = 2_000;

/** Control sequences of xterm that every terminal emulator of today knows (ECMA-48; DEC private modes 25 and 1049). */
const BEGIN = '\u001b[?1049h\u001b[?25l';
const END = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const ERASE_LINE = '\u001b[K';
const ERASE_BELOW = '\u001b[J';

/**
 * Draws the status every few seconds, on a screen of its own, until it is stopped. A state that cannot be read is shown as
 * such, and read again.
 */
export async function watchStatus({ clock, screen, stop, readText }: WatchOptions): Promise<CommandResult> {
  screen.write(BEGIN);
  try {
    while (!stop.aborted) {
      screen.write(toFrame(await readFrameText(readText), screen.size()));
      await clock.sleep(WATCH_INTERVAL_MS, stop);
    }
  } finally {
    screen.write(END);
  }
  return {};
}

async function readFrameText(readText: WatchOptions['readText']): Promise<string> {
  const footer = `read every ${WATCH_INTERVAL_MS / 1000} s; Ctrl-C ends this`;
  try {
    const { text, problem } = await readText();
    return `${problem === undefined ? '' : `${escapeControls(problem)}\n\n`}${text}\n${footer}`;
  } catch (error) {
    if (!isEnvironmentError(error)) throw error;
    const hint = error instanceof AgentError && error.hint !== undefined ? `\nhint: ${error.hint}` : '';
    return `${escapeLines(`${toErrorMessage(error)}${hint}`)}\n\n${footer}`;
  }
}

/** Returns what draws a text over the one before it: as many of its lines as the terminal has rows for. */
function toFrame(text: string, { rows, columns }: ReturnType<Screen['size']>): string {
  let free = rows;
  const lines = text.split('\n').filter((line) => {
    free -= Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns));
    return free >= 0;
  });
  return `${HOME}${lines.map((line) => `${line}${ERASE_LINE}`).join('\r\n')}${ERASE_BELOW}`;
}
