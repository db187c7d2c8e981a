/** The version of a release, and its section of CHANGELOG.md. Pure: texts in, texts out. */

/** What a release needs of a package.json. */
export interface PackageManifest {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** What has to agree with the version of a release. */
export interface VersionSources {
  readonly manifests: readonly { readonly file: string; readonly manifest: PackageManifest }[];
  readonly lockfile: { readonly version?: string };
  readonly changelog: string;
}

/** A definition of a reference link, `[0.2.0]: https://…`, as Keep a Changelog puts at the end of the file. */
const LINK_DEFINITION = /^\[[^\]]+\]:\s/;
/** A line that begins a block of its own in Markdown: a list item, a heading, a table, a quotation, a fence. */
const BLOCK_START = /^\s*([-*+]\s|\d+[.)]\s|#|\||>|```)/;

/**
 * Returns the version that a tag names: `v0.2.0` is 0.2.0. A tag of another form, such as v0.2.0-rc.1, names none:
 * Debian would sort that version after 0.2.0.
 */
export function parseTag(tag: string): string | undefined {
  return /^v((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))$/.exec(tag)?.[1];
}

/**
 * Joins the lines of each paragraph and list item: CHANGELOG.md is wrapped, and a release page shows each line break.
 */
function unwrap(lines: readonly string[]): string[] {
  const joined: string[] = [];
  let isCode = false;
  for (const line of lines) {
    const isFence = line.trimStart().startsWith('```');
    const previous = joined.at(-1) ?? '';
    const isContinued =
      !isCode &&
      line.trim() !== '' &&
      !BLOCK_START.test(line) &&
      previous.trim() !== '' &&
      !/^\s*(#|\||```)/.test(previous);
    if (isContinued) joined[joined.length - 1] = `${previous} ${line.trim()}`;
    else joined.push(line);
    if (isFence) isCode = !isCode;
  }
  return joined;
}

/** Returns the section of a version in a changelog of the form of Keep a Changelog, or undefined when it has none or an empty one. */
export function extractNotes(changelog: string, version: string): string | undefined {
  const lines = changelog.split('\n');
  const start = lines.findIndex(
    (line) =>
      line.startsWith('## ') &&
      line
        .slice(3)
        .trim()
        .replace(/^\[([^\]]*)\]/, '$1')
        .split(/\s/)[0] === version,
  );
  if (start === -1) return undefined;
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('## '));
  const section = length === -1 ? lines.slice(start + 1) : lines.slice(start + 1, start + 1 + length);
  const text = unwrap(section.filter((line) => !LINK_DEFINITION.test(line)))
    .join('\n')
    .trim();
  const hasContent = text.split('\n').some((line) => line.trim() !== '' && !line.startsWith('#'));
  return hasContent ? `${text}\n` : undefined;
}

/**
 * Finds what does not agree with a version, each as a sentence with its remedy.
 *
 * @param version such as 0.2.0
 */
export function findVersionProblems(version: string, { manifests, lockfile, changelog }: VersionSources): string[] {
  const problems: string[] = [];
  for (const { file, manifest } of manifests) {
    if (manifest.version !== version) problems.push(`${file} has version ${manifest.version}: set it to ${version}`);
    for (const { name } of manifests.map((other) => other.manifest)) {
      const wanted = name === undefined ? undefined : manifest.dependencies?.[name];
      if (wanted !== undefined && wanted !== version)
        problems.push(`${file} depends on ${name} ${wanted}: set it to ${version}`);
    }
  }
  if (lockfile.version !== version)
    problems.push(`package-lock.json has version ${lockfile.version}: run npm install --package-lock-only`);
  if (extractNotes(changelog, version) === undefined) {
    problems.push(
      `CHANGELOG.md has no section ${version}: move what is below [Unreleased] to a section "## [${version}] - YYYY-MM-DD"`,
    );
  }
  return problems;
}
