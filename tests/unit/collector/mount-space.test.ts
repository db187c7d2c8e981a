import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { MountSpace, type BlockCounts, type MountKind } from '../../../collector/src/mount-space.js';
import { FakeClock } from '../../support/fake-clock.js';

const COUNTS: BlockCounts = { bsize: 4096, blocks: 1000, bavail: 250 };
const DEADLINE_MS = 2_000;

/** Mounts that answer when the test says so; `open` holds those that have not, as the threads of a pool would be held. */
function mounts() {
  const clock = new FakeClock();
  const open = new Map<string, { answer: (counts: BlockCounts) => void; fail: (error: Error) => void }>();
  const asked: string[] = [];
  const space = new MountSpace({
    clock,
    ask: (path) => {
      asked.push(path);
      return new Promise<BlockCounts>((resolve, reject) => {
        const close = <T,>(end: (value: T) => void) => (value: T) => { open.delete(path); end(value); };
        open.set(path, { answer: close(resolve), fail: close(reject) });
      });
    },
  });
  /** Asks, and lets the deadline pass if there is no answer by then. */
  const hang = async (path: string, kind: MountKind = 'remote') => {
    const failed = space.of(path, kind).catch((error: unknown) => error);
    await clock.advance(DEADLINE_MS);
    return failed;
  };
  return { clock, open, asked, space, hang };
}

const hung = { code: 'KERNEL_FILE_HUNG', hint: expect.any(String) };

test('blocks are turned into bytes', async () => {
  const { space, open, clock } = mounts();
  const answer = space.of('/', 'local');
  open.get('/')?.answer(COUNTS);
  expect(await answer).toEqual({ sizeBytes: 4_096_000, availableBytes: 1_024_000 });
  expect(clock.sleeping).toBe(0);
});

test('an error of the system is passed on, and the mount may be asked again at once', async () => {
  const { space, open, clock, asked } = mounts();
  for (const round of [1, 2]) {
    const answer = space.of('/mnt', 'local');
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
    void space.of('/nfs', 'remote').catch((error: unknown) => (failure = error));
    await clock.advance(DEADLINE_MS - 1);
    expect(failure).toBeUndefined();
    await clock.advance(1);
    expect(failure).toMatchObject({ ...hung, message: '/nfs hangs: no answer within 2 s' });
  });

  test('is not asked a second time until its first answer has come, and then it is', async () => {
    const { space, hang, asked, open } = mounts();
    await hang('/nfs');
    for (let scrape = 0; scrape < 10; scrape += 1) {
      await expect(space.of('/nfs', 'remote')).rejects.toMatchObject({ ...hung, message: '/nfs hangs: it has not answered since it was last asked' });
    }
    expect(asked).toEqual(['/nfs']);
    open.get('/nfs')?.answer(COUNTS);
    await Promise.resolve();
    const answer = space.of('/nfs', 'remote');
    await Promise.resolve();
    open.get('/nfs')?.answer(COUNTS);
    expect(await answer).toMatchObject({ sizeBytes: 4_096_000 });
  });

  test('may fail late without harm to anybody', async () => {
    const { space, hang, open, asked } = mounts();
    await hang('/nfs');
    open.get('/nfs')?.fail(new Error('ESTALE'));
    await new Promise((resolve) => setImmediate(resolve));
    void space.of('/nfs', 'remote').catch(() => undefined);
    expect(asked).toEqual(['/nfs', '/nfs']);
  });

  test('keeps other remote ones from being asked, but not local ones', async () => {
    const { space, hang, open, asked } = mounts();
    await hang('/nfs');
    await expect(space.of('/cifs', 'remote')).rejects.toMatchObject({ ...hung, message: '/cifs hangs: not asked while there is no answer from /nfs' });
    const answer = space.of('/', 'local');
    open.get('/')?.answer(COUNTS);
    await answer;
    expect(asked).toEqual(['/nfs', '/']);
  });

  test('and a second one, which is local, keep all from being asked', async () => {
    const { space, hang, asked } = mounts();
    await hang('/nfs');
    await hang('/usb', 'local');
    await expect(space.of('/', 'local')).rejects.toMatchObject({ message: '/ hangs: not asked while there is no answer from /nfs and /usb' });
    expect(asked).toEqual(['/nfs', '/usb']);
  });
});

test('whatever hangs and recovers, at most two mounts hold a thread, one of them remote, and none holds two', async () => {
  const step = fc.record({
    path: fc.constantFrom('/', '/usb', '/nfs', '/cifs', '/fuse'),
    does: fc.constantFrom('answers', 'fails', 'hangs', 'recovers', 'breaks'),
  });
  const kindOf = (path: string): MountKind => (path === '/' || path === '/usb' ? 'local' : 'remote');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { space, clock, open, asked } = mounts();
      for (const { path, does } of steps) {
        if (does === 'recovers') open.get(path)?.answer(COUNTS);
        else if (does === 'breaks') open.get(path)?.fail(new Error('ESTALE'));
        else {
          const [before, wasOpen] = [asked.length, open.has(path)];
          const outcome = space.of(path, kindOf(path)).then(() => 'space', (error: { code?: string }) => error.code ?? 'error');
          const wasAsked = asked.length > before;
          expect(wasAsked && wasOpen).toBe(false);
          if (does === 'answers' && wasAsked) open.get(path)?.answer(COUNTS);
          if (does === 'fails' && wasAsked) open.get(path)?.fail(new Error('EIO'));
          await clock.advance(DEADLINE_MS);
          expect(await outcome).toBe(!wasAsked || does === 'hangs' ? 'KERNEL_FILE_HUNG' : does === 'answers' ? 'space' : 'error');
        }
        await clock.advance(0);
        expect(open.size).toBeLessThanOrEqual(2);
        expect([...open.keys()].filter((held) => kindOf(held) === 'remote').length).toBeLessThanOrEqual(1);
        expect(clock.sleeping).toBe(0);
      }
    }),
    { numRuns: 200 },
  );
});
