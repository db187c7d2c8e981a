import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { MountSpace, type BlockCounts, type MountKind } from '../../../../collector/src/kernel/mount-space.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const COUNTS: BlockCounts = { bsize: 4096, blocks: 1000, bavail: 250, files: 100, ffree: 40 };
const DEADLINE_MS = 2_000;

/** Mounts that answer when the test says so; `open` holds those that have not, as the threads of a pool would be held. */
function mounts() {
  const clock = new FakeClock();
  const open = new Map<string, { answer: (counts: BlockCounts) => void; fail: (error: Error) => void }>();
  const asked: string[] = [];
  const ask = (path: string) => {
    asked.push(path);
    return new Promise<BlockCounts>((resolve, reject) => {
      const close =
        <T>(end: (value: T) => void) =>
        (value: T) => {
          open.delete(path);
          end(value);
        };
      open.set(path, { answer: close(resolve), fail: close(reject) });
    });
  };
  const space = new MountSpace({ local: ask, remote: ask }, clock);
  /** Asks, and lets the deadline pass if there is no answer by then. */
  const hang = async (path: string, kind: MountKind = 'remote') => {
    const failed = space.read(path, kind).catch((error: unknown) => error);
    await clock.advance(DEADLINE_MS);
    return failed;
  };
  return { clock, open, asked, space, hang };
}

const hung = { code: 'KERNEL_FILE_HUNG', hint: expect.any(String) };

test('blocks are turned into bytes, inodes into files', async () => {
  const { space, open, clock } = mounts();
  const answer = space.read('/', 'local');
  open.get('/')?.answer(COUNTS);
  expect(await answer).toEqual({ sizeBytes: 4_096_000, availableBytes: 1_024_000, files: 100, filesFree: 40 });
  expect(clock.sleeping).toBe(0);
});

test('an error of the system is passed on, and the mount may be asked again at once', async () => {
  const { space, open, clock, asked } = mounts();
  for (const round of [1, 2]) {
    const answer = space.read('/mnt', 'local');
    open.get('/mnt')?.fail(new Error(`EIO ${round}`));
    await expect(answer).rejects.toThrow(`EIO ${round}`);
  }
  expect(asked).toHaveLength(2);
  expect(clock.sleeping).toBe(0);
});

describe('a mount that does not answer', () => {
  test('is waited for no longer than the deadline', async () => {
    const { space, clock } = mounts();
    let failure: unknown;
    void space.read('/nfs', 'remote').catch((error: unknown) => (failure = error));
    await clock.advance(DEADLINE_MS - 1);
    expect(failure).toBeUndefined();
    await clock.advance(1);
    expect(failure).toMatchObject({
      ...hung,
      message: 'cannot read the space of /nfs: statfs did not return within 2 s',
    });
  });

  test('is not asked a second time until its first answer has come, and then it is', async () => {
    const { space, hang, asked, open } = mounts();
    await hang('/nfs');
    for (let scrape = 0; scrape < 10; scrape += 1) {
      await expect(space.read('/nfs', 'remote')).rejects.toMatchObject({
        ...hung,
        message: 'cannot read the space of /nfs: statfs has not returned since the last scrape',
      });
    }
    expect(asked).toEqual(['/nfs']);
    open.get('/nfs')?.answer(COUNTS);
    await Promise.resolve();
    const answer = space.read('/nfs', 'remote');
    await Promise.resolve();
    open.get('/nfs')?.answer(COUNTS);
    expect(await answer).toMatchObject({ sizeBytes: 4_096_000 });
  });

  test('may fail late without harm to anybody', async () => {
    const { space, hang, open, asked } = mounts();
    await hang('/nfs');
    open.get('/nfs')?.fail(new Error('ESTALE'));
    await new Promise((resolve) => setImmediate(resolve));
    void space.read('/nfs', 'remote').catch(() => undefined);
    expect(asked).toEqual(['/nfs', '/nfs']);
  });

  test('keeps nobody else from being asked, be it remote or local', async () => {
    const { space, hang, open, asked } = mounts();
    await hang('/nfs');
    for (const [path, kind] of [
      ['/cifs', 'remote'],
      ['/', 'local'],
    ] as const) {
      const answer = space.read(path, kind);
      open.get(path)?.answer(COUNTS);
      await answer;
    }
    expect(asked).toEqual(['/nfs', '/cifs', '/']);
  });

  test('keeps local ones from being asked when it is one of two local ones, so that they leave threads to the others', async () => {
    const { space, hang, asked, open } = mounts();
    await hang('/usb', 'local');
    await hang('/sd', 'local');
    await expect(space.read('/', 'local')).rejects.toMatchObject({
      ...hung,
      message: 'cannot read the space of /: statfs not called while /usb and /sd hang',
    });
    const remote = space.read('/nfs', 'remote');
    open.get('/nfs')?.answer(COUNTS);
    await remote;
    expect(asked).toEqual(['/usb', '/sd', '/nfs']);
  });

  test('keeps remote ones from being asked when it is one of eight, so that processes stay few', async () => {
    const { space, hang } = mounts();
    for (let each = 1; each <= 8; each += 1) await hang(`/nfs${each}`);
    await expect(space.read('/nfs9', 'remote')).rejects.toMatchObject(hung);
  });
});

test('whatever hangs and recovers, at most two local mounts hold a thread, and none is asked twice at once', async () => {
  const step = fc.record({
    path: fc.constantFrom('/', '/usb', '/sd', '/nfs', '/cifs'),
    does: fc.constantFrom('answers', 'fails', 'hangs', 'recovers', 'breaks'),
  });
  const kindOf = (path: string): MountKind => (path === '/nfs' || path === '/cifs' ? 'remote' : 'local');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { space, clock, open, asked } = mounts();
      for (const { path, does } of steps) {
        if (does === 'recovers') open.get(path)?.answer(COUNTS);
        else if (does === 'breaks') open.get(path)?.fail(new Error('ESTALE'));
        else {
          const [before, wasOpen] = [asked.length, open.has(path)];
          const outcome = space.read(path, kindOf(path)).then(
            () => 'space',
            (error: { code?: string }) => error.code ?? 'error',
          );
          const wasAsked = asked.length > before;
          expect(wasAsked && wasOpen).toBe(false);
          if (does === 'answers' && wasAsked) open.get(path)?.answer(COUNTS);
          if (does === 'fails' && wasAsked) open.get(path)?.fail(new Error('EIO'));
          await clock.advance(DEADLINE_MS);
          expect(await outcome).toBe(
            !wasAsked || does === 'hangs' ? 'KERNEL_FILE_HUNG' : does === 'answers' ? 'space' : 'error',
          );
        }
        await clock.advance(0);
        expect([...open.keys()].filter((held) => kindOf(held) === 'local').length).toBeLessThanOrEqual(2);
        expect(clock.sleeping).toBe(0);
      }
    }),
    { numRuns: 200 },
  );
});

test('a mount is not called hung because this process was blocked until after the deadline', async () => {
  class BlockedClock extends FakeClock {
    blockedMs = 0;
    override monotonic(): number {
      return super.monotonic() + this.blockedMs;
    }
  }
  const clock = new BlockedClock();
  const answers: ((counts: BlockCounts) => void)[] = [];
  const ask = () => new Promise<BlockCounts>((resolve) => void answers.push(resolve));
  const answer = new MountSpace({ local: ask, remote: ask }, clock).read('/', 'local');
  clock.blockedMs = 5_000;
  await clock.advance(DEADLINE_MS);
  answers[0]?.(COUNTS);
  expect(await answer).toMatchObject({ sizeBytes: 4_096_000 });
});
