import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './faults.ts';

/** An answer to be sent. */
export interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Why a request gets no answer: its socket is destroyed, or it is left waiting. */
export type NoAnswer = 'destroy' | 'hang';

/** What a fault makes of the answer that would have been given. */
export function answerUnder(fault: Fault | undefined, usual: Answer): Answer | NoAnswer {
  if (fault === undefined) return usual;
  if (fault.hang === true) return 'hang';
  if (fault.eatResponse === true || fault.cutConnection === true) return 'destroy';
  const status = fault.status ?? (fault.body === undefined ? usual.status : 200);
  const body = fault.body ?? (fault.status === undefined ? usual.body : undefined);
  return { status, ...(body === undefined ? {} : { body }), headers: { ...usual.headers, ...fault.headers } };
}

/** How an answer is sent. */
export interface Sending {
  readonly fault: Fault | undefined;
  /** The time of the Date header, Unix milliseconds, asked for when the answer leaves. */
  readonly dateMs: () => number;
  /** Ends a delay or a drip early. */
  readonly signal: AbortSignal;
}

/** Sends an answer, late and slowly where the fault says so. Rejects with AbortError when `signal` ends it. */
export async function send(response: ServerResponse, answer: Answer | NoAnswer, sending: Sending): Promise<void> {
  const { fault, signal } = sending;
  if (fault?.delayMs !== undefined) await delay(fault.delayMs, undefined, { signal });
  if (answer === 'hang') return;
  if (answer === 'destroy') {
    response.destroy();
    return;
  }
  const body = Buffer.from(answer.body ?? '');
  const length = answer.status === 204 ? {} : { 'Content-Length': String(body.length) };
  const date = new Date(sending.dateMs()).toUTCString();
  response.writeHead(answer.status, { Date: date, ...length, ...answer.headers });
  if (fault?.dripMs === undefined || response.req.method === 'HEAD') {
    response.end(body);
    return;
  }
  for (const byte of body) {
    response.write(Buffer.of(byte));
    await delay(fault.dripMs, undefined, { signal });
  }
  response.end();
}
