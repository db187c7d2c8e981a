import { DURATION_UNITS } from '@thugshells/shared/config/formats.ts';
import {
  CHECK_CONFIG,
  type CommandOption,
  type OptionValue,
  type ProgramTable,
} from '@thugshells/shared/process/command-table.ts';

import { STEP_CODES } from './connection-test/step.ts';
import { TIME } from './time-argument.ts';

const OFFSET: OptionValue = {
  name: 'DURATION',
  forms: [
    ['3h', `three hours, if the clock was behind; units are ${DURATION_UNITS}`],
    ['-90m', 'minus 90 minutes, if the clock was ahead'],
  ],
};
const COUNT: OptionValue = { name: 'N', forms: [['100', 'a whole number of at least 1']] };

const FROM: CommandOption = { doc: 'start of the time range', value: TIME };
const TO: CommandOption = { doc: 'end of the time range', value: TIME };
const JSON_OUTPUT = { '--json': { doc: 'print JSON' } };
const stepCodes = Object.entries(STEP_CODES).map(([step, code]) => `${code} ${step}`);

/** The commands of the uploader. */
export const UPLOADER_TABLE = {
  program: 'thugshells-uploader',
  summary: 'delivers stored samples and reports health',
  commands: {
    run: {
      doc: 'upload samples until stopped',
      details:
        'Serves /health, /metrics and the status page at THUGSHELLS_HEALTH_HOST and THUGSHELLS_HEALTH_PORT. SIGUSR2 switches the log level to debug, and back.',
      examples: { run: 'with the variables of this shell; Ctrl-C ends it' },
    },
    status: {
      doc: 'print the state of this device',
      details:
        'From the uploader if it runs, else from the database. With colors on a terminal, unless NO_COLOR is set.',
      options: {
        '--json': { doc: 'print JSON, as /status.json returns it' },
        '--watch': { doc: 'print it anew every few seconds until Ctrl-C; on a terminal only' },
      },
      exitCodes: { 0: 'ok', 1: 'degraded', 2: 'error, or bad usage', 3: 'the state cannot be read' },
      examples: {
        status: 'one screen for a person',
        'status --json': 'everything that is known, for a script',
        'status --watch': 'while a device is set up, or a backlog is sent',
      },
    },
    test: {
      doc: 'test the connection to the receiver step by step, without samples',
      details: 'Prints at the first step that fails what is wrong and which variable to check.',
      options: {
        ...JSON_OUTPUT,
        '--step-code': { doc: `exit with the code of the step that failed in place of 1: ${stepCodes.join(', ')}` },
      },
      exitCodes: { 0: 'every step passed or was skipped', 1: 'a step failed' },
      examples: { test: 'after a change of the address or the credentials' },
    },
    requeue: {
      doc: 'send delivered samples of a time range again, or with --quarantined those in quarantine',
      details:
        'For a receiver that lost data. Both ends of the range are required for delivered samples. The uploader may run meanwhile; it sends them with its next upload.',
      options: {
        '--from': FROM,
        '--to': TO,
        '--quarantined': {
          doc: 'requeue quarantined samples in place of delivered ones; the time range may be left out',
        },
        '--offset': {
          doc: 'with --quarantined: add this to the timestamps of boots whose clock was never set',
          value: OFFSET,
        },
      },
      examples: {
        'requeue --from 2h --to now': 'the delivered samples of the last two hours',
        'requeue --from 2026-01-31T08:00Z --to 2026-01-31T10:30Z': 'those of a known range',
        'requeue --quarantined': 'everything in quarantine, after its cause was mended',
        'requeue --quarantined --offset 3h': 'samples of a boot whose clock was three hours behind',
      },
    },
    verify: {
      doc: 'compare what was delivered with what the receiver returns',
      details: 'Reads the receiver at THUGSHELLS_QUERY_URL. Both programs may run meanwhile.',
      options: {
        '--from': { ...FROM, isRequired: true },
        '--to': { ...TO, isRequired: true },
        '--requeue': { doc: 'make exactly the missing samples pending again' },
        ...JSON_OUTPUT,
      },
      exitCodes: { 0: 'nothing is missing', 1: 'samples are missing', 3: 'the receiver cannot be read' },
      examples: {
        'verify --from 24h --to now': 'the last day',
        'verify --from 2026-01-30 --to 2026-01-31 --requeue': 'one day, and send again what is missing',
      },
    },
    quarantine: {
      doc: 'print the samples that the receiver rejected, and why',
      options: {
        '--limit': { doc: 'print at most N samples, the newest ones; 100 by default', value: COUNT },
        ...JSON_OUTPUT,
      },
      examples: { 'quarantine --limit 20': 'the newest 20' },
    },
    'check-config': CHECK_CONFIG,
  },
} satisfies ProgramTable;
