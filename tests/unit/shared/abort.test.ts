import { getEventListeners } from 'node:events';

import { describe, expect, test } from '@jest/globals';

import { createLinkedController } from '@thugshells/shared/abort.ts';

describe('a controller under a signal', () => {
  test('is aborted with it, for the same reason', () => {
    const parent = new AbortController();
    const { controller } = createLinkedController(parent.signal);
    expect(controller.signal.aborted).toBe(false);
    parent.abort('enough');
    expect([controller.signal.aborted, controller.signal.reason]).toEqual([true, 'enough']);
  });

  test('is aborted from the start where the signal is', () => {
    expect(createLinkedController(AbortSignal.abort('over')).controller.signal.reason).toBe('over');
  });

  test('can be aborted by itself, which the signal does not notice', () => {
    const parent = new AbortController();
    const { controller } = createLinkedController(parent.signal);
    controller.abort();
    expect(parent.signal.aborted).toBe(false);
  });

  test('leaves nothing behind on the signal once released', () => {
    const parent = new AbortController();
    const followers = Array.from({ length: 10 }, () => createLinkedController(parent.signal));
    expect(getEventListeners(parent.signal, 'abort')).toHaveLength(10);
    for (const { release } of followers) release();
    expect(getEventListeners(parent.signal, 'abort')).toHaveLength(0);
    parent.abort();
    expect(followers[0]!.controller.signal.aborted).toBe(false);
  });
});
