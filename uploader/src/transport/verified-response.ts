import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

import { createLinkedController } from '@thugshells/shared/abort.ts';
import { backgroundClock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';

/** got's own timeout comes first, where it comes. */
const SLACK_MS = 1_000;
/** Interim responses (RFC 9110, section 15.2) to one request; a receiver sends none. */
const MAX_INTERIM = 16;

/** A request as got returns it. */
interface PendingResponse<R> extends Promise<R> {
  on(event: 'request', listener: (outgoing: ClientRequest) => void): unknown;
}

export interface ReceiveOptions {
  /** Ends the request. */
  readonly controller: AbortController;
  readonly timeoutMs: number;
}

/**
 * Returns the response to a request. Over https it counts only if it came by an encrypted connection whose peer was
 * verified, whatever an agent has made of a proxy's response. It comes in time or fails: got waits for ever after a
 * switch of protocols, and interim responses keep it busy.
 *
 * @throws AgentError NOT_VERIFIED, NOT_HTTP or ETIMEDOUT, and what got throws
 */
export async function receiveVerified<R>(request: PendingResponse<R>, options: ReceiveOptions): Promise<R> {
  const { controller, timeoutMs } = options;
  const over = createLinkedController(controller.signal);
  let isVerified = false;
  const failure = new Promise<never>((_, reject) => {
    const fail = (message: string, code: string): void => {
      reject(new AgentError(message, { code }));
      controller.abort();
    };
    void request.on('request', (outgoing) => {
      outgoing.once('response', () => (isVerified = isFromVerifiedPeer(outgoing)));
      refuseOtherResponses(outgoing, (message) => fail(message, 'NOT_HTTP'));
    });
    void backgroundClock.sleep(timeoutMs + SLACK_MS, over.controller.signal).then(() => {
      if (!over.controller.signal.aborted) fail(`no response within ${timeoutMs / 1000} s`, 'ETIMEDOUT');
    });
  });
  try {
    const response = await Promise.race([request, failure]);
    if (isVerified) return response;
  } finally {
    over.controller.abort();
    over.release();
  }
  throw new AgentError('the response did not come by an encrypted connection to a verified receiver', {
    code: 'NOT_VERIFIED',
  });
}

/** Ends a request that gets a switch of protocols, or interim responses without end. */
function refuseOtherResponses(outgoing: ClientRequest, fail: (message: string) => void): void {
  let interim = 0;
  outgoing.once('upgrade', ({ statusCode }: IncomingMessage, socket: Duplex) => {
    socket.destroy();
    fail(`HTTP ${statusCode} from something that is no receiver: it switches to another protocol`);
  });
  outgoing.on('information', () => {
    interim += 1;
    if (interim > MAX_INTERIM) fail(`more than ${MAX_INTERIM} interim responses and no final one`);
  });
}

/** Whether a response came by an encrypted connection to a verified peer, if the request is to be encrypted. */
export function isFromVerifiedPeer({ protocol, socket }: ClientRequest): boolean {
  return protocol !== 'https:' || (socket instanceof TLSSocket && socket.authorized);
}
