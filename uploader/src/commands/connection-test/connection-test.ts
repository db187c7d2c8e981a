import type { UploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { maskCredentials } from '@thugshells/shared/config/load-config.ts';

import { HttpTransport, type HttpTransportOptions } from '../../transport/http-transport.ts';
import { findTarget, testConnection, testName } from './address-steps.ts';
import { testReadSide, testReceiver } from './receiver-steps.ts';
import { failed, passed, skipped, type StepResult } from './step.ts';
import { speaksTls, testTls } from './tls-step.ts';
import { TLS_PORT, toClockStep, toWriteSteps, writeNothing } from './write-steps.ts';

/** An upload waits for a busy receiver longer; who tests a connection wants to know. */
const MAX_TIMEOUT_MS = 30_000;

/**
 * Tries the way to the receiver step by step, and ends with the first step that fails. Nothing is stored here or there: the
 * database is not opened, and the one write has no samples.
 */
export async function* testConnections(
  options: HttpTransportOptions,
  config: UploaderConfig,
): AsyncGenerator<StepResult, void, void> {
  const remoteTimeoutMs = Math.min(options.remoteTimeoutMs, MAX_TIMEOUT_MS);
  for await (const result of runSteps({ ...options, remoteTimeoutMs }, config)) {
    yield result;
    if (result.status === 'failed') return;
  }
}

async function* runSteps(
  options: HttpTransportOptions,
  config: UploaderConfig,
): AsyncGenerator<StepResult, void, void> {
  const { clock, remoteUrl, proxyFor } = options;
  yield testFiles(options, config);
  const proxy = proxyFor(remoteUrl);
  const target = findTarget(remoteUrl, proxy);
  const { result, addresses } = await testName(target, clock);
  yield result;
  yield await testConnection(target, addresses, clock);
  if (proxy === '') yield passed('proxy', 'none in use');
  const client = new HttpTransport(options);
  try {
    await learnTime(client, config);
    const isEncrypted = new URL(remoteUrl).protocol === 'https:';
    if (isEncrypted) yield await testTls(options);
    const sent = await writeNothing(client);
    const isSilent = sent.status === undefined && 'reason' in sent.outcome;
    const results =
      !isEncrypted && isSilent && (await speaksTls(options))
        ? [TLS_PORT]
        : toWriteSteps(sent, config, proxy === '' ? '' : maskCredentials(proxy));
    // The write may have shown that TLS is needed.
    if (!isEncrypted && results[0]?.step !== 'tls') yield skipped('tls', 'not used: http:// in THUGSHELLS_REMOTE_URL');
    yield* results;
    yield toClockStep(sent, options, config);
  } finally {
    client.close();
  }
  yield await testReceiver(options, config);
  yield await testReadSide(options, config);
}

/** Tests the files of the variables. */
function testFiles({ credentials }: HttpTransportOptions, config: UploaderConfig): StepResult {
  const { remoteTokenFile, remoteCaFile, remoteCertFile, remoteKeyFile } = config;
  const files = [remoteTokenFile, remoteCaFile, remoteCertFile, remoteKeyFile].filter((file) => file !== '');
  const problems = credentials.problems();
  if (problems.length > 0)
    return failed('files', problems.join('; '), 'correct the file, or the variable that names it');
  return passed(
    'files',
    files.length === 0 ? 'no token and no certificates are configured' : `${files.join(', ')} can be read`,
  );
}

/** Learns the time by which certificates are judged, as the uploads do before they begin. */
async function learnTime(client: HttpTransport, { clockSkewPolicy, clockSkewUrl }: UploaderConfig): Promise<void> {
  if (clockSkewPolicy !== 'correct' || clockSkewUrl === '') return;
  // Without it, the clock of this device judges: the next step shows what is wrong then.
  await client.requestDate(clockSkewUrl, new AbortController().signal).catch(() => undefined);
}
