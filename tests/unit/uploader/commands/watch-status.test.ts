import { beforeEach, describe, expect, test } from '@jest/globals';

import { AgentError } from '@thugshells/shared/errors.ts';

import { WATCH_INTERVAL_MS, watchStatus, type WatchOptions } from '../../../../uploader/src/commands/watch-status.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { until } from '../../../support/until.ts';

const [BEGIN, END] = ['\u001b[?1049h\u001b[?25l', '\u001b[?25h\u001b[?1049l'];

let clock: FakeClock;
let stop: AbortController;
let size: { rows: number; columns: number };
let written: string[];

beforeEach(() => {
  clock = new FakeClock();
  stop = new AbortController();
  size = { rows: 24, columns: 80 };
  written = [];
});

function watch(readText: WatchOptions['readText']): ReturnType<typeof watchStatus> {
  const screen = { write: (text: string) => void written.push(text), size: () => size };
  return watchStatus({ clock, screen, stop: stop.signal, readText });
}

/** Returns the lines of the last frame. */
function lastLines(): string[] {
  const [, frame = ''] = /^\p{Cc}\[H(.*)\p{Cc}\[J$/su.exec(written.at(-1)!) ?? [];
  return frame.split('\r\n').map((line) => line.replace('\u001b[K', ''));
}

async function isDrawn(frames: number): Promise<void> {
  await until(`${frames} frames are drawn`, () => written.length === frames + 1 && clock.sleeping === 1);
}

test('status --watch: draws the status anew in each interval, and leaves the terminal as it was when it is stopped', async () => {
  let reads = 0;
  const watching = watch(async () => ({ text: `state ${(reads += 1)}\n` }));
  await isDrawn(1);
  expect(written[0]).toBe(BEGIN);
  expect(lastLines()).toEqual(['state 1', '', 'read every 2 s; Ctrl-C ends this']);
  await clock.advance(WATCH_INTERVAL_MS);
  await isDrawn(2);
  expect(lastLines()[0]).toBe('state 2');
  stop.abort();
  expect(await watching).toEqual({});
  expect(written.slice(3)).toEqual([END]);
});

describe('status --watch: a state', () => {
  test('that is not the uploader’s own is shown below the reason, without its control characters', async () => {
    void watch(async () => ({ text: 'last report\n', problem: 'cannot get the status: \u001b[31mred' }));
    await isDrawn(1);
    expect(lastLines().slice(0, 3)).toEqual(['cannot get the status: \\u001b[31mred', '', 'last report']);
    stop.abort();
  });

  test('that cannot be read is shown with its hint, and read again', async () => {
    let isCreated = false;
    void watch(async () => {
      if (isCreated) return { text: 'ok\n' };
      throw new AgentError('cannot open the database', { code: 'DATABASE_MISSING', hint: 'start the collector' });
    });
    await isDrawn(1);
    expect(lastLines().slice(0, 2)).toEqual(['cannot open the database', 'hint: start the collector']);
    isCreated = true;
    await clock.advance(WATCH_INTERVAL_MS);
    await isDrawn(2);
    expect(lastLines()[0]).toBe('ok');
    stop.abort();
  });

  test('that fails by a mistake of the program ends it, with the terminal as it was', async () => {
    await expect(watch(() => Promise.reject(new TypeError('x is not a function')))).rejects.toThrow(TypeError);
    expect(written).toEqual([BEGIN, END]);
  });

  test('that is longer than the terminal is cut to its rows, counting lines that are wider than it', async () => {
    size = { rows: 4, columns: 10 };
    void watch(async () => ({ text: `\u001b[32m0123456789\u001b[39m\n${'wide '.repeat(3)}\n4\n5\n` }));
    await isDrawn(1);
    expect(lastLines()).toEqual(['\u001b[32m0123456789\u001b[39m', 'wide wide wide ', '4']);
    stop.abort();
  });
});
