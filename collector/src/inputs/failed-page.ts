import { AgentError } from '@thugshells/shared/errors.ts';

/** How many samples were read of a page. */
export interface ReadSamples {
  readonly samples: number;
  /** Of these, those that are dropped by their name. */
  readonly dropped: number;
}

/** A page that fails as a whole, with what was read of it: Prometheus reports that too. */
export class FailedPage extends AgentError {
  readonly read: ReadSamples;

  constructor({ message, code, hint }: AgentError, { samples, dropped }: ReadSamples) {
    super(message, hint === undefined ? { code } : { code, hint });
    this.read = { samples, dropped };
  }
}
