import { describe, expect, test } from '@jest/globals';

import { ResourceStack } from '../../../../shared/src/process/lifecycle.ts';

describe('resource stack: a resource', () => {
  test('is released in reverse order, after the release of the one before has ended', async () => {
    const resources = new ResourceStack();
    const order: string[] = [];
    resources.add('lock', 'lock', (resource) => void order.push(resource));
    resources.add('database', 'database', async (resource) => {
      await new Promise((resolve) => setImmediate(resolve));
      order.push(resource);
    });
    resources.add('session', 'session', (resource) => void order.push(resource));
    await resources.releaseAll(() => undefined);
    expect(order).toEqual(['session', 'database', 'lock']);
  });

  test('is returned by add()', () => {
    const resource = { open: true };
    expect(new ResourceStack().add('file', resource, () => undefined)).toBe(resource);
  });

  test('is released though the release of another one throws or rejects, which is reported by name', async () => {
    const resources = new ResourceStack();
    const order: string[] = [];
    const failures: string[] = [];
    resources.add('lock', 0, () => void order.push('lock'));
    resources.add('database', 0, () => {
      throw new Error('busy');
    });
    resources.add('wal', 0, async () => {
      throw new Error('locked');
    });
    resources.add('session', 0, () => void order.push('session'));
    await resources.releaseAll((name, error) => void failures.push(`${name}: ${(error as Error).message}`));
    expect(order).toEqual(['session', 'lock']);
    expect(failures).toEqual(['wal: locked', 'database: busy']);
  });

  test('is released once', async () => {
    const resources = new ResourceStack();
    let released = 0;
    resources.add('lock', 0, () => void (released += 1));
    await resources.releaseAll(() => undefined);
    await resources.releaseAll(() => undefined);
    expect(released).toBe(1);
  });
});
