import type { IncomingHttpHeaders } from 'node:http';

import { SERVER_HOSTNAME } from './response-origin.ts';

const NO_CONTENT = 204;

/** What the responses that delivered something had in common, so that those of somebody else stand out. */
export class ReceiverHabits {
  #hasServerHeader = false;
  #hasNoContent = false;

  /** Whether the last one had a header that VictoriaMetrics sends. */
  get hasServerHeader(): boolean {
    return this.#hasServerHeader;
  }

  /** Whether one of them had status 204. */
  get hasNoContentBefore(): boolean {
    return this.#hasNoContent;
  }

  /** Learns from a response to samples that were accepted. */
  learn(status: number, headers: IncomingHttpHeaders): void {
    this.#hasServerHeader = headers[SERVER_HOSTNAME] !== undefined;
    this.#hasNoContent ||= status === NO_CONTENT;
  }

  /** Whether a response lacks the header that the last one had. */
  lacksServerHeader(headers: IncomingHttpHeaders): boolean {
    return this.#hasServerHeader && headers[SERVER_HOSTNAME] === undefined;
  }
}
