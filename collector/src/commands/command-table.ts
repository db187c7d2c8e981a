import { CHECK_CONFIG, type ProgramTable } from '@thugshells/shared/process/command-table.ts';

/** The commands of the collector. */
export const COLLECTOR_TABLE = {
  program: 'thugshells-collector',
  summary: 'reads the kernel and stores samples in a local database',
  commands: {
    run: {
      doc: 'collect until stopped',
      details:
        'Creates the database at THUGSHELLS_DB_PATH if it is missing. SIGUSR2 switches the log level to debug, and back.',
      examples: { run: 'with the variables of this shell; Ctrl-C ends it' },
    },
    once: {
      doc: 'read every collector once and print VictoriaMetrics JSON lines',
      details: 'Collectors whose series are rates are read twice, a second apart. Opens no database.',
      exitCodes: { 0: 'every collector was read', 1: 'a collector failed; the others are printed' },
      examples: { once: 'what would be stored now, one series a line' },
    },
    migrate: {
      doc: 'bring the database to the schema of this program',
      details: 'Creates the database if it is missing. The collector does the same when it starts.',
      exitCodes: {
        0: 'the database has the schema of this program',
        75: 'a collector is running on it',
        78: 'bad configuration, or the database is of a newer program',
      },
      examples: { migrate: 'while the collector is stopped' },
    },
    'check-config': CHECK_CONFIG,
  },
} satisfies ProgramTable;
