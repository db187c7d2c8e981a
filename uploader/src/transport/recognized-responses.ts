import { REMEDIES } from './failure-reasons.ts';

/** What a response is about: the step of `test` that fails by it. */
export type FailedStep = 'proxy' | 'tls' | 'receiver' | 'authentication' | 'path';

/** A response whose cause is known: it is about the address, the credentials or the network, never about the samples. */
export interface RecognizedResponse {
  readonly step: FailedStep;
  readonly meaning: string;
  readonly remedy: string;
}

interface Recognizer extends RecognizedResponse {
  readonly statuses: readonly number[];
  /** Matches the beginning of the body, so that no text of a sample that is repeated in it does; absent: any body. */
  readonly body?: RegExp;
}

const CHECK_PATH = 'check the path of THUGSHELLS_REMOTE_URL';
const CHECK_TOKEN =
  'check THUGSHELLS_REMOTE_TOKEN_FILE (with the package: /etc/thugshells/remote/token, then restart the uploader), or THUGSHELLS_REMOTE_USER and THUGSHELLS_REMOTE_PASSWORD_FILE, or the user and the password in THUGSHELLS_REMOTE_URL';
const SET_TOKEN =
  'set THUGSHELLS_REMOTE_TOKEN_FILE (with the package: write the token into /etc/thugshells/remote/token, then restart the uploader), or THUGSHELLS_REMOTE_USER and THUGSHELLS_REMOTE_PASSWORD_FILE';
const CHECK_CLIENT_CERTIFICATE = 'check THUGSHELLS_REMOTE_CERT_FILE and THUGSHELLS_REMOTE_KEY_FILE';
export const USE_HTTPS = 'use https:// in THUGSHELLS_REMOTE_URL';
const CHECK_ADDRESS = 'check THUGSHELLS_REMOTE_URL, and log in to the network of this device if it asks for that';

/** Before a message of VictoriaMetrics’ programs until 2025: `remoteAddr: "10.0.0.1:4711"; requestURI: /x; `. */
const PEER = /^\s*remoteAddr: .{1,500}?; requestURI: \S{0,2000}; /;
const FROM = String.raw`^\s*(?:cannot determine targetURL: )?`;
const fromVictoria = (message: string): RegExp => new RegExp(FROM + message);

/** The first that matches counts. Each text was seen from the program named, but for vminsert's, which its source has. */
const recognizers: readonly Recognizer[] = [
  {
    statuses: [400],
    body: fromVictoria('cannot find the provided auth token'), // vmauth until 1.79
    step: 'authentication',
    meaning: 'the receiver does not know this token',
    remedy: CHECK_TOKEN,
  },
  {
    statuses: [401],
    body: fromVictoria('missing [`\'"]?Authorization'), // vmauth
    step: 'authentication',
    meaning: 'the receiver requires credentials, and none were sent',
    remedy: SET_TOKEN,
  },
  {
    statuses: [401],
    body: /^\s*no org id/, // Mimir, Cortex
    step: 'authentication',
    meaning: 'the receiver requires a tenant',
    remedy: 'write X-Scope-OrgID: NAME into the file of THUGSHELLS_REMOTE_HEADERS_FILE',
  },
  {
    statuses: [400],
    // vmauth; VictoriaMetrics, vmagent; with -http.pathPrefix; vminsert
    body: fromVictoria(
      '(?:user .{1,300} missing route for|missing route for|unsupported path requested|missing -http\\.pathPrefix|cannot parse path|cannot find \\{|auth error: )',
    ),
    step: 'path',
    meaning: 'the receiver does not know this path',
    remedy: CHECK_PATH,
  },
  {
    statuses: [404],
    body: /^\s*remote write receiver needs to be enabled/, // Prometheus
    step: 'path',
    meaning: 'this Prometheus does not accept remote write',
    remedy: 'start it with the flag that it names',
  },
  {
    statuses: [400],
    // Go's net/http; nginx; Apache
    body: /^\s*(?:Client sent an HTTP request to an HTTPS server|<(?:html|!DOCTYPE)[^]{0,200}?(?:The plain HTTP request was sent to HTTPS port|400 Bad Request[^]{0,300}?speaking plain HTTP to an SSL-enabled))/i,
    step: 'tls',
    meaning: 'this port speaks TLS',
    remedy: USE_HTTPS,
  },
  {
    statuses: [400],
    body: /^\s*<html>[^]{0,200}?(?:No required SSL certificate was sent|The SSL certificate error)/i, // nginx
    step: 'authentication',
    meaning: 'the receiver requires another certificate of this device',
    remedy: CHECK_CLIENT_CERTIFICATE,
  },
  {
    statuses: [401],
    step: 'authentication',
    meaning: 'the receiver requires credentials that it knows',
    remedy: CHECK_TOKEN,
  },
  {
    statuses: [403],
    step: 'authentication',
    meaning: 'the credentials do not permit writes',
    remedy: CHECK_TOKEN,
  },
  { statuses: [404], step: 'path', meaning: 'the receiver has no such path', remedy: CHECK_PATH },
  { statuses: [405], step: 'path', meaning: 'the path does not accept writes', remedy: CHECK_PATH },
  {
    statuses: [407],
    step: 'proxy',
    meaning: 'the proxy requires credentials that it knows',
    remedy: 'check the user and the password of the proxy that the environment names (http_proxy, all_proxy)',
  },
  {
    statuses: [511],
    step: 'receiver',
    meaning: 'the network requires a login',
    remedy: CHECK_ADDRESS,
  },
];

