import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { findProgram } from '../../deploy/scripts/programs.ts';
import { rulesFile } from './alert-rules.ts';

const run = promisify(execFile);

/** Runs vmalert on a file of rules; rejects, with what it logged, when it fails. */
async function vmalert(file: string, ...flags: readonly string[]): Promise<void> {
  await run(await findProgram('vmalert'), [`-rule=${file}`, ...flags]);
}

/** Checks the rules as vmalert does before it starts, their templates included. */
export async function checkRules(): Promise<void> {
  await vmalert(rulesFile, '-dryRun', '-rule.validateTemplates', '-rule.validateExpressions');
}

/** Evaluates the rules, minute by minute, over a range of time; the server gets the series ALERTS of it. */
export async function replayRules(origin: string, from: Date, to: Date, file: string = rulesFile): Promise<void> {
  const servers = [`-datasource.url=${origin}`, `-remoteWrite.url=${origin}`];
  const range = [`-replay.timeFrom=${from.toISOString()}`, `-replay.timeTo=${to.toISOString()}`];
  // Its own step of 5 minutes is longer than some rules' `for`.
  const pace = ['-datasource.queryStep=1m', '-remoteWrite.flushInterval=200ms', '-replay.rulesDelay=500ms'];
  await vmalert(file, ...servers, ...range, ...pace, '-replay.disableProgressBar', '-httpListenAddr=127.0.0.1:0');
}
