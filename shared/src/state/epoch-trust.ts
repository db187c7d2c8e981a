/**
 * How far the clock of an epoch is trusted, as `epochs.trusted` holds it: the collector writes it, the uploader reads it.
 *
 *   no          it stands before the program's build, or more than a day from the receiver's clock
 *   faith       it may be right; no receiver has been asked
 *   confirmed   it agreed with the receiver's clock while the epoch lasted, or was corrected
 */
export const Trust = { no: 0, faith: 1, confirmed: 2 } as const;
export type Trust = (typeof Trust)[keyof typeof Trust];

/** Whether a stored value is one of them. */
export function isTrust(value: unknown): value is Trust {
  return Object.values(Trust).some((trust) => trust === value);
}
