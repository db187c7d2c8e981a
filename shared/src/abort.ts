/** A controller that is also aborted when a signal is. */
export interface LinkedController {
  readonly controller: AbortController;
  /** To be called when its work is done: until then the signal keeps it. */
  readonly release: () => void;
}

/**
 * What AbortSignal.any() is for, for work under a signal that outlives it: there Node keeps something of each call for as
 * long as the signal lives (nodejs/node, issue 55351), which in an agent is for ever.
 */
export function createLinkedController(signal: AbortSignal): LinkedController {
  const controller = new AbortController();
  const follow = (): void => controller.abort(signal.reason);
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });
  return { controller, release: () => signal.removeEventListener('abort', follow) };
}
