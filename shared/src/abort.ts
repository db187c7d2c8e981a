/** A controller that is also aborted when a signal is. */
export interface LinkedController {
  readonly controller: AbortController;
  /** Unlinks it from the signal, which references it until then; call it when the work is done. */
  readonly release: () => void;
}

/**
 * Creates a controller for work under a signal that outlives it. AbortSignal.any() would leak: Node keeps memory of each
 * call for as long as the signal lives (nodejs/node, issue 55351), which is the whole run of an agent.
 */
export function createLinkedController(signal: AbortSignal): LinkedController {
  const controller = new AbortController();
  const follow = (): void => controller.abort(signal.reason);
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });
  return { controller, release: () => signal.removeEventListener('abort', follow) };
}
