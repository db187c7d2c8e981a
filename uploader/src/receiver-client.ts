import type { Clock } from '@thugshells/shared/clock.ts';

import type { UploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import type { Surroundings } from './surroundings.ts';
import { CertificateTime } from './transport/certificate-time.ts';
import { Credentials } from './transport/credentials.ts';
import { HttpTransport, type HttpTransportOptions } from './transport/http-transport.ts';
import { findQueryUrl } from './transport/query-address.ts';
import { QueryClient } from './transport/query-client.ts';
import { RemoteWriteProtocol } from './transport/remote-write.ts';
import { VictoriaMetricsProtocol } from './transport/victoriametrics.ts';

export interface ReceiverClientOptions {
  readonly clock: Clock;
  readonly config: UploaderConfig;
  readonly surroundings: Surroundings;
  /** Unix milliseconds before which no clock can be right: when this program was built. */
  readonly builtAtMs: number;
}

/** Creates what requests to the receiver that the configuration names need. */
export function createTransportOptions({
  clock,
  config,
  surroundings,
  builtAtMs,
}: ReceiverClientOptions): HttpTransportOptions {
  const { remoteUrl, remoteTimeoutMs, remoteProtocol, clockSkewUrl, clockSkewPolicy } = config;
  const { proxyFor, credentialsDirectory } = surroundings;
  const protocol = remoteProtocol === 'remote-write' ? new RemoteWriteProtocol(clock) : new VictoriaMetricsProtocol();
  const credentials = new Credentials({ ...config, credentialsDirectory });
  const time = { clock, remoteUrl, clockSkewUrl, proxyFor, builtAtMs };
  const certificateTime = clockSkewPolicy === 'correct' ? new CertificateTime(time) : undefined;
  return { clock, protocol, remoteUrl, remoteTimeoutMs, credentials, proxyFor, certificateTime };
}

/** Creates the client of the receiver that the configuration names; nothing is requested yet. */
export function createReceiverClient(options: ReceiverClientOptions): HttpTransport {
  return new HttpTransport(createTransportOptions(options));
}

/** Creates what reads the receiver, over connections of its own; undefined if it is not known where that is. */
export function createQueryClient({ clock, config, surroundings }: ReceiverClientOptions): QueryClient | undefined {
  if (findQueryUrl(config) === undefined) return undefined;
  const { remoteUrl, queryUrl } = config;
  const { proxyFor, credentialsDirectory } = surroundings;
  const credentials = new Credentials({ ...config, credentialsDirectory });
  return new QueryClient({ clock, remoteUrl, queryUrl, credentials, proxyFor });
}
