import type { Clock } from '@thugshells/shared/clock.ts';
import { maskCredentials } from '@thugshells/shared/config/load-config.ts';
import { ExitCode } from '@thugshells/shared/errors.ts';
import type { GivenOptions } from '@thugshells/shared/process/command-line.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';

import type { UploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { createTransportOptions } from '../receiver-client.ts';
import type { Surroundings } from '../surroundings.ts';
import { testConnections } from './connection-test/connection-test.ts';
import { STEP_CODES, type StepResult } from './connection-test/step.ts';

export interface TestCommandOptions {
  readonly clock: Clock;
  readonly config: UploaderConfig;
  readonly surroundings: Surroundings;
  /** Unix milliseconds. */
  readonly builtAtMs: number;
  /** Shows how far it is; undefined where nobody looks. */
  readonly showProgress?: ((text: string) => void) | undefined;
}

const signs: Readonly<Record<StepResult['status'], string>> = { passed: '✓', failed: '✗', skipped: '–' };
const NAME_WIDTH = Math.max(...Object.keys(STEP_CODES).map((step) => step.length));

/**
 * Tests the connection to the receiver; prints a line for each step, to the first that fails.
 *
 * @returns exit code 0 if no step failed, 1 if one did, or with --step-code its own
 */
export async function testCommand(options: TestCommandOptions, given: GivenOptions): Promise<CommandResult> {
  const { config, showProgress } = options;
  const results: StepResult[] = [];
  showProgress?.('testing …');
  for await (const result of testConnections(createTransportOptions(options), config)) {
    results.push(result);
    showProgress?.(`${results.length} steps tested: ${result.step}`);
  }
  showProgress?.('');
  const failure = results.find(({ status }) => status === 'failed');
  const stepCode = failure === undefined ? ExitCode.clean : STEP_CODES[failure.step];
  const exitCode = failure === undefined ? ExitCode.clean : given.has('--step-code') ? stepCode : ExitCode.fault;
  return { text: given.has('--json') ? toJson(config, results, failure) : toText(results), exitCode };
}

function toText(results: readonly StepResult[]): string {
  return results
    .map(({ step, status, message }) => `${signs[status]} ${step.padEnd(NAME_WIDTH)}  ${message}\n`)
    .join('');
}

function toJson(
  { remoteUrl }: UploaderConfig,
  results: readonly StepResult[],
  failure: StepResult | undefined,
): string {
  const steps = results.map((result) => ({ ...result, code: STEP_CODES[result.step] }));
  const report = {
    ok: failure === undefined,
    remote_url: maskCredentials(remoteUrl),
    failed_step: failure?.step ?? null,
    steps,
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
