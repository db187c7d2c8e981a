import type { Chunk } from '../../chunk.ts';
import { toBootTime } from '../../clock/receiver-clock.ts';
import type { UploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { createBodyFormat } from '../../encoding/formats/registry.ts';
import { shortDuration, skew } from '../../health/formatting.ts';
import type { PendingRowsVersion } from '../../queue/pending-rows-version.ts';
import type { HttpTransport, HttpTransportOptions } from '../../transport/http-transport.ts';
import { findRecognized, findRemedy, USE_HTTPS } from '../../transport/recognized-responses.ts';
import type { SendResult } from '../../transport/transport.ts';
import { findPathProblem, isKnownWritePath } from '@thugshells/shared/config/write-path.ts';
import { failed, isOfProxy, passed, skipped, type StepName, type StepResult } from './step.ts';

const SET_CLOCK = 'set the clock (run: timedatectl set-ntp true) or THUGSHELLS_CLOCK_SKEW_POLICY=correct';
const CHECK_RECEIVER = 'check the receiver and what is in front of it';
const UNSUPPORTED_MEDIA_TYPE = 415;
/** For a port that has ended a connection without a word of HTTP, and speaks TLS. */
export const TLS_PORT = failed('tls', 'this port speaks TLS, and not HTTP', USE_HTTPS);

/** Sends a write without samples in the configured protocol, as uploads are sent. */
export async function writeNothing(client: HttpTransport): Promise<SendResult> {
  const { signal } = new AbortController();
  if (client.checksConnection) {
    const asked = await client.ask(signal);
    // The receiver does not support the version that was asked for, and is asked by the other one.
    return asked.status === UNSUPPORTED_MEDIA_TYPE ? client.ask(signal) : asked;
  }
  const { format } = client;
  const chunk: Chunk = {
    body: createBodyFormat(format).finish(),
    format,
    count: 0,
    ids: new Float64Array(),
    series: [],
    ranges: [],
    pendingRowsVersion: '' as PendingRowsVersion,
  };
  return client.send(chunk, signal);
}

/** Returns what the response to a write shows of the steps that it takes, or the first one that failed. */
export function toWriteSteps(
  { outcome, status, durationMs, errorCode }: SendResult,
  config: UploaderConfig,
  /** Empty for none. */
  proxy: string,
): readonly StepResult[] {
  if ('reason' in outcome) {
    const recognized = findRecognized(outcome.reason);
    const step = recognized?.step ?? findStep(errorCode, outcome.reason);
    return [failed(step, outcome.reason, findRemedy(outcome.reason) ?? CHECK_RECEIVER)];
  }
  const { pathname } = new URL(config.remoteUrl);
  const problem = findPathProblem(config);
  const isKnown = isKnownWritePath(config);
  return [
    ...(proxy === '' ? [] : [passed('proxy', `${proxy} hands the requests on`)]),
    passed('authentication', describeCredentials(config)),
    problem === undefined
      ? passed('path', isKnown ? pathname : `${pathname}, which is none of the known write paths`)
      : failed('path', problem.message, problem.hint),
    passed('write', `HTTP ${status} to a write without samples in ${shortDuration(durationMs)}`),
  ];
}

function findStep(errorCode: string | undefined, reason: string): StepName {
  if (isOfProxy(errorCode)) return 'proxy';
  return reason.startsWith('the port speaks TLS') ? 'tls' : 'write';
}

function describeCredentials(config: UploaderConfig): string {
  const { username, password } = new URL(config.remoteUrl);
  const sent = [
    ...(config.remoteTokenFile === '' ? [] : ['the token of THUGSHELLS_REMOTE_TOKEN_FILE']),
    ...(config.remoteUser === '' ? [] : ['the user of THUGSHELLS_REMOTE_USER with its password']),
    ...(username === '' && password === '' ? [] : ['the user and the password of THUGSHELLS_REMOTE_URL']),
    ...(config.remoteHeadersFile === '' ? [] : ['the headers of THUGSHELLS_REMOTE_HEADERS_FILE']),
    ...(config.remoteCertFile === '' ? [] : ['the certificate of THUGSHELLS_REMOTE_CERT_FILE']),
  ];
  return sent.length === 0 ? 'none sent, none required' : `${sent.join(', ')}: accepted, or none is required`;
}

/** Compares the clock of this device with the time in a response. */
export function toClockStep(
  { date, age, sentAtMs, receivedAtMs }: SendResult,
  { clock }: HttpTransportOptions,
  { clockSkewWarnMs, clockSkewPolicy }: UploaderConfig,
): StepResult {
  const dated = {
    date,
    age,
    ...(sentAtMs === undefined || receivedAtMs === undefined ? {} : { sentAtMs, receivedAtMs }),
  };
  const time = toBootTime(dated, false);
  if (time === undefined) return skipped('clock', 'the response has no date');
  const skewMs = clock.now() - (time.bootedAtMs + clock.sinceBoot());
  const text = `this clock is ${skew(skewMs, time.errorMs)}, compared with the receiver’s`;
  if (Math.abs(skewMs) <= clockSkewWarnMs + time.errorMs) return passed('clock', text);
  return clockSkewPolicy === 'correct'
    ? passed('clock', `${text}; THUGSHELLS_CLOCK_SKEW_POLICY=correct stamps samples by that`)
    : failed('clock', text, SET_CLOCK);
}
