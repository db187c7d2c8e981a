import { isListOf, isObjectOf, isOneOf, isText } from './stored-values.ts';

/** A component of the device that is not ok, or no longer so. */
export interface UnhealthyComponent {
  readonly component: string;
  /** Why, in one of a few words. */
  readonly reason: string;
  /** 0 ok, 1 degraded, 2 error. */
  readonly health: 0 | 1 | 2;
}

export const isUnhealthyComponents = isListOf(
  isObjectOf<UnhealthyComponent>({ component: isText, reason: isText, health: isOneOf([0, 1, 2]) }),
);

/**
 * Returns those that were reported before and have recovered since, with a health of 0: a series that only ended would keep
 * its last value for five minutes at the receiver, and its alert with it.
 */
export function findRecovered(
  before: readonly UnhealthyComponent[],
  now: readonly UnhealthyComponent[],
): UnhealthyComponent[] {
  const isListed = (one: UnhealthyComponent): boolean =>
    now.some(({ component, reason }) => component === one.component && reason === one.reason);
  return before.filter((one) => !isListed(one)).map((one) => ({ ...one, health: 0 }));
}
