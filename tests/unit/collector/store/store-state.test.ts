import { expect, test } from '@jest/globals';

import {
  findDatabase,
  findFailure,
  nextState,
  type OpenDatabase,
  type StoreEvent,
  type StoreState,
} from '../../../../collector/src/store/store-state.ts';

const first = { session: 'first' } as unknown as OpenDatabase;
const second = { session: 'second' } as unknown as OpenDatabase;

/** Returns the state after these events, from the first one on. */
function stateAfter(...events: readonly StoreEvent[]): StoreState {
  return events.reduce<StoreState>(nextState, { name: 'unopened' });
}

function opened(database: OpenDatabase): StoreEvent {
  return { type: 'opened', database };
}

function failed(reason: string, nowMs: number): StoreEvent {
  return { type: 'commit failed', reason, nowMs };
}

const committed: StoreEvent = { type: 'committed' };
const corrupt: StoreEvent = { type: 'corruption found' };
const closed: StoreEvent = { type: 'closed' };

test('store state: a failed commit keeps the database and buffers until a commit goes through', () => {
  expect(stateAfter(opened(first), failed('full', 5))).toEqual({
    name: 'buffering',
    failure: { reason: 'full', sinceMs: 5 },
    database: first,
  });
  expect(stateAfter(opened(first), failed('full', 5), committed)).toEqual({ name: 'open', database: first });
});

test('store state: buffering has the last reason, and the time of the first failure', () => {
  expect(findFailure(stateAfter(opened(first), failed('full', 5), failed('read-only', 9)))).toEqual({
    reason: 'read-only',
    sinceMs: 5,
  });
});

test('store state: a database that is opened while buffering is used, and the failure stands', () => {
  const state = stateAfter(failed('full', 5), opened(first));
  expect([state.name, findDatabase(state), findFailure(state)?.reason]).toEqual(['buffering', first, 'full']);
});

test('store state: a corrupt database is none, and another one takes its place', () => {
  expect(stateAfter(opened(first), corrupt)).toEqual({ name: 'rebuilding', failure: undefined });
  expect(findDatabase(stateAfter(opened(first), corrupt, failed('full', 5)))).toBeUndefined();
  expect(stateAfter(opened(first), corrupt, opened(second))).toEqual({ name: 'open', database: second });
});

test('store state: a rebuild ends no failure, only a commit does', () => {
  const rebuilt = stateAfter(opened(first), failed('full', 5), corrupt, opened(second));
  expect([rebuilt.name, findFailure(rebuilt)]).toEqual(['buffering', { reason: 'full', sinceMs: 5 }]);
  expect(nextState(rebuilt, committed)).toEqual({ name: 'open', database: second });
});

test('store state: nothing follows a closed store', () => {
  for (const event of [opened(first), committed, failed('full', 5), corrupt, closed])
    expect(stateAfter(opened(first), closed, event)).toEqual({ name: 'closed' });
});
