/** What `act` throws; fails where it throws nothing. */
export function thrownBy(act: () => unknown): unknown {
  let result: unknown;
  try {
    result = act();
  } catch (error) {
    return error;
  }
  throw new Error(`threw nothing, returned ${String(result)}`);
}
