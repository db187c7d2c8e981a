import { describe, expect, test } from '@jest/globals';

import { ResourceStack } from '../../../../shared/src/process/lifecycle.ts';

describe('what was taken', () => {
  test('is released in reverse order, each after the one before has ended', async () => {
    const releases = new ResourceStack();
    const order: string[] = [];
    releases.add('lock', 'lock', (thing) => void order.push(thing));
    releases.add('database', 'database', async (thing) => {
      await new Promise((resolve) => setImmediate(resolve));
      order.push(thing);
    });
    releases.add('session', 'session', (thing) => void order.push(thing));
    await releases.run(() => undefined);
    expect(order).toEqual(['session', 'database', 'lock']);
  });

  test('comes back from add, to be used', () => {
    const thing = { open: true };
    expect(new ResourceStack().add('thing', thing, () => undefined)).toBe(thing);
  });

  test('is released though another step throws or rejects; each failure is told by name', async () => {
    const releases = new ResourceStack();
    const order: string[] = [];
    const failures: string[] = [];
    releases.add('lock', 0, () => void order.push('lock'));
    releases.add('database', 0, () => {
      throw new Error('busy');
    });
    releases.add('wal', 0, async () => {
      throw new Error('locked');
    });
    releases.add('session', 0, () => void order.push('session'));
    await releases.run((name, error) => void failures.push(`${name}: ${(error as Error).message}`));
    expect(order).toEqual(['session', 'lock']);
    expect(failures).toEqual(['wal: locked', 'database: busy']);
  });

  test('is released once', async () => {
    const releases = new ResourceStack();
    let released = 0;
    releases.add('lock', 0, () => void (released += 1));
    await releases.run(() => undefined);
    await releases.run(() => undefined);
    expect(released).toBe(1);
  });
});
