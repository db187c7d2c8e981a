import { AgentError } from '@thugshells/shared/errors.ts';

/** Ends a request whose response is too long. */
export function watchLength(
  request: { on(event: 'downloadProgress', listener: (progress: { transferred: number }) => void): unknown },
  maxBytes: number,
  controller: AbortController,
): { isPassed: boolean } {
  const limit = { isPassed: false };
  request.on('downloadProgress', ({ transferred }) => {
    limit.isPassed = transferred > maxBytes;
    if (limit.isPassed) controller.abort();
  });
  return limit;
}

/** Returns the error of a response that is too long. */
export function createTooLong(maxBytes: number): AgentError {
  return new AgentError(`the response is longer than ${maxBytes} bytes`, { code: 'ANSWER_TOO_LONG' });
}
