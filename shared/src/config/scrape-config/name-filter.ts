/** Decides by the name of a metric whether its samples are kept. */
export type NameFilter = (name: string) => boolean;

/** A rule of `metric_relabel_configs`. */
export interface NameRule {
  readonly action: 'keep' | 'drop';
  /** A regular expression of RE2, as Prometheus anchors it: it has to match the whole name. */
  readonly regex: string;
}

/**
 * Creates the filter of some rules; all have to let a name pass. The expressions are matched by RE2's method, in time that is
 * linear in the name: JavaScript's own would let `(a+)+b` and a name of a page stop the collector.
 *
 * @param onProblem gets the index of a rule whose expression is none, and the reason
 */
export async function createNameFilter(
  rules: readonly NameRule[],
  onProblem: (index: number, reason: string) => void,
): Promise<NameFilter> {
  const { RE2JS } = await import('re2js');
  const filters = rules.map(({ action, regex }, index): NameFilter => {
    try {
      const pattern = RE2JS.compile(regex, RE2JS.DOTALL);
      return (name) => pattern.matches(name) === (action === 'keep');
    } catch (error) {
      onProblem(index, error instanceof Error ? error.message : String(error));
      return () => true;
    }
  });
  return (name) => filters.every((filter) => filter(name));
}