/** What a success from somebody else, or a redirect, comes from. */
const foreign = {
  page: { step: 'receiver', meaning: 'from something that is no receiver', remedy: CHECK_ADDRESS },
  https: { step: 'tls', meaning: 'the receiver requires TLS', remedy: USE_HTTPS },
  elsewhere: { step: 'receiver', meaning: 'a redirect to another server, such as a portal', remedy: CHECK_ADDRESS },
  path: { step: 'path', meaning: 'a redirect to another path of this server', remedy: CHECK_PATH },
} satisfies Record<string, RecognizedResponse>;

/** Every recognized response, as the documents list them. */
export const RECOGNIZED_RESPONSES: readonly RecognizedResponse[] = [...recognizers, ...Object.values(foreign)];

/** What a success means that no receiver has written. */
export const PAGE: RecognizedResponse = foreign.page;

/** Returns a reason with what it means and what to do, by which findRecognized() finds that again. */
export function withRemedy(reason: string, recognized: RecognizedResponse | undefined): string {
  if (recognized === undefined) return reason;
  const { meaning, remedy } = recognized;
  return [reason, ...(reason.includes(meaning) ? [] : [meaning]), remedy].join('; ');
}

/** Recognizes a response without success by its status and its body; undefined if it may be about the samples. */
export function recognizeResponse(status: number, body: string): RecognizedResponse | undefined {
  const message = withoutPeer(body);
  return recognizers.find((each) => each.statuses.includes(status) && (each.body?.test(message) ?? true));
}

/** Returns a message without the address of this device before it: its port is another one each time. */
export function withoutPeer(body: string): string {
  return body.replace(PEER, '');
}

/** Recognizes a redirect of a request by where it leads to; undefined if that is not known. */
export function recognizeRedirect(location = '', requestUrl = ''): RecognizedResponse | undefined {
  if (location === '' || !URL.canParse(location, requestUrl)) return undefined;
  const [from, to] = [new URL(requestUrl), new URL(location, requestUrl)];
  if (from.hostname !== to.hostname) return foreign.elsewhere;
  return from.protocol !== to.protocol && to.protocol === 'https:' ? foreign.https : foreign.path;
}

/** Returns the recognized response that a reason was made of; undefined for any other text. */
export function findRecognized(reason: string): RecognizedResponse | undefined {
  return RECOGNIZED_RESPONSES.find(({ meaning, remedy }) => reason.includes(meaning) && reason.includes(`; ${remedy}`));
}

/** Returns what to do about a failed upload by its reason; undefined if the reason does not name it. */
export function findRemedy(reason: string): string | undefined {
  return findRecognized(reason)?.remedy ?? REMEDIES.find((remedy) => reason.includes(`; ${remedy}`));
}
