/** VictoriaMetrics and vmauth put it into every response, proxies hand it on; a portal has no reason to invent it. */
export const SERVER_HOSTNAME = 'x-server-hostname';

const PROXY_AUTHENTICATION_REQUIRED = 407;

/** Whether a status comes from a portal or a proxy rather than from the receiver: redirects, and failures of a gateway. */
export function isOfSomebodyElse(status: number): boolean {
  return status < 200 || (status >= 300 && status <= 399) || status === PROXY_AUTHENTICATION_REQUIRED || status >= 500;
}
